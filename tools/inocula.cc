// The program `inocula`: finds the command, reads its flags, turns errors into one line and an exit code.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "engine/error.h"
#include "tools/command.h"
#include "tools/config_file.h"
#include "tools/exit_code.h"
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
  add_bench_command(program, commands);
  add_report_command(program, commands);
  add_devices_command(program, commands);
  add_selftest_command(program, commands);

  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return program.exit(e);  // --help, --version
  } catch (const CLI::ParseError& e) {
    return report(std::string(e.what()) + " (try --help)", kExitUsage);
  }
  for (const Command& command : commands) {
    if (!command.app->parsed()) continue;
    if (const CLI::Option* config = command.app->get_option_no_throw("--config");
        config != nullptr && config->count() > 0)
      apply_config_file(*command.app, config->as<std::string>());
    command.run();
  }
  return kExitFine;
}

}  // namespace

int main(int argc, char** argv) {
  prefer_sleeping_threads(argv);
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
