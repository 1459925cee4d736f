// `inocula bench`: how fast a step of the user's own network and batch runs, and what its time is made of.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "attacks/clean.h"
#include "attacks/evaluate.h"
#include "attacks/registry.h"
#include "engine/error.h"
#include "engine/trainer.h"
#include "io/atomic_file.h"
#include "kernels/draw.h"
#include "models/registry.h"
#include "tools/command.h"
#include "tools/method.h"
#include "tools/roof.h"
#include "tools/timing.h"

namespace inocula {

namespace {

using Json = nlohmann::ordered_json;

// Far beyond any use, so that products of sizes stay within 64 bits.
constexpr std::int64_t kMostRepeats = 1'000'000, kMostExtent = 4096, kMostBatch = 65536, kMostClasses = 65536;

struct BenchOptions {
  CommonOptions common;
  MethodOptions method;
  std::string model = "resnet18", input = "1,28,28", json;
  std::int64_t classes = 2, batch = 64, repeat = 10;
  bool plan = false;
};

void require_range(const char* flag, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high)
    fail(ErrorKind::usage, flag, " is ", value, ", expected ", low, " to ", high);
}

Shape parse_input(const std::string& text) {
  Shape s;
  char comma1 = 0, comma2 = 0, rest = 0;
  std::istringstream in(text);
  const auto good = [](std::int64_t extent) { return extent >= 1 && extent <= kMostExtent; };
  if (!(in >> s.c >> comma1 >> s.h >> comma2 >> s.w) || comma1 != ',' || comma2 != ',' || in >> rest ||
      !good(s.c) || !good(s.h) || !good(s.w))
    fail(ErrorKind::usage, "--input is '", text,
         "', expected channels,height,width such as 1,28,28, each 1 to ", kMostExtent);
  return s;
}

ImageSplit random_images(const Shape& s, std::int64_t count, std::int64_t classes, std::uint64_t seed) {
  ImageSplit split{"random", count, s.h, s.w, s.c, {}, {}};
  split.pixels.resize(static_cast<std::size_t>(count * s.per_sample()));
  for (std::size_t i = 0; i < split.pixels.size(); ++i)
    split.pixels[i] =
        static_cast<std::uint8_t>(draw(seed, Draw::synthesis, 0, 0, 0, static_cast<std::uint32_t>(i)) >> 24);
  for (std::int64_t i = 0; i < count; ++i) split.labels.push_back(static_cast<std::int32_t>(i % classes));
  return split;
}

/// Forward passes' worth of work in one step, a backward half counting as one.
double forwards_per_step(const MethodOptions& method) {
  const std::optional<attacks::PgdSpec> inner = method.attack();
  double attack = inner ? 2.0 * static_cast<double>(inner->steps) : 0;
  if (method.method == "eval") return inner ? attack + 2 : 1;
  if (inner && inner->loss == attacks::AttackLoss::divergence) attack += 1;  // the answer to the image itself
  return attack + 3.0 * static_cast<double>(method.views_of_a_batch());
}

Json measure(const BenchOptions& o, const Shape& shape, const Device& device) {
  const bool eval = o.method.method == "eval";
  const std::optional<attacks::PgdSpec> inner = o.method.attack();
  const std::int64_t attack_steps = inner ? inner->steps : 0;
  Network network(models::build(o.model, {shape.c, shape.h, shape.w, {}, {}}, o.classes), device,
                  parse_precision(o.method.precision));
  network.initialize(o.common.seed);
  const ImageSplit images = random_images(shape, o.batch, o.classes, o.common.seed);

  std::vector<double> seconds;
  std::vector<PartTime> parts;
  std::string footprint;
  if (eval) {
    std::unique_ptr<Perturbation> attack = std::make_unique<attacks::Clean>();
    if (inner) attack = std::make_unique<attacks::Pgd>(*inner);
    attacks::Evaluator evaluator(
        network, images, *attack,
        {.batch = o.batch, .seed = o.common.seed, .attack_norm = o.method.attack_norm()});
    seconds = time_repeatedly(device, o.repeat, [&] { evaluator.run(); });
    parts = evaluator.program().run_timed();
    footprint = evaluator.program().footprint().to_string();
  } else {
    const TrainingMethod method = make_method(o.method);
    TrainerSpec spec;
    spec.batch = o.batch;
    spec.epochs = o.repeat + 2;
    spec.schedule.peak = 1e-3;
    Trainer trainer(network, *method.objective, images, spec);
    seconds = time_repeatedly(device, o.repeat, [&] { trainer.run_step(); });
    parts = trainer.program().run_timed();
    footprint = trainer.program().footprint().to_string();
  }
  if (o.plan) std::printf("%s\n", footprint.c_str());

  const double median = seconds[seconds.size() / 2], batch = static_cast<double>(o.batch);
  Json row{{"name", eval ? "eval_step" : "train_step"},
           {"method", o.method.method},
           {"steps", attack_steps},
           {"replays", o.method.replays_of_a_batch()},
           {"model", o.model},
           {"input", {shape.c, shape.h, shape.w}},
           {"batch", o.batch},
           {"precision", o.method.precision},
           {"repeat", o.repeat},
           {"ms_median", 1e3 * median},
           {"ms_min", 1e3 * seconds.front()},
           {"images_per_second", batch / median},
           {"gflops", 2e-9 * network.graph().multiply_adds() * batch * forwards_per_step(o.method) / median}};
  row["parts"] = Json::array();
  for (const PartTime& p : parts)
    row["parts"].push_back({{"name", p.name}, {"count", p.count}, {"ms", 1e3 * p.seconds}});
  return row;
}

void print_row(const Json& row) {
  const auto replays = row["replays"].get<long long>();
  const std::string share = replays > 1 ? ", one replay of " + std::to_string(replays) : "";
  std::printf("%s, %s%s, %s, batch %lld: %.2f ms median, %.2f ms at best, %.1f images/s, %.1f GFLOP/s\n",
              row["name"].get<std::string>().c_str(), row["method"].get<std::string>().c_str(), share.c_str(),
              row["model"].get<std::string>().c_str(), row["batch"].get<long long>(),
              row["ms_median"].get<double>(), row["ms_min"].get<double>(),
              row["images_per_second"].get<double>(), row["gflops"].get<double>());
  double all = 0;
  for (const Json& p : row["parts"]) all += p["ms"].get<double>();
  for (const Json& p : row["parts"])
    std::printf("  %-30s %6lld x %10.3f ms %6.1f%%\n", p["name"].get<std::string>().c_str(),
                p["count"].get<long long>(), p["ms"].get<double>(), 100 * p["ms"].get<double>() / all);
}

void run_bench(const BenchOptions& o) {
  require_range("--repeat", o.repeat, 1, kMostRepeats);
  require_range("--batch", o.batch, 1, kMostBatch);
  require_range("--classes", o.classes, 2, kMostClasses);
  o.method.attack();  // before the roof is measured, which takes seconds
  const Shape shape = parse_input(o.input);
  if (!o.json.empty()) require_creatable(o.json);
  const Device device = o.common.open_device();
  const Roof roof = measure_roof(device);
  Json result{{"device", device.name()},
              {"threads", device.threads()},
              {"isa", device.kernels().target},
              {"roof",
               {{"fp32_gflops", roof.fp32_gflops},
                {"bf16_gflops", roof.bf16_gflops ? Json(*roof.bf16_gflops) : Json()},
                {"copy_gbps", roof.copy_gbps}}},
              {"rows", Json::array({measure(o, shape, device)})}};
  if (!o.json.empty()) write_file(o.json, result.dump(1) + "\n");
  if (o.common.quiet) return;
  char matrices[64] = "";
  if (roof.bf16_gflops)
    std::snprintf(matrices, sizeof matrices, "%.0f GFLOP/s in bf16 matrix products, ", *roof.bf16_gflops);
  std::printf("%s, %d threads, %s: %.0f GFLOP/s fp32 from registers, %s%.1f GB/s copied\n",
              device.name().c_str(), device.threads(), device.kernels().target, roof.fp32_gflops, matrices,
              roof.copy_gbps);
  print_row(result["rows"][0]);
}

}  // namespace

void add_bench_command(CLI::App& program, std::vector<Command>& commands) {
  const auto o = std::make_shared<BenchOptions>();
  CLI::App* app =
      program.add_subcommand("bench", "Throughput of one step of your network, and what its time is made of");
  app->add_option("--model", o->model, "Model such as resnet18:width=16")->capture_default_str();
  app->add_option("--input", o->input, "Channels,height,width of the images")->capture_default_str();
  app->add_option("--classes", o->classes, "Classes")->capture_default_str();
  app->add_option("--batch", o->batch, "Images a step")->capture_default_str();
  app->add_option("--repeat", o->repeat, "Timed steps after one warm-up")->capture_default_str();
  app->add_option("--json", o->json, "JSON file to write");
  app->add_flag("--plan", o->plan, "Print the memory plan too");
  o->method.add_flags(*app);
  app->get_option("--method")
      ->description(
          "standard, pgd, fast or free: a training step; eval: an evaluation by PGD-steps, 0 for clean");
  add_common(*app, o->common);
  commands.push_back({app, [o] { run_bench(*o); }});
}

}  // namespace inocula
