// Bodies of the Square attack.
#include "kernels/square.h"

#include <cmath>

#include "kernels/draw.h"
#include "kernels/for_each.h"
#include "kernels/project.h"
#include "kernels/restart.h"
#include "kernels/row_radius.h"

INOCULA_BEGIN_TARGET

namespace {

/// +1 or -1.
INOCULA_DEVICE inline float sign_of_bit(std::uint32_t word, std::uint32_t bit) {
  return (word >> bit & 1) != 0 ? 1.0f : -1.0f;
}

/// What is drawn for a turn, by number.
enum TurnDraw : std::uint32_t { kTop, kLeft, kSecondTop, kSecondLeft, kUpright, kSigns };
constexpr std::uint32_t kSignsAWord = 32;

/// The random words of one turn of one sample.
class TurnDraws {
 public:
  INOCULA_DEVICE TurnDraws(const SquareAttack& a, std::int64_t row, std::int32_t turn)
      : a_(a), sample_(static_cast<std::uint32_t>(a.sample[row])), restart_(restart_of(a, row)) {
    const auto sign_words = static_cast<std::uint32_t>((a.channels + kSignsAWord - 1) / kSignsAWord);
    const std::uint32_t blocks = (kSigns + sign_words + 3) / 4;
    first_ = static_cast<std::uint32_t>(turn) * blocks * 4;
  }
  /// Uniform over the places of a window.
  INOCULA_DEVICE std::int64_t place(TurnDraw which, std::int64_t places) const {
    return uniform_below(word(which), static_cast<std::uint32_t>(places));
  }
  INOCULA_DEVICE bool upright() const { return (word(kUpright) & 1) != 0; }
  INOCULA_DEVICE float sign(std::int64_t channel) const {
    const auto c = static_cast<std::uint32_t>(channel);
    return sign_of_bit(word(kSigns + c / kSignsAWord), c % kSignsAWord);
  }

 private:
  INOCULA_DEVICE std::uint32_t word(std::uint32_t element) const {
    return draw(a_.state->seed, Draw::square, restart_, a_.state->step, sample_, first_ + element);
  }

  const SquareAttack& a_;
  std::uint32_t sample_, restart_, first_;
};

INOCULA_DEVICE inline std::uint32_t start_word(const SquareAttack& a, std::int64_t row,
                                               std::int64_t element) {
  return draw(a.state->seed, Draw::stripes, restart_of(a, row), a.state->step,
              static_cast<std::uint32_t>(a.sample[row]), static_cast<std::uint32_t>(element));
}

INOCULA_DEVICE inline void begin_search(const SquareAttack& a, std::int64_t row) {
  SquareSearch search;
  search.loss = -INFINITY;
  a.search[row] = search;
  a.done[row] = a.sample[row] < 0 ? 1 : 0;
}

INOCULA_DEVICE inline void end_turn(const SquareAttack& a, std::int64_t row, const SquareSearch& search) {
  a.search[row] = search;
  if (search.broken != 0) a.done[row] = 1;
}

/// The search after an answer to the candidate, its window and turn not yet moved on.
INOCULA_DEVICE inline SquareSearch judged(const SquareAttack& a, std::int64_t row, bool* taken) {
  SquareSearch search = a.search[row];
  const bool hit = a.predicted[row] != a.label[row];
  *taken = search.broken == 0 && (hit || a.loss[row] > search.loss);
  if (*taken) search.loss = a.loss[row];
  if (hit) search.broken = 1;
  return search;
}

INOCULA_DEVICE inline std::int32_t side_at(const SquareAttack& a, std::int32_t turn) {
  std::int32_t side = a.phase[0].side;
  for (const SquarePhase& p : a.phase) side = turn >= p.from ? p.side : side;
  return side;
}

INOCULA_DEVICE inline void draw_window(const SquareAttack& a, const TurnDraws& draws, SquareSearch& search) {
  search.side = side_at(a, search.turn);
  search.top = static_cast<std::int32_t>(draws.place(kTop, a.height - search.side + 1));
  search.left = static_cast<std::int32_t>(draws.place(kLeft, a.width - search.side + 1));
  search.turn += 1;
}

struct StripesRow {
  SquareAttack a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t height = a.height, width = a.width, first = row * a.channels * height * width;
    const float eps = of_row(a.eps, a.eps_scale, row);
    team.each(a.channels * height, width, [=, this](std::int64_t o, std::int64_t column) {
      const std::int64_t i = first + o * width + column;
      const float sign = sign_of_bit(start_word(a, row, o / height * width + column), 0);
      const float stripe = step_within_linf(a.clean[i], sign * eps, eps, a.lo, a.hi);
      a.x[i] = stripe;
      a.best[i] = stripe;
    });
    if (team.leads()) begin_search(a, row);
  }
};

struct StepLinf {
  SquareAttack a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    if (a.search[row].broken != 0) return;
    bool taken;
    SquareSearch search = judged(a, row, &taken);
    const std::int64_t plane = a.height * a.width, image = a.channels * plane;
    float* const x = a.x + row * image;
    float* const best = a.best + row * image;
    for (std::int64_t c = 0; c < a.channels; ++c) {
      const std::int64_t corner = c * plane + search.top * a.width + search.left, width = a.width;
      // Either becomes the other: they differ in the window alone. Selected outside, for the loop's sake.
      float* const to = taken ? best : x;
      const float* const from = taken ? x : best;
      team.each(search.side, search.side, [=](std::int64_t o, std::int64_t i) {
        to[corner + o * width + i] = from[corner + o * width + i];
      });
    }
    if (search.broken == 0) propose(row, team, search);
    // All have read it: an each lies in between.
    if (team.leads()) end_turn(a, row, search);
  }

 private:
  INOCULA_DEVICE void propose(std::int64_t row, const Team& team, SquareSearch& search) const {
    const TurnDraws draws(a, row, search.turn);
    draw_window(a, draws, search);
    const std::int64_t plane = a.height * a.width, width = a.width;
    const float eps = of_row(a.eps, a.eps_scale, row), lo = a.lo, hi = a.hi;
    for (std::int64_t c = 0; c < a.channels; ++c) {
      const std::int64_t corner = (row * a.channels + c) * plane + search.top * width + search.left;
      float* const x = a.x + corner;
      const float* const clean = a.clean + corner;
      const float move = draws.sign(c) * eps;
      team.each(search.side, search.side, [=](std::int64_t o, std::int64_t i) {
        x[o * width + i] = step_within_linf(clean[o * width + i], move, eps, lo, hi);
      });
    }
  }
};

/// Two pyramids of opposite signs, side by side, together of unit norm: the paper's eta.
class Pyramids {
 public:
  INOCULA_DEVICE Pyramids(const Team& team, std::int64_t side, bool upright)
      : side_(side), half_(side / 2), upright_(upright) {
    // The sum over no elements is 0, and so is the share of a half that is not there.
    const double first = norm_of_half(team, half_), second = norm_of_half(team, side - half_);
    const double share = half_ > 0 ? sqrt(0.5) : 1.0;
    first_ = half_ > 0 ? share / first : 0;
    second_ = -share / second;
  }
  INOCULA_DEVICE double operator()(std::int64_t i, std::int64_t j) const {
    const std::int64_t along = upright_ ? i : j, across = upright_ ? j : i;
    return along < half_ ? first_ * height(along, across, half_)
                         : second_ * height(along - half_, across, side_ - half_);
  }

 private:
  /// Rings around the middle of a half of so many lines: ring number d is 1 / (d + 1)^2 + 1 / (d + 2)^2 + …
  /// up to the outermost.
  INOCULA_DEVICE double height(std::int64_t i, std::int64_t j, std::int64_t lines) const {
    const std::int64_t di = i < lines / 2 ? lines / 2 - i : i - lines / 2;
    const std::int64_t dj = j < side_ / 2 ? side_ / 2 - j : j - side_ / 2;
    const std::int64_t rings = (lines > side_ ? lines : side_) / 2 + 1;
    double sum = 0;
    for (std::int64_t ring = (di > dj ? di : dj) + 1; ring <= rings; ++ring)
      sum += 1 / (static_cast<double>(ring) * static_cast<double>(ring));
    return sum;
  }
  INOCULA_DEVICE double norm_of_half(const Team& team, std::int64_t lines) const {
    const std::int64_t side = side_;
    return sqrt(team.sum(lines * side, [=, this](std::int64_t k) {
      const double h = height(k / side, k % side, lines);
      return h * h;
    }));
  }

  std::int64_t side_, half_;
  bool upright_;
  double first_, second_;
};

/// x, which holds differences, becomes the image that lies eps from the clean one in their direction,
/// clipped.
INOCULA_DEVICE inline void bring_to_sphere(const SquareAttack& a, std::int64_t row, const Team& team) {
  const std::int64_t cols = a.channels * a.height * a.width;
  float* const x = a.x + row * cols;
  const float* const clean = a.clean + row * cols;
  const double squares = team.sum(cols, [=](std::int64_t i) { return static_cast<double>(x[i]) * x[i]; });
  const float scale = squares > 0 ? shrink_to_l2(squares, of_row(a.eps, a.eps_scale, row)) : 0.0f;
  const float lo = a.lo, hi = a.hi;
  team.each(cols, [=](std::int64_t i) { x[i] = clip(add_towards(clean[i], scale * x[i]), lo, hi); });
}

struct TilesRow {
  SquareAttack a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t height = a.height, width = a.width, shorter = height < width ? height : width;
    const std::int64_t side = shorter < 5 ? 1 : shorter / 5, across = width / side, down = height / side;
    const std::int64_t top = (height - down * side) / 2, left = (width - across * side) / 2;
    const std::int64_t cols = a.channels * height * width;
    float* const x = a.x + row * cols;
    float* const best = a.best + row * cols;
    const Pyramids upright(team, side, true), lying(team, side, false);
    team.each(a.channels * height, width, [=, this](std::int64_t o, std::int64_t column) {
      const std::int64_t c = o / height, i = o % height - top, j = column - left;
      const bool inside = i >= 0 && j >= 0 && i < down * side && j < across * side;
      double v = 0;
      if (inside) {
        const std::uint32_t word = start_word(a, row, (c * down + i / side) * across + j / side);
        const Pyramids& tile = (word >> 1 & 1) != 0 ? upright : lying;
        v = sign_of_bit(word, 0) * tile(i % side, j % side);
      }
      x[o * width + column] = static_cast<float>(v);
    });
    bring_to_sphere(a, row, team);
    team.each(cols, [=](std::int64_t i) { best[i] = x[i]; });
    if (team.leads()) begin_search(a, row);
  }
};

/// Norms of what has none of its own are taken as this.
constexpr double kLeastNorm = 1e-12;

struct StepL2 {
  SquareAttack a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    if (a.search[row].broken != 0) return;
    bool taken;
    SquareSearch search = judged(a, row, &taken);
    const std::int64_t cols = a.channels * a.height * a.width;
    const float* const x = a.x + row * cols;
    float* const best = a.best + row * cols;
    team.each(taken ? cols : 0, [=](std::int64_t i) { best[i] = x[i]; });
    if (search.broken == 0) propose(row, team, search);
    if (team.leads()) end_turn(a, row, search);
  }

 private:
  INOCULA_DEVICE void propose(std::int64_t row, const Team& team, SquareSearch& search) const {
    const TurnDraws draws(a, row, search.turn);
    draw_window(a, draws, search);
    const std::int64_t side = search.side, top = search.top, left = search.left;
    const std::int64_t second_top = draws.place(kSecondTop, a.height - side + 1);
    const std::int64_t second_left = draws.place(kSecondLeft, a.width - side + 1);
    const Pyramids pyramids(team, side, draws.upright());
    const std::int64_t width = a.width, plane = a.height * width, cols = a.channels * plane;
    const float* const all_clean = a.clean + row * cols;
    const float* const all_best = a.best + row * cols;
    const double used = team.sum(cols, [=](std::int64_t i) {
      const double d = static_cast<double>(all_best[i]) - all_clean[i];
      return d * d;
    });
    const float eps = of_row(a.eps, a.eps_scale, row);
    const double left_over = static_cast<double>(eps) * eps - used;
    const double spare = left_over > 0 ? left_over / static_cast<double>(a.channels) : 0;
    for (std::int64_t c = 0; c < a.channels; ++c) {
      const float* const best = all_best + c * plane;
      const float* const clean = all_clean + c * plane;
      const auto delta = [=](std::int64_t i, std::int64_t j) {
        return static_cast<double>(best[i * width + j]) - clean[i * width + j];
      };
      const auto in_first = [=](std::int64_t i, std::int64_t j) {
        return i >= top && i < top + side && j >= left && j < left + side;
      };
      const double first = team.sum(side * side, [=](std::int64_t k) {
        const double d = delta(top + k / side, left + k % side);
        return d * d;
      });
      const double beside = team.sum(side * side, [=](std::int64_t k) {
        const std::int64_t i = second_top + k / side, j = second_left + k % side;
        const double d = in_first(i, j) ? 0.0 : delta(i, j);
        return d * d;
      });
      const double unit = 1 / (kLeastNorm + sqrt(first)), sign = draws.sign(c);
      const auto fresh = [=](std::int64_t i, std::int64_t j) {
        return sign * pyramids(i - top, j - left) + unit * delta(i, j);
      };
      const double squares = team.sum(side * side, [=](std::int64_t k) {
        const double v = fresh(top + k / side, left + k % side);
        return v * v;
      });
      const double scale = sqrt(spare + first + beside) / (kLeastNorm + sqrt(squares));
      float* const x = a.x + row * cols + c * plane;
      team.each(a.height, width, [=](std::int64_t i, std::int64_t j) {
        const bool emptied =
            i >= second_top && i < second_top + side && j >= second_left && j < second_left + side;
        const double v = in_first(i, j) ? scale * fresh(i, j) : emptied ? 0.0 : delta(i, j);
        x[i * width + j] = static_cast<float>(v);
      });
    }
    bring_to_sphere(a, row, team);
  }
};

std::int64_t image_size(const SquareAttack& a) {
  return a.channels * a.height * a.width;
}

}  // namespace

void square_start_linf(const Queue& queue, const SquareAttack& args) {
  for_each_row(queue, args.rows, image_size(args), StripesRow{args});
}

void square_start_l2(const Queue& queue, const SquareAttack& args) {
  for_each_row(queue, args.rows, image_size(args), TilesRow{args});
}

void square_step_linf(const Queue& queue, const SquareAttack& args) {
  for_each_row(queue, args.rows, image_size(args), StepLinf{args});
}

void square_step_l2(const Queue& queue, const SquareAttack& args) {
  for_each_row(queue, args.rows, image_size(args), StepL2{args});
}

INOCULA_END_TARGET
