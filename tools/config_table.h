// Tables of a TOML file, in the file's order and with their lines: for files that hold more than one set of
// flags.
#pragma once

#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "tools/config_file.h"

namespace inocula {

/// Throws Error: no_input where the file is missing; config (78) naming file and line of a syntax error.
toml::table read_toml(const std::string& path);

struct TomlEntry {
  std::string key;
  const toml::node* value = nullptr;
};

/// In the file's order, so that the first mistake is the one that is reported.
std::vector<TomlEntry> entries_of(const toml::table& table);

/// "FILE:LINE: KEY", for errors.
std::string place_of(const std::string& path, const TomlEntry& entry);

/// apply_config_file for one table of the file `path`; a key of `withheld` is as good as unknown.
std::vector<FileSetting> apply_config_table(CLI::App& app, const std::string& path, const toml::table& table,
                                            const std::vector<std::string>& withheld);

}  // namespace inocula
