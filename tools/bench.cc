// `inocula bench`: how fast a step of the user's own network and batch runs, and what its time is made of.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
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

namespace inocula {

namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

struct BenchOptions {
  CommonOptions common;
  MethodOptions method;
  std::string model = "resnet18", input = "1,28,28", json;
  std::int64_t classes = 2, batch = 64, repeat = 10;
  bool plan = false;
};

Shape parse_input(const std::string& text) {
  Shape s;
  char comma1 = 0, comma2 = 0, rest = 0;
  std::istringstream in(text);
  if (!(in >> s.c >> comma1 >> s.h >> comma2 >> s.w) || comma1 != ',' || comma2 != ',' || in >> rest ||
      s.c < 1 || s.h < 1 || s.w < 1)
    fail(ErrorKind::usage, "--input is '", text, "', expected channels,height,width such as 1,28,28");
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

/// Seconds of each repetition after one warm-up, sorted.
template <class Work>
std::vector<double> time_repeatedly(std::int64_t repeat, const Work& work) {
  work();
  std::vector<double> seconds;
  for (std::int64_t i = 0; i < repeat; ++i) {
    const auto begin = Clock::now();
    work();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds;
}

/// Forward passes' worth of work in one step, a backward half counting as one.
double forwards_per_step(const MethodOptions& m) {
  if (m.method == "eval") return m.steps > 0 ? 2.0 * static_cast<double>(m.steps) + 2 : 1;
  return (m.method == "pgd" ? 2.0 * static_cast<double>(m.steps) : 0) + 3;
}

Json measure(const BenchOptions& o, const Shape& shape, const Device& device) {
  Network network(models::build(o.model, {shape.c, shape.h, shape.w, {}, {}}, o.classes), device);
  network.initialize(o.common.seed);
  const ImageSplit images = random_images(shape, o.batch, o.classes, o.common.seed);

  std::vector<double> seconds;
  std::vector<PartTime> parts;
  std::string footprint;
  if (o.method.method == "eval") {
    std::unique_ptr<Perturbation> attack = std::make_unique<attacks::Clean>();
    if (o.method.steps > 0) {
      attacks::PgdSpec p;
      p.steps = o.method.steps;
      attack = std::make_unique<attacks::Pgd>(p);
    }
    attacks::Evaluator evaluator(network, images, *attack, {.batch = o.batch, .seed = o.common.seed});
    seconds = time_repeatedly(o.repeat, [&] { evaluator.run(); });
    parts = evaluator.program().run_timed();
    footprint = evaluator.program().footprint().to_string();
  } else {
    const TrainingMethod method = make_method(o.method);
    TrainerSpec spec;
    spec.batch = o.batch;
    spec.epochs = o.repeat + 2;
    spec.schedule.peak = 1e-3;
    Trainer trainer(network, *method.objective, images, spec);
    seconds = time_repeatedly(o.repeat, [&] { trainer.run_step(); });
    parts = trainer.program().run_timed();
    footprint = trainer.program().footprint().to_string();
  }
  if (o.plan) std::printf("%s\n", footprint.c_str());

  const double median = seconds[seconds.size() / 2], batch = static_cast<double>(o.batch);
  Json row{{"name", o.method.method == "eval" ? "eval_step" : "train_step"},
           {"method", o.method.method},
           {"steps", o.method.method == "standard" ? 0 : o.method.steps},
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
  std::printf("%s, %s, %s, batch %lld: %.2f ms median, %.2f ms at best, %.1f images/s, %.1f GFLOP/s\n",
              row["name"].get<std::string>().c_str(), row["method"].get<std::string>().c_str(),
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
  if (o.repeat < 1) fail(ErrorKind::usage, "--repeat is ", o.repeat, ", expected at least 1");
  const Shape shape = parse_input(o.input);
  if (!o.json.empty()) require_creatable(o.json);
  const Device device = o.common.open_device();
  const Roof roof = measure_roof(device);
  Json result{{"device", device.name()},
              {"threads", device.threads()},
              {"isa", device.kernels().target},
              {"roof", {{"fp32_gflops", roof.fp32_gflops}, {"copy_gbps", roof.copy_gbps}}},
              {"rows", Json::array({measure(o, shape, device)})}};
  if (!o.json.empty()) write_file(o.json, result.dump(1) + "\n");
  if (o.common.quiet) return;
  std::printf("%s, %d threads, %s: %.0f GFLOP/s fp32 from registers, %.1f GB/s copied\n",
              device.name().c_str(), device.threads(), device.kernels().target, roof.fp32_gflops,
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
      ->description("standard or pgd: a training step; eval: an evaluation by PGD-steps, 0 for clean");
  add_common(*app, o->common);
  commands.push_back({app, [o] { run_bench(*o); }});
}

}  // namespace inocula
