// What every suite of benchmarks is made of: its flags, its device, the machine's name in its results, its
// exit code.
#pragma once

#include <functional>
#include <string>

#include "bench/roofs.h"
#include "engine/device.h"

namespace inocula::bench {

/// What benchmarks run on; outlives them all.
struct Suite {
  Device device;
  Extent extent = Extent::full;
  std::string data;  ///< a data set of the user's; empty where none was given
  Roofs roofs;
};

/// The whole of a suite's main(): Google Benchmark's own flags (--benchmark_filter, --benchmark_out, …) and
///
///   --device=cuda:0  where to run; cpu unless said otherwise
///   --threads=N      CPU threads; all cores unless said otherwise
///   --data=FILE      images for suites that read some
///   --quick          Extent::quick
///
/// `add` registers the benchmarks. Exits as the program does (tools/exit_code.h), with 64 also where no
/// benchmark matches the filter.
int run_suite(int argc, char** argv, const std::function<void(Suite&)>& add);

}  // namespace inocula::bench
