// The explicit list of devices; static registration would vanish from a static library.
#include "engine/device.h"

#include <sched.h>

#include <algorithm>

#include "engine/backends/cpu/backend.h"
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
    return Device(name, threads, cpu::make_backend(kernels, threads), kernels);
  }
  if (name.rfind("cuda", 0) == 0)
    fail(ErrorKind::missing_package, "device '", name, "': this build computes on the CPU only");
  fail(ErrorKind::usage, "device '", name, "' is unknown, expected cpu");
}

std::vector<DeviceReport> list_devices() {
  const KernelTable& kernels = pick_kernels("");
  return {{"cpu", true,
           cpu::describe_machine() + "\nkernels: " + kernels.target +
               "\ncores: " + std::to_string(available_cores())}};
}

}  // namespace inocula
