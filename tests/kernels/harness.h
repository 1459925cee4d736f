// What all kernel tests share: every target this machine runs, guarded buffers, and comparisons that name the
// worst.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/tables.h"

namespace inocula::test {

/// A kernel table that runs on this machine.
struct Target {
  std::string name;
  const KernelTable* table = nullptr;
};

/// The built targets that this processor can run; the others are counted and printed by table_test.cc.
const std::vector<Target>& targets();

/// A target beside those of this processor: a GPU's. Its launches must return when the work is done.
void add_target(Target target);

/// One way to run a kernel: a target and a number of threads, or their order.
struct Run {
  std::string name;
  const KernelTable& kernels;
  Queue queue;
};

/// Every target with one and with two threads; the emulation of CUDA, which has its own, in two orders. A
/// test of very many rows says how many: the emulation is slow. It then runs once, with the orders taking
/// turns, and under AddressSanitizer, where that would still take minutes, not at all.
std::vector<Run> runs(std::int64_t rows = 1);

/// Memory whose every write outside its bounds is noticed: by marks on both sides, and under AddressSanitizer
/// by having no room on the sides at all.
template <class T>
class Guarded {
 public:
  explicit Guarded(std::size_t size, T value = T{}) : size_(size), all_(size + 2 * kRoom, value) {
    if (kRoom == 0) return;
    std::memset(static_cast<void*>(all_.data()), kMark, kRoom * sizeof(T));
    std::memset(static_cast<void*>(data() + size_), kMark, kRoom * sizeof(T));
  }
  explicit Guarded(const std::vector<T>& from) : Guarded(from.size()) {
    std::copy(from.begin(), from.end(), data());
  }

  T* data() { return all_.data() + kRoom; }
  const T* data() const { return all_.data() + kRoom; }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) { return data()[i]; }
  const T& operator[](std::size_t i) const { return data()[i]; }

  /// The contents, once it is certain that nothing was written beside them.
  std::vector<T> values() const {
    const unsigned char* before = reinterpret_cast<const unsigned char*>(all_.data());
    const unsigned char* after = reinterpret_cast<const unsigned char*>(data() + size_);
    bool intact = true;
    for (std::size_t i = 0; i < kRoom * sizeof(T); ++i)
      intact = intact && before[i] == kMark && after[i] == kMark;
    CHECK_MESSAGE(intact, "a kernel wrote beside its buffer");
    return std::vector<T>(data(), data() + size_);
  }

 private:
#if defined(__SANITIZE_ADDRESS__)
  static constexpr std::size_t kRoom = 0;
#else
  static constexpr std::size_t kRoom = 64;
#endif
  static constexpr unsigned char kMark = 0xA5;
  std::size_t size_;
  std::vector<T> all_;
};

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// A kernel's results: several arrays, compared one by one.
using Outputs = std::vector<std::vector<float>>;

template <class T>
std::vector<float> as_floats(const std::vector<T>& values) {
  return std::vector<float>(values.begin(), values.end());
}

/// The first difference in bits between two results, or an empty text.
std::string difference_in_bits(const Outputs& a, const Outputs& b);

/// Runs f(run) in each of the runs(rows); all have to answer the same to the bit. Returns the answer.
template <class F>
Outputs same_everywhere(F&& f, std::int64_t rows = 1) {
  const std::vector<Run> all = runs(rows);
  const Outputs first = f(all.front());
  for (std::size_t i = 1; i < all.size(); ++i) {
    const std::string difference = difference_in_bits(first, f(all[i]));
    CHECK_MESSAGE(difference.empty(), all[i].name, " against ", all.front().name, ": ", difference);
  }
  return first;
}

/// |actual - expected| <= absolute + relative |expected| for every element; NaN only where NaN is expected.
void check_near(const std::vector<float>& actual, const std::vector<double>& expected, double relative,
                double absolute, const std::string& what);

/// Random floats, uniform on [lo, hi).
std::vector<float> random_floats(std::size_t n, unsigned seed, float lo = -1, float hi = 1);

std::vector<double> as_doubles(const std::vector<float>& values);

/// Relative error of one float operation.
inline constexpr double kFloatEpsilon = 0x1p-24;

}  // namespace inocula::test
