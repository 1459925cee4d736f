// What becomes of CUDA's status codes; needs neither GPU nor driver.
#include "engine/backends/cuda/check.h"

#include <doctest/doctest.h>

#include <string>

namespace inocula::cuda {
namespace {

template <class Call>
std::string text_of(ErrorKind kind, const Call& call) {
  try {
    call();
  } catch (const Error& e) {
    CHECK(static_cast<int>(e.kind()) == static_cast<int>(kind));
    return e.what();
  }
  FAIL_CHECK("expected an Error, none was thrown");
  return {};
}

TEST_CASE("check: success is nothing, an error names the call, the status and the line") {
  check(cudaSuccess, "fine");
  const std::string text =
      text_of(ErrorKind::internal, [] { check(cudaErrorIllegalAddress, "waiting for cuda:", 1); });
  CAPTURE(text);
  CHECK(text.starts_with("waiting for cuda:1: "));
  CHECK(text.find("(cudaErrorIllegalAddress, ") != std::string::npos);
  CHECK(text.find("check_test.cc:") != std::string::npos);
  CHECK(text.find('\n') == std::string::npos);
}

TEST_CASE("check: memory that the runtime itself lacks is no internal error") {
  const std::string text = text_of(ErrorKind::missing_package, [] {
    check(cudaErrorMemoryAllocation, "cudaGraphInstantiate of a graph of 3 steps");
  });
  CAPTURE(text);
  CHECK(text.starts_with("out of memory on the GPU: "));
  CHECK(text.find("wanted by cudaGraphInstantiate of a graph of 3 steps; a smaller batch") !=
        std::string::npos);
}

}  // namespace
}  // namespace inocula::cuda
