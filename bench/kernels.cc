// Every kernel of the table, in bytes a second beside the copy bandwidth measured right before it.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "bench/kernel_cases.h"
#include "bench/suite.h"

namespace inocula::bench {

namespace {

template <class Args>
void add(Suite& suite, const std::shared_ptr<Arrays>& arrays, const char* name,
         void (*kernel)(const Queue&, const Args&), const std::vector<KernelCase<Args>>& cases) {
  for (const KernelCase<Args>& c : cases) {
    const std::string title = std::string("kernel/") + name + (c.variant.empty() ? "" : "/" + c.variant);
    benchmark::RegisterBenchmark(title.c_str(),
                                 [&suite, arrays, kernel, make = c.make](benchmark::State& state) {
                                   const KernelWork<Args> work = make(*arrays);
                                   if (work.bytes > 0) suite.roofs.count_bytes(state, work.bytes);
                                   if (work.operations > 0)
                                     suite.roofs.count_operations(state, work.operations);
                                   const std::unique_ptr<Stopwatch> watch =
                                       suite.device.backend().make_stopwatch();
                                   for (auto _ : state) {
                                     suite.device.backend().run([&](const Queue& queue) {
                                       if (work.before) suite.device.kernels().fill(queue, *work.before);
                                       watch->begin();
                                       kernel(queue, work.args);
                                       watch->end();
                                     });
                                     state.SetIterationTime(watch->laps().front());
                                   }
                                 })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
}

void add_kernels(Suite& suite) {
  const auto arrays = std::make_shared<Arrays>(suite.device, suite.extent);
#define INOCULA_ADD_KERNEL(name, Args) \
  add<Args>(suite, arrays, #name, suite.device.kernels().name, cases::name());
  INOCULA_KERNELS(INOCULA_ADD_KERNEL)
#undef INOCULA_ADD_KERNEL
}

}  // namespace

}  // namespace inocula::bench

int main(int argc, char** argv) {
  return inocula::bench::run_suite(argc, argv, inocula::bench::add_kernels);
}
