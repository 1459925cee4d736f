// A study as its file describes it: which networks are trained, and how all of them are judged.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/evaluation.h"
#include "tools/train_options.h"

namespace inocula {

struct StudyMethod {
  std::string name;    ///< its key in the file, and its folder's name
  TrainOptions train;  ///< all but data, seed and folder
};

/// What somebody else reported of a method, to be set beside what is found here.
struct PublishedValue {
  std::string method;
  std::string score;    ///< one of those that tables show, such as accuracy
  std::string against;  ///< clean, or an attack's or corruption's spec as [evaluate] has it
  double value = 0;
};

struct StudyPlan {
  std::string title;
  std::string published_source;  ///< where the published values stand
  std::vector<PublishedValue> published;
  std::string data;
  std::vector<std::uint64_t> seeds;  ///< that of the command line where the file names none
  std::vector<StudyMethod> methods;  ///< in the order of the file
  EvaluationOptions evaluation;      ///< all but model, data and seed
};

/// Reads
///   title, data, seeds = [0, 1, …]
///   [train]         flags of `inocula train` that all methods share
///   [methods.NAME]  flags of one method, which win over those
///   [evaluate]      flags of `inocula evaluate`
///   [published]     source = "…", and for a method NAME.SCORE.AGAINST = 0.958, AGAINST being clean, the name
///                   of an attack or corruption of [evaluate], or, where several have that name, its spec
/// and checks every value that can be checked without data. `common` is what the command line says of all
/// parts: device, threads, quiet. Throws Error: no_input where the file is missing; config (78) naming file,
/// line and key for whatever is unknown (with the nearest known key), missing or not taken.
StudyPlan read_study(const std::string& path, const CommonOptions& common);

}  // namespace inocula
