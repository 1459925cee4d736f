// What tests of networks share: devices, random images, one recorded pass of a network, comparisons.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/network.h"
#include "engine/recording.h"
#include "engine/reference.h"
#include "engine/source.h"

namespace inocula::test {

/// The CPU with the machine's best instruction set and one thread: tests run side by side.
const Device& cpu();
/// The same with two threads.
const Device& cpu_of_two_threads();
/// One thread and direct convolutions alone: what is held to the last digits, or to its last bytes of scratch.
const Device& precise_cpu();
/// A device beside the CPU that networks are to agree on: a GPU. It must outlive the tests.
void add_device(const Device& device);
const std::vector<const Device*>& added_devices();

/// Uniform on [0, 1).
std::vector<float> random_images(const Shape& shape, unsigned seed);
std::vector<std::int32_t> random_labels(std::int64_t count, std::int64_t classes, unsigned seed);
/// Random bytes and labels; every class occurs where there are images enough.
ImageSplit random_split(std::int64_t count, const Shape& image, std::int64_t classes, unsigned seed);

/// Initialises the weights and gives every batch norm weights, biases and statistics of its own.
void randomize(Network& network, std::uint64_t seed);

/// What a recorded forward and backward of the cross-entropy left behind.
struct NetworkPass {
  std::vector<float> logits, loss;
  std::vector<std::int32_t> predicted;
  std::vector<float> dimages;  ///< empty where the mode asks for no gradient of the images
  std::map<std::string, std::vector<float>> dweights;  ///< empty where it asks for none of the parameters
};
NetworkPass run_pass(Network& network, const std::vector<float>& images,
                     const std::vector<std::int32_t>& label, RecordingMode mode, Reduction reduction);

/// Buffers of a network's numbers, gaps included.
std::vector<float> all_weights(const Network& network);
std::vector<float> all_statistics(const Network& network);
std::vector<float> find_weight(const Network& network, const std::string& name);
void set_weight(Network& network, const std::string& name, const std::vector<float>& values);

std::vector<double> to_doubles(const std::vector<float>& values);

/// ||actual - expected||_2 / ||expected||_2; infinite where the sizes differ or a number is not finite.
double relative_error(const std::vector<float>& actual, const std::vector<double>& expected);

/// The upper one of two in the middle.
double median(std::vector<double> values);

double root_mean_square(const std::vector<double>& x);

/// Relative error of each array of gradients. An array whose entries cancel (a linear layer's bias, or one
/// before batch statistics, whose gradient is 0) is measured against a hundredth of the largest array's root
/// mean square.
std::map<std::string, double> gradient_errors(const std::map<std::string, std::vector<float>>& actual,
                                              const std::map<std::string, std::vector<double>>& expected);

/// Decisions that single precision may take differently from double: ReLUs near 0, near ties in a pooling
/// window. Near is what rounding can bridge: 1e-5 of the array's root mean square.
std::int64_t count_near_kinks(const Graph& graph, const ReferenceTrace& trace);

/// Whether two arrays are the same, bit for bit.
template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b);

/// The kind and text of the Error that f throws; a failed check where it throws none.
struct Thrown {
  ErrorKind kind = ErrorKind::internal;
  std::string text;
};
template <class F>
Thrown thrown_by(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return {e.kind(), e.what()};
  }
  FAIL_CHECK("expected an Error, none was thrown");
  return {};
}

/// CHECKs that f throws an Error of that kind whose text is one line that contains `part`.
template <class F>
void check_throws(ErrorKind kind, const std::string& part, F&& f) {
  const Thrown thrown = thrown_by(f);
  CAPTURE(thrown.text);
  CHECK(static_cast<int>(thrown.kind) == static_cast<int>(kind));
  CHECK(thrown.text.find(part) != std::string::npos);
  CHECK(thrown.text.find('\n') == std::string::npos);
}

}  // namespace inocula::test
