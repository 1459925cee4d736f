// Flags from a TOML file: a key is a flag's name without its dashes.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace inocula {

/// A flag that a file set.
struct FileSetting {
  std::string where;               ///< file, line and key
  std::string flag;                ///< without its dashes
  std::vector<std::string> texts;  ///< its values that are texts
};

/// Gives every flag of `app` that was not on the command line its value from the file, and returns these
/// flags. "weight_decay" and "weight-decay" are the same key, an array is a flag given several times; of
/// --flip and
/// --no-flip only "flip" is a key. Throws Error: no_input where the file is missing; config (78) naming file,
/// line and key for a syntax error, an unknown key (with the nearest known one) or a value that the flag does
/// not take.
std::vector<FileSetting> apply_config_file(CLI::App& app, const std::string& path);

/// Does `work`; a usage error about one of the settings becomes one of the file (config).
void blame_file(const std::vector<FileSetting>& settings, const std::function<void()>& work);

}  // namespace inocula
