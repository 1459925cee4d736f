// Flags of an Evaluator.
#include "tools/evaluator_options.h"

namespace inocula {

void EvaluatorOptions::add_flags(CLI::App& app) {
  app.add_option("--limit", limit, "Only the first so many images; 0 takes all")->capture_default_str();
  app.add_option("--attack-bn", attack_bn,
                 "Batch norm while attacking: eval, or train_no_update (the batch's own statistics)")
      ->capture_default_str();
  app.add_flag("--resume", resume, "Go on where an interrupted command with the same --out stopped");
}

}  // namespace inocula
