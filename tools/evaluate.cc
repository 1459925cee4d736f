// `inocula evaluate`: clean and attacked scores of a trained model.
#include <chrono>
#include <cstdio>
#include <memory>

#include "attacks/clean.h"
#include "engine/error.h"
#include "io/atomic_file.h"
#include "io/dataset.h"
#include "tools/command.h"
#include "tools/method.h"
#include "tools/open_model.h"
#include "tools/score_json.h"
#include "tools/terminal.h"

namespace inocula {

namespace {

struct EvaluateOptions {
  CommonOptions common;
  std::string model, data, out, split = "test", attack_bn = "eval";
  std::vector<std::string> attacks;
  std::int64_t limit = 0, batch = 64;
  bool json = false;
};

void run_evaluate(const EvaluateOptions& o) {
  require_flag(o.model, "--model");
  require_flag(o.data, "--data");
  const auto begin = std::chrono::steady_clock::now();
  std::vector<attacks::NamedAttack> list;
  for (const std::string& text : o.attacks)
    for (attacks::NamedAttack& a : attacks::parse_attacks(text)) list.push_back(std::move(a));
  const NormMode attack_norm = parse_attack_bn(o.attack_bn);
  const Device device = o.common.open_device();
  const OpenModel model = open_model(o.model, device);
  const ImageData data = load_image_data(o.data);
  require_match(model.card, data);
  const ImageSplit& split = require_split(data, o.split);

  Progress progress(o.common.quiet);
  const attacks::EvaluatorSpec spec{.batch = o.batch, .seed = o.common.seed, .limit = o.limit, .attack_norm = attack_norm};
  const auto evaluate = [&](const Perturbation& p) {
    attacks::Evaluator evaluator(*model.network, split, p, spec);
    return evaluator.run([&](std::int64_t done, std::int64_t all) {
      progress.update([&] { return p.spec() + ": " + std::to_string(done) + " of " + std::to_string(all) + " images"; });
    });
  };

  nlohmann::ordered_json result{{"model", o.model}, {"data", o.data}, {"split", o.split}};
  const attacks::Evaluation clean = evaluate(attacks::Clean{});
  result["n"] = clean.n;
  result["classes"] = clean.classes;
  result["rows"] = nlohmann::ordered_json::array({clean_row(clean)});
  for (const attacks::NamedAttack& a : list) result["rows"].push_back(attack_row(evaluate(*a.perturbation), a));
  result["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  result["device"] = device.name();
  result["seed"] = o.common.seed;

  if (!o.out.empty()) write_file(o.out, result.dump(1) + "\n");
  if (o.json) {
    std::printf("%s\n", result.dump(1).c_str());
  } else if (!o.common.quiet) {
    std::printf("%s\n", score_heading().c_str());
    for (const auto& row : result["rows"]) std::printf("%s\n", score_line(row).c_str());
  }
}

}  // namespace

void add_evaluate_command(CLI::App& program, std::vector<Command>& commands) {
  const auto o = std::make_shared<EvaluateOptions>();
  CLI::App* app = program.add_subcommand("evaluate", "Clean and attacked scores of a trained model, with calibration");
  app->add_option("--model", o->model, "Run folder, or a model.safetensors beside its model.json");
  app->add_option("--data", o->data, "Images: .npz in MedMNIST's layout, or HDF5");
  app->add_option("--out", o->out, "JSON file to write");
  app->add_option("--split", o->split, "train, val or test")->capture_default_str();
  app->add_option("--attack", o->attacks, "Attack such as pgd:norm=linf,eps=4/255,steps=20; may be given several times");
  app->add_option("--limit", o->limit, "Only the first so many images; 0 takes all")->capture_default_str();
  app->add_option("--batch", o->batch, "Images at a time; changes no result")->capture_default_str();
  app->add_option("--attack-bn", o->attack_bn, "Batch norm while attacking: eval or train_no_update")
      ->capture_default_str();
  app->add_flag("--json", o->json, "Print the JSON instead of a table");
  add_common(*app, o->common);
  commands.push_back({app, [o] { run_evaluate(*o); }});
}

}  // namespace inocula
