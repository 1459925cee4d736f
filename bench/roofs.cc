// Counters beside the roofs.
#include "bench/roofs.h"

#include "tools/roof.h"

namespace inocula::bench {

namespace {

benchmark::Counter rate(double an_iteration) {
  return {an_iteration, benchmark::Counter::kIsIterationInvariantRate};
}

}  // namespace

std::int64_t array_floats(const Device& device, Extent extent) {
  if (extent == Extent::quick) return std::int64_t{1} << 18;
  return std::int64_t{1} << (device.name() == "cpu" ? 25 : 27);
}

double Roofs::copy_gbps() {
  const auto bytes = static_cast<std::size_t>(array_floats(device_, extent_)) * sizeof(float);
  if (from_.bytes() == 0) {
    from_ = Buffer(device_, bytes);
    to_ = Buffer(device_, bytes);
  }
  return measure_copy_gbps(device_, from_, to_);
}

double Roofs::fp32_gflops() {
  return measure_fp32_gflops(device_, extent_ == Extent::quick ? 1e-3 : 1);
}

void Roofs::count_bytes(benchmark::State& state, double bytes) {
  state.counters["GB/s"] = rate(1e-9 * bytes);
  state.counters["share_of_copy"] = rate(1e-9 * bytes / copy_gbps());
}

void Roofs::count_operations(benchmark::State& state, double operations) {
  state.counters["GFLOP/s"] = rate(1e-9 * operations);
  state.counters["share_of_peak"] = rate(1e-9 * operations / fp32_gflops());
}

}  // namespace inocula::bench
