// The flags of commands that attack a split: evaluate and attack.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

namespace inocula {

struct EvaluatorOptions {
  std::int64_t limit = 0;
  std::string attack_bn = "eval";
  bool resume = false;  ///< take what an interrupted process left beside the output

  void add_flags(CLI::App& app);
};

}  // namespace inocula
