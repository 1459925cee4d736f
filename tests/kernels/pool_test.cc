// Pooling against the double reference: windows, strides, padding, ties, NaN, and every backward pass.
#include <algorithm>
#include <cmath>

#include "tests/kernels/activations.h"
#include "tests/kernels/harness.h"
#include "tests/kernels/reference.h"

namespace inocula::test {
namespace {

/// Sums of at most 49 terms of order 1 in float.
constexpr double kBound = 49 * kFloatEpsilon;

std::vector<PoolWindow> windows() {
  return {
      {.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2},
      {.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1},
      {.kernel_h = 3, .kernel_w = 2, .stride_h = 1, .stride_w = 3, .pad_h = 1, .pad_w = 0},
      {.kernel_h = 1, .kernel_w = 1, .stride_h = 3, .stride_w = 2},
      {.kernel_h = 5, .kernel_w = 7, .stride_h = 1, .stride_w = 1, .pad_h = 2, .pad_w = 3},
  };
}

/// Calls f(in, out, window) for every shape and window that fit together.
template <class F>
void each_pool(F&& f) {
  for (const PlaneShape& in : plane_shapes()) {
    for (const PoolWindow& w : windows()) {
      PlaneShape out = in;
      if (in.height + 2 * w.pad_h < w.kernel_h || in.width + 2 * w.pad_w < w.kernel_w) continue;
      out.height = (in.height + 2 * w.pad_h - w.kernel_h) / w.stride_h + 1;
      out.width = (in.width + 2 * w.pad_w - w.kernel_w) / w.stride_w + 1;
      CAPTURE(to_string(in));
      CAPTURE(w.kernel_h);
      CAPTURE(w.stride_w);
      f(in, out, w);
    }
  }
}

struct Pooled {
  std::vector<float> y, arg;
};

Pooled max_pool(const Planes& x, const PlaneShape& in, const PlaneShape& out, const PoolWindow& window) {
  const std::size_t size = static_cast<std::size_t>(out.size());
  const Outputs result = same_everywhere([&](const Run& run) {
    Planes y(out), y_alone(out);
    Guarded<std::uint8_t> arg(size, 0xFF);
    MaxPool args{.x = x.data(), .y = y.data(), .arg = arg.data(), .in = in, .out = out, .window = window};
    run.kernels.max_pool(run.queue, args);
    args.y = y_alone.data();
    args.arg = nullptr;
    run.kernels.max_pool(run.queue, args);
    CHECK(difference_in_bits({y.values()}, {y_alone.values()}) == "");
    return Outputs{y.values(), as_floats(arg.values())};
  });
  return {result[0], result[1]};
}

TEST_CASE("max_pool agrees with the double reference, its winners included") {
  each_pool([](const PlaneShape& in, const PlaneShape& out, const PoolWindow& window) {
    Dense x = random_dense(in, 1);
    // Coarse values make ties; a few NaN and infinities.
    for (double& v : x.v) v = std::round(4 * v);
    for (std::size_t i = 5; i < x.v.size(); i += 37) x.v[i] = i % 2 == 0 ? kNan : -kInfinity;
    const Pooled pooled = max_pool(to_planes(x, in), in, out, window);
    const MaxPooled expected = test::max_pool(x, window);
    check_near(from_planes(pooled.y, out), expected.y.v, 0, 0, "y");
    CHECK(padding_is_zero(pooled.y, out));
    CHECK(from_planes(pooled.arg, out) == as_floats(expected.cell));
  });
}

TEST_CASE("max_pool_backward agrees with the double reference") {
  each_pool([](const PlaneShape& in, const PlaneShape& out, const PoolWindow& window) {
    Dense x = random_dense(in, 1);
    for (double& v : x.v) v = std::round(4 * v);
    const Dense dy = random_dense(out, 2), add = random_dense(in, 3);
    const Planes x_planes = to_planes(x, in), dy_planes = to_planes(dy, out), add_planes = to_planes(add, in);
    const std::vector<float> arg_floats = max_pool(x_planes, in, out, window).arg;
    const std::vector<std::uint8_t> arg(arg_floats.begin(), arg_floats.end()),
        bits = positive_bits(x_planes.values());
    for (const bool joined : {false, true}) {
      const Outputs result = same_everywhere([&](const Run& run) {
        Planes dx(in);
        run.kernels.max_pool_backward(run.queue, {.dy = dy_planes.data(),
                                                  .arg = arg.data(),
                                                  .add = joined ? add_planes.data() : nullptr,
                                                  .positive = joined ? bits.data() : nullptr,
                                                  .dx = dx.data(),
                                                  .in = in,
                                                  .out = out,
                                                  .window = window});
        return Outputs{dx.values()};
      });
      std::vector<double> dx = test::max_pool_backward(x, dy, window).v;
      for (std::size_t i = 0; i < dx.size(); ++i)
        if (joined) dx[i] = x.v[i] > 0 ? dx[i] + add.v[i] : 0;
      check_near(from_planes(result[0], in), dx, kBound + storage_error(in), kBound, "dx");
      CHECK(padding_is_zero(result[0], in));
    }
  });
}

TEST_CASE("average_pool and its gradient agree with the double reference") {
  each_pool([](const PlaneShape& in, const PlaneShape& out, const PoolWindow& window) {
    const Dense x = random_dense(in, 1), dy = random_dense(out, 2), add = random_dense(in, 3);
    const Planes x_planes = to_planes(x, in), dy_planes = to_planes(dy, out), add_planes = to_planes(add, in);
    const std::vector<std::uint8_t> bits = positive_bits(x_planes.values());
    for (const bool joined : {false, true}) {
      const Outputs result = same_everywhere([&](const Run& run) {
        Planes y(out), dx(in);
        run.kernels.average_pool(
            run.queue, {.x = x_planes.data(), .y = y.data(), .in = in, .out = out, .window = window});
        run.kernels.average_pool_backward(run.queue, {.dy = dy_planes.data(),
                                                      .add = joined ? add_planes.data() : nullptr,
                                                      .positive = joined ? bits.data() : nullptr,
                                                      .dx = dx.data(),
                                                      .in = in,
                                                      .out = out,
                                                      .window = window});
        return Outputs{y.values(), dx.values()};
      });
      check_near(from_planes(result[0], out), average_pool(x, window).v, kBound + storage_error(out), kBound,
                 "y");
      std::vector<double> dx = average_pool_backward(dy, in.height, in.width, window).v;
      for (std::size_t i = 0; i < dx.size(); ++i)
        if (joined) dx[i] = x.v[i] > 0 ? dx[i] + add.v[i] : 0;
      check_near(from_planes(result[1], in), dx, kBound + storage_error(in), kBound, "dx");
      CHECK(padding_is_zero(result[0], out));
      CHECK(padding_is_zero(result[1], in));
    }
  });
}

TEST_CASE("global_average_pool and its gradient agree with the double reference") {
  for (const PlaneShape& shape : plane_shapes()) {
    CAPTURE(to_string(shape));
    const Dense x = random_dense(shape, 1), add = random_dense(shape, 3);
    const std::size_t pixels = static_cast<std::size_t>(shape.pixels());
    const std::vector<float> dy = random_floats(x.v.size() / pixels, 2);
    const Planes x_planes = to_planes(x, shape), add_planes = to_planes(add, shape);
    const std::vector<std::uint8_t> bits = positive_bits(x_planes.values());
    for (const bool joined : {false, true}) {
      const Outputs result = same_everywhere([&](const Run& run) {
        Guarded<float> y(dy.size(), kNan);
        Planes dx(shape);
        run.kernels.global_average_pool(run.queue, {.x = x_planes.data(), .y = y.data(), .in = shape});
        run.kernels.global_average_pool_backward(run.queue, {.dy = dy.data(),
                                                             .add = joined ? add_planes.data() : nullptr,
                                                             .positive = joined ? bits.data() : nullptr,
                                                             .dx = dx.data(),
                                                             .in = shape});
        return Outputs{y.values(), dx.values()};
      });
      std::vector<double> y(dy.size(), 0.0), dx;
      for (std::size_t i = 0; i < x.v.size(); ++i) {
        y[i / pixels] += x.v[i] / static_cast<double>(pixels);
        const double share = dy[i / pixels] / static_cast<double>(pixels);
        dx.push_back(!joined ? share : (x.v[i] > 0 ? share + add.v[i] : 0));
      }
      check_near(result[0], y, kBound, kBound, "y");
      check_near(from_planes(result[1], shape), dx, kBound + storage_error(shape), kBound, "dx");
      CHECK(padding_is_zero(result[1], shape));
    }
  }
}

TEST_CASE("the references' gradients are the derivatives of their forwards") {
  const PlaneShape shape{.batch = 2, .channels = 2, .height = 5, .width = 6, .block = 1};
  for (const PoolWindow& window : windows()) {
    Dense x = random_dense(shape, 1);
    Dense dy = average_pool(x, window);
    dy.v = as_doubles(random_floats(dy.v.size(), 2));
    CHECK(finite_difference_error(x.v, max_pool_backward(x, dy, window).v, [&] {
            return dot(test::max_pool(x, window).y.v, dy.v);
          }) <= kFiniteDifferenceBound);
    CHECK(finite_difference_error(x.v, average_pool_backward(dy, 5, 6, window).v, [&] {
            return dot(average_pool(x, window).v, dy.v);
          }) <= kFiniteDifferenceBound);
  }
}

}  // namespace
}  // namespace inocula::test
