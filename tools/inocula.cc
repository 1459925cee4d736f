// The program `inocula`: finds the command, reads its flags, turns errors into one line and an exit code.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "engine/error.h"
#include "tools/command.h"
#include "tools/config_file.h"
#include "tools/exit_code.h"
#include "tools/nearest_word.h"
#include "tools/thread_policy.h"
#include "tools/version.h"

namespace {

using namespace inocula;

/// One line, whatever the text.
int report(const std::string& text, int code) {
  std::string line = text;
  for (char& c : line)
    if (c == '\n' || c == '\r') c = ' ';
  std::fprintf(stderr, "inocula: %s\n", line.c_str());
  return code;
}

/// Refuses a word that stands where a command is expected and names none: the parser would only say that one
/// is missing.
void require_known_command(const CLI::App& program, int argc, char** argv) {
  const CLI::App* group = &program;
  for (int i = 1; i < argc && argv[i][0] != '-' && group->get_require_subcommand_min() > 0; ++i) {
    const CLI::App* found = nullptr;
    std::vector<std::string> names;
    for (const CLI::App* command : group->get_subcommands(std::function<bool(const CLI::App*)>{})) {
      names.push_back(command->get_name());
      if (command->get_name() == argv[i]) found = command;
    }
    if (found == nullptr) {
      const std::string nearest = nearest_word(argv[i], names);
      fail(ErrorKind::usage, "unknown command '", argv[i], "'",
           nearest.empty() ? ", expected one of: " + CLI::detail::join(names, ", ")
                           : ", did you mean '" + nearest + "'?");
    }
    group = found;
  }
}

/// A usage error about a value from the configuration file is an error of that file.
void run_command(const Command& command) {
  std::vector<FileSetting> settings;
  if (const CLI::Option* config = command.app->get_option_no_throw("--config");
      config != nullptr && config->count() > 0)
    settings = apply_config_file(*command.app, config->as<std::string>());
  blame_file(settings, command.run);
}

int run(int argc, char** argv) {
  CLI::App program{"Trains medical-imaging networks adversarially and measures their robustness.", "inocula"};
  program.set_version_flag("--version", kVersion);
  program.require_subcommand(1);
  program.fallthrough(false);
  std::vector<Command> commands;
  add_data_commands(program, commands);
  add_train_command(program, commands);
  add_evaluate_command(program, commands);
  add_predict_command(program, commands);
  add_attack_command(program, commands);
  add_study_command(program, commands);
  add_bench_command(program, commands);
  add_report_command(program, commands);
  add_devices_command(program, commands);
  add_selftest_command(program, commands);

  require_known_command(program, argc, argv);
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return program.exit(e);  // --help, --version
  } catch (const CLI::ParseError& e) {
    return report(std::string(e.what()) + " (try --help)", kExitUsage);
  }
  for (const Command& command : commands)
    if (command.app->parsed()) run_command(command);
  return kExitFine;
}

int run_reporting_errors(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const Error& e) {
    return report(e.what(), exit_code(e.kind()));
  } catch (const std::bad_alloc&) {
    return report("out of memory", kExitInternal);
  } catch (const std::exception& e) {
    return report(std::string("internal error: ") + e.what(), kExitInternal);
  }
}

}  // namespace

int main(int argc, char** argv) {
  prefer_sleeping_threads(argv);
  const int code = run_reporting_errors(argc, argv);
  // Standard output is a command's result, and what is buffered may meet its full disk only now.
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (written || code != kExitFine) return code;
  return report("standard output: cannot be written, expected room for the whole result",
                exit_code(ErrorKind::io));
}
