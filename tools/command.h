// What the commands share: common flags, the device, and how a command joins the program.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/device.h"

namespace inocula {

/// Flags that every command has.
struct CommonOptions {
  std::string device = "cpu";
  int threads = 0;
  std::uint64_t seed = 0;
  std::string determinism = "reproducible";
  std::optional<bool> tf32;  ///< unset: where `determinism` is fast
  bool precise = false;
  std::string config;
  bool quiet = false;

  bool admits_tf32() const { return tf32.value_or(determinism == "fast"); }
  /// Whether it is something else than `determinism` alone would make it.
  bool tf32_is_chosen() const { return admits_tf32() != (determinism == "fast"); }
  Device open_device() const;
};

/// A command of the program: its flags, and what it does once they are known.
struct Command {
  CLI::App* app = nullptr;
  std::function<void()> run;
};

void add_common(CLI::App& app, CommonOptions& options);

/// Throws Error (usage) naming the flag where `value` is empty: flags may come from a configuration file, so
/// the parser cannot insist on them.
void require_flag(const std::string& value, const char* flag);

// One function a command; each adds its flags to `program` and its commands to the list.
void add_data_commands(CLI::App& program, std::vector<Command>& commands);
void add_train_command(CLI::App& program, std::vector<Command>& commands);
void add_evaluate_command(CLI::App& program, std::vector<Command>& commands);
void add_predict_command(CLI::App& program, std::vector<Command>& commands);
void add_attack_command(CLI::App& program, std::vector<Command>& commands);
void add_study_command(CLI::App& program, std::vector<Command>& commands);
void add_devices_command(CLI::App& program, std::vector<Command>& commands);
void add_selftest_command(CLI::App& program, std::vector<Command>& commands);
void add_bench_command(CLI::App& program, std::vector<Command>& commands);
void add_report_command(CLI::App& program, std::vector<Command>& commands);

}  // namespace inocula
