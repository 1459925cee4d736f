// Common flags.
#include "tools/command.h"

#include "engine/error.h"

namespace inocula {

void add_common(CLI::App& app, CommonOptions& o) {
  app.add_option("--device", o.device, "Where to compute: cpu")->capture_default_str();
  app.add_option("--threads", o.threads, "CPU threads; 0 takes every core")->capture_default_str();
  app.add_option("--seed", o.seed, "Key of every random number")->capture_default_str();
  app.add_option("--config", o.config, "TOML file with any of these flags as keys; flags win");
  app.add_flag("--quiet", o.quiet, "No progress, no summary");
}

void require_flag(const std::string& value, const char* flag) {
  if (value.empty()) fail(ErrorKind::usage, flag, " is missing");
}

}  // namespace inocula
