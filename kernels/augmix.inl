// Bodies of augmix and augment.
//
// Sums, roundings and their order are Pillow's, so that its results are met to the level wherever sine and
// cosine play no part.
#include "kernels/augmix.h"

#include "kernels/atomic.h"
#include "kernels/for_each.h"
#include "kernels/project.h"

INOCULA_BEGIN_TARGET

namespace {

constexpr std::int64_t kLevels = 256;

/// The level nearest to a value in [0, 1].
INOCULA_DEVICE inline std::uint8_t to_level(float x) {
  const float level = 255.0f * x + 0.5f;
  return static_cast<std::uint8_t>(!(level > 0.0f) ? 0.0f : (level < 255.0f ? level : 255.0f));
}

INOCULA_DEVICE inline float from_level(std::uint8_t level) {
  return static_cast<float>(level) / 255.0f;
}

/// A level after truncation, as C converts.
INOCULA_DEVICE inline std::uint8_t truncated(float level) {
  return static_cast<std::uint8_t>(!(level > 0.0f) ? 0.0f : (level < 255.0f ? level : 255.0f));
}

/// Of `other` and `level` the latter has the share `factor`, which may be above 1.
INOCULA_DEVICE inline std::uint8_t blend(std::int32_t other, std::int32_t level, float factor) {
  return truncated(static_cast<float>(other) + factor * static_cast<float>(level - other));
}

/// As the authors' programs: level of 10 of the largest value, and that without its fraction.
INOCULA_DEVICE inline double strength(double level, double largest) {
  return level * largest / 10;
}
INOCULA_DEVICE inline std::int32_t whole_strength(double level, double largest) {
  return static_cast<std::int32_t>(strength(level, largest));
}

/// Pixel (column, row) of a transformed image is point (x, y) of the former one, both counted from a corner.
struct Transform {
  double xx = 1, xy = 0, x0 = 0;
  double yx = 0, yy = 1, y0 = 0;
};

/// An image of bytes that one team works on, and what it works with.
class Canvas {
 public:
  INOCULA_DEVICE Canvas(const Team& team, std::uint8_t* scratch, std::int64_t row, std::int64_t channels,
                        std::int64_t height, std::int64_t width)
      : team_(team), channels_(channels), height_(height), width_(width) {
    const std::int64_t values = channels * height * width;
    std::uint8_t* const mine = scratch + row * static_cast<std::int64_t>(augmix_scratch_bytes(values));
    count_ = reinterpret_cast<std::uint64_t*>(mine);
    table_ = mine + kLevels * static_cast<std::int64_t>(sizeof(std::uint64_t));
    now_ = table_ + kLevels;
    next_ = now_ + (values + 7) / 8 * 8;
  }

  /// (channels, height, width)
  INOCULA_DEVICE const std::uint8_t* image() const { return now_; }

  INOCULA_DEVICE void start(const float* x) {
    std::uint8_t* const now = now_;
    team_.each(channels_ * height_ * width_, [=](std::int64_t i) { now[i] = to_level(x[i]); });
  }

  INOCULA_DEVICE void apply(ImageOp kind, double level, bool negative) {
    const double sign = negative ? -1 : 1;
    const double w = static_cast<double>(width_), h = static_cast<double>(height_);
    Transform t;
    switch (kind) {
      case ImageOp::autocontrast:
        return each_channel<&Canvas::autocontrast>();
      case ImageOp::equalize:
        return each_channel<&Canvas::equalize>();
      case ImageOp::posterize:
        return posterize(4 - whole_strength(level, 4));
      case ImageOp::solarize:
        return solarize(256 - whole_strength(level, 256));
      case ImageOp::rotate:
        return transform(rotation(static_cast<float>(whole_strength(level, 30)), negative));
      case ImageOp::shear_x:
        t.xy = sign * strength(level, 0.3);
        return transform(t);
      case ImageOp::shear_y:
        t.yx = sign * strength(level, 0.3);
        return transform(t);
      case ImageOp::translate_x:
        t.x0 = sign * whole_strength(level, w / 3);
        return transform(t);
      case ImageOp::translate_y:
        t.y0 = sign * whole_strength(level, h / 3);
        return transform(t);
      case ImageOp::color:
        return color(enhancement(level));
      case ImageOp::contrast:
        return contrast(enhancement(level));
      case ImageOp::brightness:
        return blend_with(0, enhancement(level));
      case ImageOp::sharpness:
        return sharpness(enhancement(level));
      case ImageOp::flip_horizontal:
      case ImageOp::flip_vertical:
        return flip(kind == ImageOp::flip_horizontal);
    }
  }

 private:
  INOCULA_DEVICE static float enhancement(double level) {
    return static_cast<float>(strength(level, 1.8) + 0.1);
  }

  INOCULA_DEVICE std::int64_t pixels() const { return height_ * width_; }

  INOCULA_DEVICE void turn_page() {
    std::uint8_t* const written = next_;
    next_ = now_;
    now_ = written;
  }

  template <void (Canvas::*kChange)(std::uint8_t*)>
  INOCULA_DEVICE void each_channel() {
    for (std::int64_t c = 0; c < channels_; ++c) (this->*kChange)(now_ + c * pixels());
  }

  INOCULA_DEVICE void count_levels(const std::uint8_t* channel) {
    std::uint64_t* const count = count_;
    team_.each(kLevels, [=](std::int64_t i) { count[i] = 0; });
#if defined(INOCULA_CUDA)
    team_.each(pixels(), [=](std::int64_t i) { atomic_add(count + channel[i], 1); });
#else
    for (std::int64_t i = 0; i < pixels(); ++i) ++count[channel[i]];
#endif
  }

  INOCULA_DEVICE std::int64_t darkest() const {
    const std::uint64_t* const count = count_;
    return team_.first(kLevels, [=](std::int64_t i) { return count[i] > 0; });
  }
  INOCULA_DEVICE std::int64_t lightest() const {
    const std::uint64_t* const count = count_;
    return 255 - team_.first(kLevels, [=](std::int64_t i) { return count[255 - i] > 0; });
  }

  INOCULA_DEVICE void look_up(std::uint8_t* channel) {
    const std::uint8_t* const table = table_;
    team_.each(pixels(), [=](std::int64_t i) { channel[i] = table[channel[i]]; });
  }

  INOCULA_DEVICE void autocontrast(std::uint8_t* channel) {
    count_levels(channel);
    const std::int64_t low = darkest(), high = lightest();
    if (high <= low) return;
    const double scale = 255.0 / static_cast<double>(high - low), offset = static_cast<double>(-low) * scale;
    std::uint8_t* const table = table_;
    team_.each(kLevels, [=](std::int64_t i) {
      const double level = static_cast<double>(i) * scale + offset;
      table[i] = static_cast<std::uint8_t>(!(level > 0.0) ? 0.0 : (level < 255.0 ? level : 255.0));
    });
    look_up(channel);
  }

  INOCULA_DEVICE void equalize(std::uint8_t* channel) {
    count_levels(channel);
    const auto last = static_cast<std::uint32_t>(count_[lightest()]);
    const std::uint32_t step = (static_cast<std::uint32_t>(pixels()) - last) / 255;
    // Before anyone counts the next channel in the same place.
    team_.barrier();
    if (step == 0) return;
    if (team_.leads()) {
      std::uint32_t sum = step / 2;
      for (std::int64_t i = 0; i < kLevels; ++i) {
        const std::uint32_t level = sum / step;
        table_[i] = static_cast<std::uint8_t>(level < 255 ? level : 255);
        sum += static_cast<std::uint32_t>(count_[i]);
      }
    }
    team_.barrier();
    look_up(channel);
  }

  INOCULA_DEVICE void posterize(std::int32_t bits) {
    const std::uint32_t kept = 0xFFu << (8 - (bits > 1 ? bits : 1));
    std::uint8_t* const now = now_;
    team_.each(channels_ * pixels(),
               [=](std::int64_t i) { now[i] = static_cast<std::uint8_t>(now[i] & kept); });
  }

  INOCULA_DEVICE void solarize(std::int32_t threshold) {
    std::uint8_t* const now = now_;
    team_.each(channels_ * pixels(), [=](std::int64_t i) {
      now[i] = static_cast<std::uint8_t>(now[i] < threshold ? now[i] : 255 - now[i]);
    });
  }

  INOCULA_DEVICE Transform rotation(float degrees, bool negative) const {
    const SinCos turn = portable_sincos_turn(degrees / 360.0f);
    const double c = static_cast<double>(turn.cos);
    const double s = negative ? -static_cast<double>(turn.sin) : static_cast<double>(turn.sin);
    const double x = static_cast<double>(width_) / 2, y = static_cast<double>(height_) / 2;
    return {c, -s, x - c * x + s * y, s, c, y - s * x - c * y};
  }

  INOCULA_DEVICE void transform(const Transform& t) {
    const std::uint8_t* const from = now_;
    std::uint8_t* const to = next_;
    const std::int64_t channels = channels_, height = height_, width = width_, plane = height * width;
    team_.each(height, width, [=](std::int64_t row, std::int64_t column) {
      const double u = static_cast<double>(column) + 0.5, v = static_cast<double>(row) + 0.5;
      const double x = t.xx * u + t.xy * v + t.x0, y = t.yx * u + t.yy * v + t.y0;
      const std::int64_t at = row * width + column;
      if (!(x >= 0 && x < static_cast<double>(width) && y >= 0 && y < static_cast<double>(height))) {
        for (std::int64_t c = 0; c < channels; ++c) to[c * plane + at] = 0;
        return;
      }
      // Between the centres of four pixels, of which those outside are their neighbours inside.
      const std::int64_t left = below(x - 0.5), above = below(y - 0.5);
      const double right_share = x - 0.5 - static_cast<double>(left);
      const double lower_share = y - 0.5 - static_cast<double>(above);
      const std::int64_t x0 = left < 0 ? 0 : left, x1 = left + 1 < width ? left + 1 : width - 1;
      const std::int64_t y0 = above < 0 ? 0 : above, y1 = above + 1 < height ? above + 1 : height - 1;
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::uint8_t* const upper = from + c * plane + y0 * width;
        const std::uint8_t* const lower = from + c * plane + y1 * width;
        const double a = upper[x0] + (upper[x1] - upper[x0]) * right_share;
        const double b = lower[x0] + (lower[x1] - lower[x0]) * right_share;
        to[c * plane + at] = static_cast<std::uint8_t>(a + (b - a) * lower_share);
      }
    });
    turn_page();
  }

  /// The largest integer not above x >= -1.
  INOCULA_DEVICE static std::int64_t below(double x) {
    return x < 0 ? -1 : static_cast<std::int64_t>(x);
  }

  /// Pillow's luma of a pixel of three channels, or the grey level itself.
  struct Luma {
    const std::uint8_t* image;
    std::int64_t channels, plane;
    INOCULA_DEVICE std::int32_t operator()(std::int64_t i) const {
      if (channels != 3) return image[i];
      return (image[i] * 19595 + image[plane + i] * 38470 + image[2 * plane + i] * 7471 + 0x8000) >> 16;
    }
  };
  INOCULA_DEVICE Luma luma() const {
    return {now_, channels_, pixels()};
  }

  INOCULA_DEVICE void color(float factor) {
    if (channels_ != 3) return;
    const Luma grey = luma();
    std::uint8_t* const now = now_;
    const std::int64_t plane = pixels();
    team_.each(plane, [=](std::int64_t i) {
      const std::int32_t other = grey(i);
      for (int c = 0; c < 3; ++c) now[c * plane + i] = blend(other, now[c * plane + i], factor);
    });
  }

  INOCULA_DEVICE void contrast(float factor) {
    const Luma grey = luma();
    // Exact: a sum of integers.
    const double sum = team_.sum(pixels(), [=](std::int64_t i) { return static_cast<double>(grey(i)); });
    blend_with(static_cast<std::int32_t>(sum / static_cast<double>(pixels()) + 0.5), factor);
  }

  INOCULA_DEVICE void blend_with(std::int32_t other, float factor) {
    std::uint8_t* const now = now_;
    team_.each(channels_ * pixels(), [=](std::int64_t i) { now[i] = blend(other, now[i], factor); });
  }

  INOCULA_DEVICE void sharpness(float factor) {
    const std::uint8_t* const from = now_;
    std::uint8_t* const to = next_;
    const std::int64_t height = height_, width = width_;
    team_.each(channels_ * height, width, [=](std::int64_t line, std::int64_t column) {
      const std::int64_t row = line % height, at = line * width + column;
      const bool edge = row == 0 || row == height - 1 || column == 0 || column == width - 1;
      to[at] = edge ? from[at] : blend(smooth(from + at, width), from[at], factor);
    });
    turn_page();
  }

  /// Of the pixel with eight neighbours.
  INOCULA_DEVICE static std::int32_t smooth(const std::uint8_t* pixel, std::int64_t width) {
    constexpr float kSide = 1.0f / 13, kMiddle = 5.0f / 13;
    const float sum = ((0.5f + line_of(pixel + width, kSide, kSide)) + line_of(pixel, kSide, kMiddle)) +
                      line_of(pixel - width, kSide, kSide);
    return truncated(sum);
  }
  INOCULA_DEVICE static float line_of(const std::uint8_t* pixel, float side, float middle) {
    return static_cast<float>(pixel[-1]) * side + static_cast<float>(pixel[0]) * middle +
           static_cast<float>(pixel[1]) * side;
  }

  INOCULA_DEVICE void flip(bool horizontal) {
    const std::uint8_t* const from = now_;
    std::uint8_t* const to = next_;
    const std::int64_t height = height_, width = width_;
    team_.each(channels_ * height, width, [=](std::int64_t line, std::int64_t column) {
      const std::int64_t row = line % height;
      const std::int64_t from_line = horizontal ? line : line - row + (height - 1 - row);
      to[line * width + column] = from[from_line * width + (horizontal ? width - 1 - column : column)];
    });
    turn_page();
  }

  const Team& team_;
  std::int64_t channels_, height_, width_;
  std::uint64_t* count_;  ///< (256), pixels of each level
  std::uint8_t* table_;   ///< (256), what becomes of each level
  std::uint8_t *now_, *next_;
};

struct MixRow {
  AugMix a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const MixDraws draws{a.state->seed, a.view, a.state->step, static_cast<std::uint32_t>(a.sample[row])};
    const MixWeights weights = draws.weights(a.chains, static_cast<double>(a.alpha));
    const std::int64_t values = a.channels * a.height * a.width;
    const float* const x = a.x + row * values;
    float* const y = a.y + row * values;
    Canvas canvas(team, a.scratch, row, a.channels, a.height, a.width);
    for (std::int32_t chain = 0; chain < a.chains; ++chain) {
      canvas.start(x);
      const std::int32_t depth = draws.depth_of(chain, a.depth);
      for (std::int32_t place = 0; place < depth; ++place) {
        const DrawnOp drawn = draws.operation(chain, place, a.set, static_cast<double>(a.severity));
        canvas.apply(drawn.kind, drawn.level, drawn.negative);
      }
      const std::uint8_t* const image = canvas.image();
      const auto share = static_cast<float>(weights.chain[chain]);
      const bool first = chain == 0;
      team.each(values, [=](std::int64_t i) {
        const float before = first ? 0.0f : y[i];
        y[i] = before + share * from_level(image[i]);
      });
    }
    const auto mixed = static_cast<float>(weights.mixed), rest = static_cast<float>(1 - weights.mixed);
    team.each(values, [=](std::int64_t i) { y[i] = clip(rest * x[i] + mixed * y[i], 0.0f, 1.0f); });
  }
};

struct AugmentRow {
  Augment a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t values = a.channels * a.height * a.width;
    float* const y = a.y + row * values;
    Canvas canvas(team, a.scratch, row, a.channels, a.height, a.width);
    canvas.start(a.x + row * values);
    canvas.apply(a.kind, a.level, a.negative != 0);
    const std::uint8_t* const image = canvas.image();
    team.each(values, [=](std::int64_t i) { y[i] = from_level(image[i]); });
  }
};

/// About as many plain operations a value.
constexpr std::int64_t kCost = 32;

}  // namespace

void augmix(const Queue& queue, const AugMix& args) {
  for_each_row(queue, args.rows, args.channels * args.height * args.width * kCost, MixRow{args});
}

void augment(const Queue& queue, const Augment& args) {
  for_each_row(queue, args.rows, args.channels * args.height * args.width * kCost, AugmentRow{args});
}

INOCULA_END_TARGET
