// The explicit list of devices; static registration would vanish from a static library.
#include "engine/device.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <system_error>

#include "engine/backends/cpu/backend.h"
#if defined(INOCULA_CUDA_BACKEND)
#include "engine/backends/cuda/backend.h"
#endif
#include "engine/error.h"
#include "kernels/tables.h"

namespace inocula {

namespace {

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

struct InstructionSet {
  const char* name;
  bool supported;
  const KernelTable& (*table)();
};

/// Best first.
std::vector<InstructionSet> instruction_sets() {
  std::vector<InstructionSet> sets;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  sets.push_back({"avx512", avx512, &cpu_avx512::kernel_table});
  sets.push_back({"avx2", avx2, &cpu_avx2::kernel_table});
#endif
  sets.push_back({"baseline", true, &cpu_baseline::kernel_table});
  return sets;
}

const KernelTable& pick_kernels(const std::string& wanted) {
  std::string known;
  for (const InstructionSet& set : instruction_sets()) {
    if (wanted.empty() ? set.supported : wanted == set.name && set.supported) return set.table();
    known +=
        std::string(known.empty() ? "" : ", ") + set.name + (set.supported ? "" : " (not on this machine)");
  }
  fail(ErrorKind::missing_package, "instruction set '", wanted, "' cannot be used; there are: ", known);
}

/// N of "cuda:N" without leading zeros; "cuda" is "cuda:0".
std::optional<int> cuda_ordinal(const std::string& name) {
  if (name == "cuda") return 0;
  if (name.rfind("cuda:", 0) != 0) return std::nullopt;
  int ordinal = -1;
  const char* const end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + 5, end, ordinal);
  if (error != std::errc{} || rest != end || ordinal < 0 || name != "cuda:" + std::to_string(ordinal))
    return std::nullopt;
  return ordinal;
}

#if defined(INOCULA_CUDA_BACKEND)

Device open_cuda(int ordinal, const DeviceOptions& o) {
  const KernelTable& kernels = cuda::kernel_table();
  return Device(
      "cuda:" + std::to_string(ordinal), 1,
      cuda::make_backend(kernels, {ordinal,
                                   {o.determinism, o.tf32.value_or(o.determinism == Determinism::fast)},
                                   o.stream,
                                   o.allocator}),
      kernels);
}

#else

constexpr const char* kBuiltWithoutCuda = "this build computes on the CPU only (docs/building.md)";

Device open_cuda(int ordinal, const DeviceOptions&) {
  fail(ErrorKind::missing_package, "device 'cuda:", ordinal, "': ", kBuiltWithoutCuda);
}

#endif

}  // namespace

Device::Device(std::string name, int threads, std::unique_ptr<Backend> backend, const KernelTable& kernels)
    : name_(std::move(name)), threads_(threads), backend_(std::move(backend)), kernels_(&kernels) {}

Device Device::open(const std::string& name, const DeviceOptions& options) {
  // OpenMP ends the process where the system has no room for a thread. 64 are allowed on any machine, so that
  // a run from a larger one, which goes on with its own number alone, can be resumed.
  const int most = std::max(64, 4 * available_cores());
  if (options.threads < 0 || options.threads > most)
    fail(ErrorKind::usage, "threads is ", options.threads, ", expected 0 (every core) to ", most,
         " on this machine");
  if (name == "cpu") {
    const int threads = options.threads > 0 ? options.threads : available_cores();
    const KernelTable& kernels = pick_kernels(options.instruction_set);
    return Device(name, threads, cpu::make_backend(kernels, threads, options.precise), kernels);
  }
  if (const std::optional<int> ordinal = cuda_ordinal(name)) return open_cuda(*ordinal, options);
  fail(ErrorKind::usage, "device '", name, "' is unknown, expected cpu or cuda:N, such as cuda:0");
}

std::vector<DeviceReport> list_devices() {
  const KernelTable& kernels = pick_kernels("");
  std::vector<DeviceReport> list{{"cpu", true,
                                  cpu::describe_machine() + "\nkernels: " + kernels.target +
                                      "\ncores: " + std::to_string(available_cores())}};
#if defined(INOCULA_CUDA_BACKEND)
  for (DeviceReport& found : cuda::find_devices(cuda::kernel_table())) list.push_back(std::move(found));
#else
  list.push_back({"cuda", false, kBuiltWithoutCuda});
#endif
  return list;
}

}  // namespace inocula
