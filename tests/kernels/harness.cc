// Bodies of the test harness.
#include "tests/kernels/harness.h"

#include <sstream>
#include <utility>

#if defined(INOCULA_CUDA_EMULATED)
#include "tests/kernels/emulated_cuda/cuda_runtime.h"

namespace inocula::cuda_emulated {
const KernelTable& kernel_table();
}
#endif

namespace inocula::test {

namespace {

std::vector<Target> find_targets() {
  std::vector<Target> found = {{"cpu_baseline", &cpu_baseline::kernel_table()}};
#if defined(INOCULA_CUDA_EMULATED)
  // Not last, which is the processor's best instruction set: some tests look at that one alone.
  found.push_back({"cuda_emulated", &cuda_emulated::kernel_table()});
#endif
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    found.push_back({"cpu_avx2", &cpu_avx2::kernel_table()});
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    found.push_back({"cpu_avx512", &cpu_avx512::kernel_table()});
#endif
  return found;
}

std::vector<Target>& known_targets() {
  static std::vector<Target> known = find_targets();
  return known;
}

}  // namespace

const std::vector<Target>& targets() {
  return known_targets();
}

void add_target(Target target) {
  known_targets().push_back(std::move(target));
}

namespace {

#if defined(INOCULA_CUDA_EMULATED)
void add_emulated_runs(const Target& target, std::int64_t rows, std::vector<Run>& all) {
  const auto add = [&](const char* order, void* stream) {
    all.push_back({target.name + ", " + order, *target.table, Queue{.stream = stream}});
  };
  if (rows <= 1000) {
    add("forward", emulated_cuda::stream(emulated_cuda::Order::forward));
    add("backward", emulated_cuda::stream(emulated_cuda::Order::backward));
    return;
  }
#if !defined(__SANITIZE_ADDRESS__)
  add("both ways", nullptr);
#endif
}
#endif

}  // namespace

std::vector<Run> runs([[maybe_unused]] std::int64_t rows) {
  std::vector<Run> all;
  for (const Target& target : targets()) {
#if defined(INOCULA_CUDA_EMULATED)
    if (target.name == "cuda_emulated") {
      add_emulated_runs(target, rows, all);
      continue;
    }
#endif
    for (const int threads : {1, 2})
      if (threads == 1 || target.name.rfind("cpu", 0) == 0)
        all.push_back(
            {target.name + ", threads " + std::to_string(threads), *target.table, Queue{.threads = threads}});
  }
  return all;
}

std::string difference_in_bits(const Outputs& a, const Outputs& b) {
  std::ostringstream text;
  if (a.size() != b.size()) {
    text << a.size() << " arrays against " << b.size();
    return text.str();
  }
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (a[k].size() != b[k].size()) {
      text << "array " << k << ": " << a[k].size() << " elements against " << b[k].size();
      return text.str();
    }
    for (std::size_t i = 0; i < a[k].size(); ++i) {
      // Which NaN it is carries no meaning and may differ.
      if (std::memcmp(&a[k][i], &b[k][i], sizeof(float)) == 0) continue;
      if (std::isnan(a[k][i]) && std::isnan(b[k][i])) continue;
      text << "array " << k << ", element " << i << ": " << std::hexfloat << a[k][i] << " against "
           << b[k][i];
      return text.str();
    }
  }
  return {};
}

void check_near(const std::vector<float>& actual, const std::vector<double>& expected, double relative,
                double absolute, const std::string& what) {
  REQUIRE_MESSAGE(actual.size() == expected.size(), what, ": ", actual.size(), " elements, expected ",
                  expected.size());
  double worst = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    double excess = 0;
    if (std::isnan(actual[i]) != std::isnan(expected[i])) {
      excess = std::numeric_limits<double>::infinity();
    } else if (!std::isnan(expected[i]) && !(static_cast<double>(actual[i]) == expected[i])) {
      excess = std::fabs(actual[i] - expected[i]) / (absolute + relative * std::fabs(expected[i]));
    }
    if (excess > worst) {
      worst = excess;
      at = i;
    }
  }
  if (actual.empty()) return;
  CHECK_MESSAGE(worst <= 1, what, "[", at, "] is ", actual[at], ", expected ", expected[at], ": ", worst,
                " times the bound");
}

std::vector<float> random_floats(std::size_t n, unsigned seed, float lo, float hi) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(lo, hi);
  std::vector<float> values(n);
  for (float& v : values) v = uniform(generator);
  return values;
}

std::vector<double> as_doubles(const std::vector<float>& values) {
  return std::vector<double>(values.begin(), values.end());
}

}  // namespace inocula::test
