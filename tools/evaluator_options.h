// The flags of commands that attack a split: evaluate and attack.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "io/record_file.h"

namespace inocula {

struct EvaluatorOptions {
  std::int64_t limit = 0;
  std::string attack_bn = "eval";
  bool resume = false;            ///< take what an interrupted process left beside the output
  std::string region, eps_scale;  ///< files of arrays; empty: none
  std::string channels = "own";
  int bits = 0;

  void add_flags(CLI::App& app);
  /// What `resume` says.
  RecordFile::Begin begin() const { return resume ? RecordFile::Begin::again : RecordFile::Begin::anew; }
  /// Throws Error (usage) for a value of --channels or --bits that there is not.
  void check() const;
};

}  // namespace inocula
