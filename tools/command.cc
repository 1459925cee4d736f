// Common flags.
#include "tools/command.h"

#include <charconv>

#include "engine/error.h"

namespace inocula {

namespace {

/// Before the parser turns the text into a number: it would wrap -1 around, and take 010 for 8. TOML, and
/// with it config.toml, ends at 2^63 - 1.
std::string refuse_seed(const std::string& text) {
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size() && value >= 0;
  if (whole && (text == "0" || text[0] != '0')) return {};
  return "'" + text + "', expected a whole number from 0 to 2^63-1";
}

}  // namespace

Device CommonOptions::open_device() const {
  DeviceOptions options;
  options.threads = threads;
  options.precise = precise;
  if (determinism == "fast")
    options.determinism = Determinism::fast;
  else if (determinism != "reproducible")
    fail(ErrorKind::usage, "--determinism is '", determinism, "', expected reproducible or fast");
  options.tf32 = admits_tf32();
  return Device::open(device, options);
}

void add_common(CLI::App& app, CommonOptions& o) {
  app.add_option("--device", o.device, "Where to compute: cpu or cuda:N")->capture_default_str();
  app.add_option("--threads", o.threads, "CPU threads; 0 takes every core")->capture_default_str();
  app.add_option("--seed", o.seed, "Key of every random number")
      ->check(CLI::Validator(refuse_seed, "0 to 2^63-1"))
      ->capture_default_str();
  app.add_option("--determinism", o.determinism,
                 "reproducible: the same bits run after run; fast: a GPU may add in any order")
      ->capture_default_str();
  app.add_flag("--tf32,!--no-tf32", o.tf32,
               "A GPU may multiply fp32 in TF32, to eleven bits of twenty-four; without it only where "
               "--determinism is fast");
  app.add_flag("--precise,!--no-precise", o.precise,
               "Convolutions on the CPU by direct summation alone: a digit better, and slower");
  app.add_option("--config", o.config, "TOML file with any of these flags as keys; flags win");
  app.add_flag("--quiet", o.quiet, "No progress, no summary");
}

void require_flag(const std::string& value, const char* flag) {
  if (value.empty()) fail(ErrorKind::usage, flag, " is missing");
}

}  // namespace inocula
