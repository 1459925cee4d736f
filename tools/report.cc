// `inocula report`: one page from run folders and studies.
#include <cstdio>
#include <memory>

#include "engine/error.h"
#include "io/atomic_file.h"
#include "tools/command.h"
#include "tools/report/page.h"

namespace inocula {

namespace {

struct ReportOptions {
  CommonOptions common;
  std::vector<std::string> folders;
  std::string out = "report.html";
};

void run_report(const ReportOptions& o) {
  if (o.folders.empty()) fail(ErrorKind::usage, "report: no run folder given");
  require_creatable(o.out);
  require_creatable(csv_beside(o.out));
  write_report(o.folders, o.out);
  if (!o.common.quiet) std::printf("%s\n", o.out.c_str());
}

}  // namespace

void add_report_command(CLI::App& program, std::vector<Command>& commands) {
  const auto o = std::make_shared<ReportOptions>();
  CLI::App* app = program.add_subcommand(
      "report",
      "One page of HTML from folders of runs and studies, and beside it a CSV of its charts' numbers");
  app->add_option("DIR", o->folders, "Folders of runs or studies; several are compared");
  app->add_option("--out", o->out, "HTML file to write")->capture_default_str();
  add_common(*app, o->common);
  commands.push_back({app, [o] { run_report(*o); }});
}

}  // namespace inocula
