// `inocula train`.
#include <memory>

#include "tools/command.h"
#include "tools/training_run.h"

namespace inocula {

void add_train_command(CLI::App& program, std::vector<Command>& commands) {
  const auto o = std::make_shared<TrainOptions>();
  CLI::App* app = program.add_subcommand("train", "Train a network into a run folder");
  o->add_flags(*app);
  commands.push_back({app, [o] {
                        require_flag(o->data, "--data");
                        require_flag(o->out, "--out");
                        train(*o);
                      }});
}

}  // namespace inocula
