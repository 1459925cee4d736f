// What a study still costs in time and memory, found by doing a little of everything that it will do.
#pragma once

#include <string>
#include <vector>

#include "tools/evaluation.h"
#include "tools/train_options.h"

namespace inocula {

/// One network of a study and what of it is left to do.
struct PartToDo {
  std::string method;
  const TrainOptions* train = nullptr;
  const EvaluationOptions* evaluation = nullptr;
  bool to_be_trained = true, to_be_judged = true;
};

/// Prints, for each method with work left, how long training and judging one network take from beginning to
/// end and how much memory, and then how long all that is left takes; the rest of a network that has a
/// checkpoint is what is left of it. Steps are those of the real network, batch and images; what is trained
/// and judged for it is thrown away and nothing is written.
///
/// A step of training is timed after a warm-up, a batch of each kind of validation and of each attack and
/// corruption (one of a list of eps or levels), and a few resamples. What the disk takes to flush a
/// checkpoint an epoch is not in it; what else runs on the machine is, as far as it ran meanwhile. Memory is
/// that of the images, the networks' numbers and the planned work: the program itself and the libraries' own
/// come on top. Throws Error as reading the data, training and evaluation do, out of memory included.
void print_estimate(const std::vector<PartToDo>& parts, const std::string& data_path, bool quiet);

}  // namespace inocula
