// The fully connected layer against plain loops in double.
#include <cmath>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

/// Terms of order 1, added in float in chunks of at most 64: their roundings grow with the root of the
/// number.
double bound(std::int64_t terms) {
  return 4 * kFloatEpsilon * std::sqrt(static_cast<double>(terms));
}
/// Rounding the sum itself, and the sum with what it is added to.
constexpr double kRelative = 2 * kFloatEpsilon;

struct Size {
  std::int64_t rows, in, out;
};

const Size kSizes[] = {{1, 1, 1},     {3, 7, 2},     {5, 512, 10}, {64, 17, 14},
                       {33, 100, 40}, {70, 1500, 3}, {2, 40, 1000}};

std::size_t at(std::int64_t row, std::int64_t cols, std::int64_t col) {
  return static_cast<std::size_t>(row * cols + col);
}

TEST_CASE("the linear layer agrees with the double reference") {
  for (const Size& s : kSizes) {
    CAPTURE(s.rows);
    CAPTURE(s.in);
    CAPTURE(s.out);
    const std::vector<float> x = random_floats(at(s.rows, s.in, 0), 1),
                             w = random_floats(at(s.out, s.in, 0), 2);
    const std::vector<float> bias = random_floats(at(s.out, 1, 0), 3),
                             dy = random_floats(at(s.rows, s.out, 0), 4);
    const std::vector<float> dw_before = random_floats(w.size(), 5),
                             dbias_before = random_floats(bias.size(), 6);
    const Outputs out = same_everywhere([&](const Run& run) {
      Guarded<float> y(dy.size(), kNan), plain_y(dy.size(), kNan), dx(x.size(), kNan);
      Guarded<float> dw(dw_before), dw_alone(dw_before), dbias(dbias_before);
      run.kernels.linear_forward(run.queue, {x.data(), w.data(), bias.data(), y.data(), s.rows, s.in, s.out});
      run.kernels.linear_forward(run.queue,
                                 {x.data(), w.data(), nullptr, plain_y.data(), s.rows, s.in, s.out});
      run.kernels.linear_backward_data(run.queue, {dy.data(), w.data(), dx.data(), s.rows, s.in, s.out});
      run.kernels.linear_backward_params(run.queue,
                                         {x.data(), dy.data(), dw.data(), dbias.data(), s.rows, s.in, s.out});
      run.kernels.linear_backward_params(
          run.queue, {x.data(), dy.data(), dw_alone.data(), nullptr, s.rows, s.in, s.out});
      CHECK(difference_in_bits({dw.values()}, {dw_alone.values()}) == "");
      return Outputs{y.values(), plain_y.values(), dx.values(), dw.values(), dbias.values()};
    });
    std::vector<double> y(dy.size(), 0.0), biased(dy.size(), 0.0), dx(x.size(), 0.0);
    std::vector<double> dw = as_doubles(dw_before), dbias = as_doubles(dbias_before);
    for (std::int64_t r = 0; r < s.rows; ++r) {
      for (std::int64_t o = 0; o < s.out; ++o) {
        const std::size_t ro = at(r, s.out, o);
        for (std::int64_t i = 0; i < s.in; ++i) {
          y[ro] += double{x[at(r, s.in, i)]} * w[at(o, s.in, i)];
          dx[at(r, s.in, i)] += double{dy[ro]} * w[at(o, s.in, i)];
          dw[at(o, s.in, i)] += double{dy[ro]} * x[at(r, s.in, i)];
        }
        biased[ro] = y[ro] + bias[static_cast<std::size_t>(o)];
        dbias[static_cast<std::size_t>(o)] += dy[ro];
      }
    }
    check_near(out[0], biased, kRelative, bound(s.in), "y");
    check_near(out[1], y, kRelative, bound(s.in), "y without bias");
    check_near(out[2], dx, kRelative, bound(s.out), "dx");
    check_near(out[3], dw, kRelative, bound(s.rows), "dw");
    check_near(out[4], dbias, kRelative, bound(s.rows), "dbias");
  }
}

TEST_CASE("a sample's outputs do not depend on its batch") {
  const std::vector<float> x = random_floats(64 * 300, 1), w = random_floats(10 * 300, 2),
                           dy = random_floats(64 * 10, 3);
  const Run run = runs().back();
  std::vector<float> y(640), dx(64 * 300), y_alone(10), dx_alone(300);
  run.kernels.linear_forward(run.queue, {x.data(), w.data(), nullptr, y.data(), 64, 300, 10});
  run.kernels.linear_backward_data(run.queue, {dy.data(), w.data(), dx.data(), 64, 300, 10});
  for (const std::ptrdiff_t row : {0, 17, 63}) {
    run.kernels.linear_forward(run.queue,
                               {x.data() + row * 300, w.data(), nullptr, y_alone.data(), 1, 300, 10});
    run.kernels.linear_backward_data(run.queue,
                                     {dy.data() + row * 10, w.data(), dx_alone.data(), 1, 300, 10});
    CHECK(std::equal(y_alone.begin(), y_alone.end(), y.begin() + row * 10));
    CHECK(std::equal(dx_alone.begin(), dx_alone.end(), dx.begin() + row * 300));
  }
}

}  // namespace
}  // namespace inocula::test
