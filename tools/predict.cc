// `inocula predict`: logits of a split, as arrays.
#include <cstdio>
#include <memory>

#include "attacks/clean.h"
#include "attacks/evaluate.h"
#include "io/array_file.h"
#include "io/dataset.h"
#include "tools/command.h"
#include "tools/open_model.h"

namespace inocula {

namespace {

struct PredictOptions {
  CommonOptions common;
  std::string model, data, out, split = "test";
  std::int64_t batch = 64;
};

void run_predict(const PredictOptions& o) {
  require_flag(o.model, "--model");
  require_flag(o.data, "--data");
  require_flag(o.out, "--out");
  const Device device = o.common.open_device();
  const OpenModel model = open_model(o.model, device);
  const ImageData data = load_image_data(o.data);
  require_match(model.card, data);
  const ImageSplit& split = require_split(data, o.split);
  const attacks::Clean clean;
  attacks::Evaluator evaluator(*model.network, split, clean, {.batch = o.batch, .seed = o.common.seed});
  const attacks::Evaluation e = evaluator.run();
  write_array_file(o.out, {{"logits", view_of(e.logits, {e.n, e.classes})}, {"labels", view_of(e.label, {e.n})}});
  if (!o.common.quiet)
    std::printf("%s: logits (%lld, %lld)\n", o.out.c_str(), static_cast<long long>(e.n), static_cast<long long>(e.classes));
}

}  // namespace

void add_predict_command(CLI::App& program, std::vector<Command>& commands) {
  const auto o = std::make_shared<PredictOptions>();
  CLI::App* app = program.add_subcommand("predict", "Logits of a split, as arrays logits (N, K) and labels (N)");
  app->add_option("--model", o->model, "Run folder, or a model.safetensors beside its model.json");
  app->add_option("--data", o->data, "Images: .npz in MedMNIST's layout, or HDF5");
  app->add_option("--out", o->out, "File to write: .npz or .h5");
  app->add_option("--split", o->split, "train, val or test")->capture_default_str();
  app->add_option("--batch", o->batch, "Images at a time; changes no result")->capture_default_str();
  add_common(*app, o->common);
  commands.push_back({app, [o] { run_predict(*o); }});
}

}  // namespace inocula
