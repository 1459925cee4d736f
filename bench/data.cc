// Images on their way to a step: files opened and decoded, splits brought into device memory, batches
// gathered.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "bench/suite.h"
#include "engine/recorder.h"
#include "engine/resident_images.h"
#include "io/dataset.h"
#include "io/synthetic.h"
#include "kernels/step_state.h"
#include "models/registry.h"

namespace inocula::bench {

namespace {

constexpr std::int64_t kBatch = 64;

struct ImageKind {
  const char* name;
  SyntheticKind kind;
  std::int64_t size, count;
};

/// As many as PneumoniaMNIST and a larger set in colour have.
constexpr ImageKind kKinds[] = {
    {"grey_28px", SyntheticKind::chest, 28, 5856},
    {"colour_64px", SyntheticKind::cells, 64, 4000},
};

/// Made at first use; files are written into a folder that goes with this.
class DataSets {
 public:
  explicit DataSets(Extent extent) : extent_(extent) {}
  DataSets(const DataSets&) = delete;
  DataSets& operator=(const DataSets&) = delete;
  ~DataSets() {
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }

  const ImageData& images(std::size_t kind) {
    ImageData& data = data_[kind];
    const std::int64_t count = extent_ == Extent::quick ? 100 : kKinds[kind].count;
    if (data.train.count == 0)
      data = synthesize({.kind = kKinds[kind].kind, .count = count, .size = kKinds[kind].size});
    return data;
  }
  std::string file(std::size_t kind, const std::string& extension) {
    if (folder_.empty()) {
      folder_ = std::filesystem::temp_directory_path() / ("inocula_bench_data_" + std::to_string(getpid()));
      std::filesystem::create_directories(folder_);
    }
    const std::filesystem::path path = folder_ / (kKinds[kind].name + std::string(".") + extension);
    if (!std::filesystem::exists(path)) save_image_data(path, images(kind));
    return path;
  }

 private:
  Extent extent_;
  std::filesystem::path folder_;
  ImageData data_[std::size(kKinds)];
};

void count_images(benchmark::State& state, std::int64_t an_iteration) {
  state.counters["images/s"] =
      benchmark::Counter(static_cast<double>(an_iteration), benchmark::Counter::kIsIterationInvariantRate);
}

/// From the file system's cache: what decoding and checking cost.
void open_file(benchmark::State& state, const std::string& path) {
  std::int64_t images = 0;
  for (auto _ : state) {
    const ImageData data = load_image_data(path);
    images = data.train.count + data.val.count + data.test.count;
  }
  count_images(state, images);
}

Network network_for(const ImageData& data, const Device& device) {
  return Network(models::build("small_cnn", {data.channels, data.height, data.width, {}, {}}, data.classes),
                 device);
}

void make_resident(benchmark::State& state, const Device& device, const ImageData& data) {
  const Network network = network_for(data, device);
  for (auto _ : state) {
    const ResidentImages resident(network, data.train, kBatch);
    device.backend().synchronize();
  }
  count_images(state, data.train.count);
}

void gather_batches(benchmark::State& state, const Device& device, const ImageData& data,
                    const Augmentation& augmentation) {
  const Network network = network_for(data, device);
  ResidentImages resident(network, data.train, kBatch);
  Buffer step_state(device, sizeof(StepState));
  Recorder r(device);
  const Tensor step =
      r.external("step state", step_state.as<void>(), {1, sizeof(StepState), 1, 1}, DType::bytes);
  resident.record(r, step, kBatch, augmentation);
  Program program = r.finish();
  std::vector<std::int32_t> index(kBatch);
  StepState now;
  for (auto _ : state) {
    for (std::int64_t i = 0; i < kBatch; ++i)  // from all over the set
      index[static_cast<std::size_t>(i)] =
          static_cast<std::int32_t>((now.step * kBatch + i) * 7919 % data.train.count);
    resident.choose(index.data());
    step_state.upload(&now, 1);
    program.run();
    device.backend().synchronize();
    now.step += 1;
  }
  count_images(state, kBatch);
}

template <class Run>
void add(const std::string& name, const Run& run) {
  benchmark::RegisterBenchmark(("data/" + name).c_str(), run)->UseRealTime()->Unit(benchmark::kMillisecond);
}

void add_data(Suite& suite) {
  const auto sets = std::make_shared<DataSets>(suite.extent);
  const Device& device = suite.device;
  for (std::size_t kind = 0; kind < std::size(kKinds); ++kind) {
    const std::string name = kKinds[kind].name;
    for (const char* extension : {"npz", "h5"})
      add("open_" + std::string(extension) + "/" + name,
          [=](benchmark::State& state) { open_file(state, sets->file(kind, extension)); });
    add("make_resident/" + name,
        [=, &device](benchmark::State& state) { make_resident(state, device, sets->images(kind)); });
    add("gather/" + name,
        [=, &device](benchmark::State& state) { gather_batches(state, device, sets->images(kind), {}); });
    add("gather_augmented/" + name, [=, &device](benchmark::State& state) {
      gather_batches(state, device, sets->images(kind), {.flip = true, .shift = 4});
    });
  }
  if (!suite.data.empty())
    add("open_given", [path = suite.data](benchmark::State& state) { open_file(state, path); });
}

}  // namespace

}  // namespace inocula::bench

int main(int argc, char** argv) {
  return inocula::bench::run_suite(argc, argv, inocula::bench::add_data);
}
