// Bodies of the activations for tests.
#include "tests/kernels/activations.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "tests/kernels/harness.h"

namespace inocula::test {

Planes::Planes(const PlaneShape& shape, float value)
    : Planes(std::vector<float>(static_cast<std::size_t>(shape.size()), value), shape.element) {}

Planes::Planes(const std::vector<float>& values, Element element)
    : element_(element), bytes_(values.size() * element_bytes(element)) {
  for (std::size_t i = 0; i < values.size(); ++i) set(i, values[i]);
}

void Planes::set(std::size_t i, float value) {
  // The upper half of a float that bf16 holds exactly is that bf16.
  const float rounded = nearest(value, element_);
  const std::size_t bytes = element_bytes(element_);
  std::memcpy(bytes_.data() + i * bytes,
              reinterpret_cast<const unsigned char*>(&rounded) + sizeof(float) - bytes, bytes);
}

std::vector<float> Planes::values() const {
  const std::vector<std::uint8_t> stored = bytes_.values();
  std::vector<float> values(size(), 0.0f);
  const std::size_t bytes = element_bytes(element_);
  for (std::size_t i = 0; i < values.size(); ++i)
    std::memcpy(reinterpret_cast<unsigned char*>(&values[i]) + sizeof(float) - bytes,
                stored.data() + i * bytes, bytes);
  return values;
}

float nearest(float v, Element element) {
  if (element == Element::f32 || std::isnan(v) || std::isinf(v)) return v;
  std::uint32_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  const auto neighbour = [&](std::uint32_t add) {
    const std::uint32_t upper = (bits & 0xFFFF0000u) + (add << 16);
    float f;
    std::memcpy(&f, &upper, sizeof f);
    return f;
  };
  const float inner = neighbour(0), outer = neighbour(1);
  // Where the outer one is infinity, the number that would follow the largest counts.
  const double beyond = std::isinf(outer) ? std::copysign(std::ldexp(1.0, 128), v) : double{outer};
  const double to_inner = std::fabs(double{v} - inner), to_outer = std::fabs(beyond - v);
  const bool inner_is_even = (bits >> 16 & 1) == 0;
  return to_inner < to_outer || (to_inner == to_outer && inner_is_even) ? inner : outer;
}

double storage_error(const PlaneShape& shape) {
  return shape.element == Element::bf16 ? 0x1p-8 : 0;
}

std::vector<PlaneShape> plane_shapes() {
  std::vector<PlaneShape> shapes;
  for (const std::int64_t channels : {1, 3, 8, 16, 17, 40, 48}) {
    std::vector<std::int64_t> blocks = {1, 8, 16, channels};
    std::sort(blocks.begin(), blocks.end());
    blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
    for (const std::int64_t block : blocks) {
      shapes.push_back({.batch = 3, .channels = channels, .height = 5, .width = 7, .block = block});
      shapes.push_back({.batch = 2, .channels = channels, .height = 1, .width = 1, .block = block});
    }
  }
  for (const std::int64_t block : {1, 8, 16, 20, 32})
    shapes.push_back({.batch = 3, .channels = 20, .height = 11, .width = 13, .block = block});
  const std::vector<PlaneShape> in_floats = shapes;
  for (PlaneShape shape : in_floats) {
    shape.element = Element::bf16;
    shapes.push_back(shape);
  }
  return shapes;
}

std::vector<PlaneShape> batch_shapes() {
  std::vector<PlaneShape> shapes = plane_shapes();
  for (const std::int64_t batch : {100, 600})
    for (const std::int64_t block : {16, 20})
      shapes.push_back({.batch = batch, .channels = 20, .height = 1, .width = 2, .block = block});
  return shapes;
}

std::int64_t index_of(const PlaneShape& shape, std::int64_t n, std::int64_t c, std::int64_t pixel) {
  const std::int64_t plane = n * shape.blocks() + c / shape.block;
  return plane * shape.plane_size() + pixel * shape.block + c % shape.block;
}

Dense random_dense(const PlaneShape& shape, unsigned seed, float lo, float hi) {
  Dense dense(shape.batch, shape.channels, shape.height, shape.width);
  dense.v = as_doubles(random_floats(dense.v.size(), seed, lo, hi));
  for (double& v : dense.v) v = nearest(static_cast<float>(v), shape.element);
  return dense;
}

Planes to_planes(const Dense& dense, const PlaneShape& shape) {
  Planes planes(shape, 0);
  std::size_t i = 0;
  for (std::int64_t n = 0; n < shape.batch; ++n)
    for (std::int64_t c = 0; c < shape.channels; ++c)
      for (std::int64_t p = 0; p < shape.pixels(); ++p)
        planes.set(static_cast<std::size_t>(index_of(shape, n, c, p)), static_cast<float>(dense.v[i++]));
  return planes;
}

std::vector<float> from_planes(const std::vector<float>& planes, const PlaneShape& shape) {
  std::vector<float> dense;
  for (std::int64_t n = 0; n < shape.batch; ++n)
    for (std::int64_t c = 0; c < shape.channels; ++c)
      for (std::int64_t p = 0; p < shape.pixels(); ++p)
        dense.push_back(planes[static_cast<std::size_t>(index_of(shape, n, c, p))]);
  return dense;
}

bool padding_is_zero(const std::vector<float>& planes, const PlaneShape& shape) {
  for (std::int64_t n = 0; n < shape.batch; ++n)
    for (std::int64_t c = shape.channels; c < shape.blocks() * shape.block; ++c)
      for (std::int64_t p = 0; p < shape.pixels(); ++p)
        if (planes[static_cast<std::size_t>(index_of(shape, n, c, p))] != 0) return false;
  return true;
}

std::vector<float> padded(const std::vector<float>& values, const PlaneShape& shape) {
  std::vector<float> result = values;
  result.resize(static_cast<std::size_t>(shape.blocks() * shape.block), 0.0f);
  return result;
}

std::vector<std::uint8_t> positive_bits(const std::vector<float>& planes) {
  std::vector<std::uint8_t> bits((planes.size() + 7) / 8, 0);
  for (std::size_t i = 0; i < planes.size(); ++i)
    if (planes[i] > 0) bits[i / 8] = static_cast<std::uint8_t>(bits[i / 8] | 1u << (i % 8));
  return bits;
}

double finite_difference_error(std::vector<double>& x, const std::vector<double>& gradient,
                               const std::function<double()>& f) {
  constexpr double kStep = 1e-5;
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double at = x[i];
    x[i] = at + kStep;
    const double above = f();
    x[i] = at - kStep;
    const double below = f();
    x[i] = at;
    const double slope = (above - below) / (2 * kStep);
    worst = std::max(worst, std::fabs(slope - gradient[i]) / std::max(1.0, std::fabs(gradient[i])));
  }
  return worst;
}

std::string to_string(const PlaneShape& shape) {
  return "batch " + std::to_string(shape.batch) + ", channels " + std::to_string(shape.channels) + ", " +
         std::to_string(shape.height) + " x " + std::to_string(shape.width) + ", block " +
         std::to_string(shape.block) + (shape.element == Element::bf16 ? ", bf16" : "");
}

}  // namespace inocula::test
