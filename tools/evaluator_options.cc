// Flags of an Evaluator.
#include "tools/evaluator_options.h"

#include "engine/error.h"

namespace inocula {

void EvaluatorOptions::add_flags(CLI::App& app) {
  app.add_option("--limit", limit, "Only the first so many images; 0 takes all")->capture_default_str();
  app.add_option("--attack-bn", attack_bn,
                 "Batch norm while attacking: eval, or train_no_update (the batch's own statistics)")
      ->capture_default_str();
  app.add_flag("--resume", resume, "Go on where an interrupted command with the same --out stopped");
  app.add_option("--region", region,
                 "Pixels that attacks may change: array (height, width), or (images, height, width), not 0 "
                 "where they may; .npy, or 'region' in .npz or .h5");
  app.add_option("--eps-scale", eps_scale,
                 "Factors of eps and alpha, one for each image: array (images); .npy, or 'eps_scale' in .npz "
                 "or .h5");
  app.add_option("--channels", channels, "own, or same: attacks change all channels of a grey image alike")
      ->capture_default_str();
  app.add_option("--bits", bits,
                 "8 or 16: attacked images are rounded to so many bits before they are judged; 0: not")
      ->capture_default_str();
}

void EvaluatorOptions::check() const {
  if (channels != "own" && channels != "same")
    fail(ErrorKind::usage, "--channels is '", channels, "', expected own or same");
  if (bits != 0 && bits != 8 && bits != 16)
    fail(ErrorKind::usage, "--bits is ", bits, ", expected 8 or 16, or 0 for none");
}

}  // namespace inocula
