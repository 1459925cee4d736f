// Flags from a TOML file: a key is a flag's name without its dashes.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace inocula {

/// Gives every flag of `app` that was not on the command line its value from the file; "weight_decay" and
/// "weight-decay" are the same key, an array is a flag given several times. Throws Error: no_input where the
/// file is missing; config (78) naming file, line and key for a syntax error, an unknown key (with the
/// nearest known one) or a value of the wrong kind.
void apply_config_file(CLI::App& app, const std::string& path);

}  // namespace inocula
