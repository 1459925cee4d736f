// The entry point of the engine's tests on a GPU; without one it says so.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

#include "tests/cuda/gpu.h"
#include "tests/engine/harness.h"

int main(int argc, char** argv) {
  if (inocula::test::count_gpus() == 0) {
    std::puts("skipped: no NVIDIA GPU on this machine");
    return 0;
  }
  const inocula::Device gpu = inocula::Device::open("cuda:0");
  inocula::test::add_device(gpu);
  doctest::Context context(argc, argv);
  return context.run();
}
