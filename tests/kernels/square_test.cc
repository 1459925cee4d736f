// The Square attack's windows, stripes and tiles: where they lie, what they hold, and what is kept.
#include "kernels/square.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

constexpr float kEps = 0.1f;

struct Search {
  std::int64_t rows = 4, channels = 3, height = 9, width = 7;
  float eps = kEps;
  std::int32_t side = 3;
  StepState state = {.seed = 3, .step = 0, .restart = 0};
  std::vector<float> clean = {};
  std::vector<std::int32_t> sample = {};

  std::size_t size() const { return static_cast<std::size_t>(rows * image()); }
  std::int64_t image() const { return channels * height * width; }
  void fill_in() {
    clean = random_floats(size(), 5, 0, 1);
    // Some lie on the border.
    for (float& v : clean) v = v < 0.1f ? 0.0f : v > 0.9f ? 1.0f : v;
    for (std::int64_t i = 0; i < rows; ++i) sample.push_back(static_cast<std::int32_t>(100 + i));
  }
};

/// A search's arrays between launches.
struct Arrays {
  Guarded<float> x, best, loss;
  Guarded<SquareSearch> search;
  Guarded<std::int32_t> predicted, label, done;

  explicit Arrays(const Search& s)
      : x(s.size(), kNan),
        best(s.size(), kNan),
        loss(static_cast<std::size_t>(s.rows)),
        search(static_cast<std::size_t>(s.rows)),
        predicted(static_cast<std::size_t>(s.rows)),
        label(static_cast<std::size_t>(s.rows)),
        done(static_cast<std::size_t>(s.rows), 9) {}

  SquareAttack attack(const Search& s) {
    SquareAttack a;
    a.x = x.data();
    a.best = best.data();
    a.clean = s.clean.data();
    a.search = search.data();
    a.done = done.data();
    a.loss = loss.data();
    a.predicted = predicted.data();
    a.label = label.data();
    a.sample = s.sample.data();
    a.state = &s.state;
    a.rows = s.rows;
    a.channels = s.channels;
    a.height = s.height;
    a.width = s.width;
    a.eps = s.eps;
    for (SquarePhase& p : a.phase) p.side = s.side;
    return a;
  }
};

/// Largest |x - clean| and norm of x - clean of an image, exactly as stored.
struct Moved {
  double largest = 0, norm = 0;
  bool in_box = true;
};
Moved moved(const Search& s, const float* x, std::int64_t row) {
  Moved m;
  double squares = 0;
  for (std::int64_t i = row * s.image(); i < (row + 1) * s.image(); ++i) {
    const double d = static_cast<double>(x[i]) - s.clean[static_cast<std::size_t>(i)];
    m.largest = std::max(m.largest, std::abs(d));
    squares += d * d;
    m.in_box = m.in_box && x[i] >= 0 && x[i] <= 1;
  }
  m.norm = std::sqrt(squares);
  return m;
}

TEST_CASE("square_start_linf: whole columns at the bounds, one sign for each channel and column") {
  Search s;
  s.fill_in();
  const Outputs out = same_everywhere([&](const Run& run) {
    Arrays m(s);
    run.kernels.square_start_linf(run.queue, m.attack(s));
    for (const SquareSearch& q : m.search.values())
      CHECK((q.loss == -kInfinity && q.broken == 0 && q.turn == 0 && q.side == 0));
    return Outputs{m.x.values(), m.best.values()};
  });
  CHECK(out[0] == out[1]);
  int ups = 0, downs = 0;
  for (std::int64_t plane = 0; plane < s.rows * s.channels; ++plane)
    for (std::int64_t j = 0; j < s.width; ++j) {
      bool up = true, down = true;
      for (std::int64_t i = 0; i < s.height; ++i) {
        const auto k = static_cast<std::size_t>((plane * s.height + i) * s.width + j);
        up = up && std::abs(out[0][k] - std::min(1.0, double{s.clean[k]} + kEps)) < 1e-7;
        down = down && std::abs(out[0][k] - std::max(0.0, double{s.clean[k]} - kEps)) < 1e-7;
      }
      CHECK(up != down);
      ++(up ? ups : downs);
    }
  CHECK(ups > 20);
  CHECK(downs > 20);
  for (std::int64_t row = 0; row < s.rows; ++row) CHECK(moved(s, out[0].data(), row).largest <= kEps);
}

TEST_CASE("square_start_l2: tiles of two pyramids fill the ball") {
  for (const std::int64_t height : {1, 3, 11, 28})
    for (const std::int64_t width : {2, 28, 31}) {
      CAPTURE(height);
      CAPTURE(width);
      Search s;
      s.height = height;
      s.width = width;
      s.eps = 0.3f;
      s.fill_in();
      for (float& v : s.clean) v = 0.5f;
      const Outputs out = same_everywhere([&](const Run& run) {
        Arrays m(s);
        run.kernels.square_start_l2(run.queue, m.attack(s));
        return Outputs{m.x.values(), m.best.values()};
      });
      CHECK(out[0] == out[1]);
      for (std::int64_t row = 0; row < s.rows; ++row) {
        const Moved m = moved(s, out[0].data(), row);
        CHECK(m.norm <= s.eps);
        CHECK(m.norm > 0.99999 * s.eps);
      }
    }
}

/// The paper's pattern as its authors' program builds it: square after square laid upon each other.
std::vector<double> pyramid(std::int64_t lines, std::int64_t columns) {
  std::vector<double> v(static_cast<std::size_t>(lines * columns));
  const std::int64_t middle_line = lines / 2 + 1, middle_column = columns / 2 + 1;
  std::int64_t top = middle_line - 1, left = middle_column - 1;
  for (std::int64_t k = 0; k < std::max(middle_line, middle_column); ++k, --top, --left)
    for (std::int64_t i = std::max<std::int64_t>(top, 0); i < std::min(top + 2 * k + 1, lines); ++i)
      for (std::int64_t j = std::max<std::int64_t>(left, 0); j < std::min(left + 2 * k + 1, columns); ++j)
        v[static_cast<std::size_t>(i * columns + j)] += 1.0 / static_cast<double>((k + 1) * (k + 1));
  double squares = 0;
  for (const double d : v) squares += d * d;
  for (double& d : v) d /= std::sqrt(squares);
  return v;
}

std::vector<double> pyramids(std::int64_t side, bool upright) {
  const std::vector<double> first = pyramid(side / 2, side), second = pyramid(side - side / 2, side);
  std::vector<double> v = first;
  for (const double d : second) v.push_back(-d);
  double squares = 0;
  for (const double d : v) squares += d * d;
  std::vector<double> placed(v.size());
  for (std::int64_t i = 0; i < side; ++i)
    for (std::int64_t j = 0; j < side; ++j)
      placed[static_cast<std::size_t>(upright ? i * side + j : j * side + i)] =
          v[static_cast<std::size_t>(i * side + j)] / std::sqrt(squares);
  return placed;
}

TEST_CASE("square_start_l2: a tile is the paper's pattern, of either sign and orientation") {
  Search s;
  s.channels = 1;
  s.height = s.width = 25;
  s.rows = 6;
  s.fill_in();
  for (float& v : s.clean) v = 0.5f;
  const std::vector<float> x = same_everywhere([&](const Run& run) {
    Arrays m(s);
    run.kernels.square_start_l2(run.queue, m.attack(s));
    return Outputs{m.x.values()};
  })[0];
  std::set<int> kinds;
  for (std::int64_t row = 0; row < s.rows; ++row)
    for (std::int64_t tile = 0; tile < 25; ++tile) {
      int fitting = -1;
      for (int kind = 0; kind < 4; ++kind) {
        const std::vector<double> pattern = pyramids(5, kind < 2);
        double worst = 0;
        for (std::int64_t i = 0; i < 5; ++i)
          for (std::int64_t j = 0; j < 5; ++j) {
            const std::int64_t at = (tile / 5 * 5 + i) * 25 + tile % 5 * 5 + j;
            // 25 tiles of unit norm: a tile has a fifth of the norm.
            const double d = kEps / 5 * pattern[static_cast<std::size_t>(i * 5 + j)] * (kind % 2 ? -1 : 1);
            worst = std::max(worst, std::abs(x[static_cast<std::size_t>(row * s.image() + at)] - 0.5 - d));
          }
        if (worst < 2e-7) fitting = kind;
      }
      CHECK(fitting >= 0);
      kinds.insert(fitting);
    }
  CHECK(kinds.size() == 4);
}

TEST_CASE("square_step_linf: what is better is kept, what is broken stays, and one window differs") {
  Search s;
  s.fill_in();
  const Outputs out = same_everywhere([&](const Run& run) {
    Arrays m(s);
    const SquareAttack a = m.attack(s);
    run.kernels.square_start_linf(run.queue, a);
    const std::vector<float> start = m.best.values();
    for (std::size_t row = 0; row < 4; ++row) m.loss[row] = -1;
    run.kernels.square_step_linf(run.queue, a);  // the start is better than nothing
    CHECK(m.best.values() == start);
    const std::vector<float> first = m.x.values();
    // Better, worse, as good, misclassified but worse.
    m.loss[0] = -0.5f, m.loss[1] = -1.5f, m.loss[2] = -1, m.loss[3] = -2;
    m.predicted[3] = 1;
    run.kernels.square_step_linf(run.queue, a);
    const std::vector<float> best = m.best.values(), second = m.x.values();
    const auto row_of = [&](const std::vector<float>& v, std::int64_t row) {
      return std::vector<float>(v.begin() + row * s.image(), v.begin() + (row + 1) * s.image());
    };
    for (const std::int64_t row : {0, 3}) CHECK(row_of(best, row) == row_of(first, row));
    for (const std::int64_t row : {1, 2}) CHECK(row_of(best, row) == row_of(start, row));
    const std::vector<SquareSearch> search = m.search.values();
    CHECK((search[0].loss == -0.5f && search[1].loss == -1 && search[2].loss == -1 && search[3].loss == -2));
    CHECK((search[0].broken == 0 && search[3].broken == 1));
    CHECK((m.done.values()[0] == 0 && m.done.values()[3] == 1));
    CHECK((search[0].turn == 2 && search[3].turn == 1));
    for (const std::int64_t row : {0, 1, 2}) {
      const SquareSearch& w = search[static_cast<std::size_t>(row)];
      CHECK((w.side == 3 && w.top >= 0 && w.top <= 6 && w.left >= 0 && w.left <= 4));
      for (std::int64_t c = 0; c < s.channels; ++c) {
        bool up = true, down = true, outside = true;
        for (std::int64_t i = 0; i < s.height; ++i)
          for (std::int64_t j = 0; j < s.width; ++j) {
            const auto k = static_cast<std::size_t>(((row * s.channels + c) * s.height + i) * s.width + j);
            if (i < w.top || i >= w.top + w.side || j < w.left || j >= w.left + w.side) {
              outside = outside && second[k] == best[k];
              continue;
            }
            up = up && std::abs(second[k] - std::min(1.0, double{s.clean[k]} + kEps)) < 1e-7;
            down = down && std::abs(second[k] - std::max(0.0, double{s.clean[k]} - kEps)) < 1e-7;
          }
        CHECK(outside);
        CHECK(up != down);
      }
    }
    // Whatever is said of a broken one.
    m.loss[3] = 5;
    run.kernels.square_step_linf(run.queue, a);
    CHECK(row_of(m.best.values(), 3) == row_of(first, 3));
    CHECK(m.search.values()[3].loss == -2);
    return Outputs{best, second, m.x.values()};
  });
  CHECK(out[1] != out[2]);
}

TEST_CASE("square_step_linf: windows lie everywhere, the last place included, and samples have their own") {
  Search s;
  s.rows = 2000;
  s.channels = 2;
  s.height = 5;
  s.width = 4;
  s.fill_in();
  std::map<std::pair<int, int>, int> places;
  int signs[4] = {};
  const Run run = runs(s.rows).front();
  Arrays m(s);
  run.kernels.square_start_linf(run.queue, m.attack(s));
  run.kernels.square_step_linf(run.queue, m.attack(s));
  for (std::size_t row = 0; row < 2000; ++row) {
    const SquareSearch& w = m.search[row];
    ++places[{w.top, w.left}];
    int sign = 0;
    for (std::int64_t c = 0; c < 2; ++c) {
      const auto k =
          static_cast<std::size_t>(((static_cast<std::int64_t>(row) * 2 + c) * 5 + w.top) * 4 + w.left);
      // At the border one of the signs may leave the pixel where it is.
      sign += m.x[k] > s.clean[k] || s.clean[k] == 1 ? 1 << c : 0;
    }
    ++signs[sign];
  }
  CHECK(places.size() == 6);
  for (const auto& [place, count] : places) CHECK(std::abs(count - 2000.0 / 6) < 80);
  for (const int count : signs) CHECK(count > 400);
}

TEST_CASE("square_step_linf: sides follow the phases") {
  Search s;
  s.rows = 1;
  s.fill_in();
  const Run run = runs().front();
  Arrays m(s);
  SquareAttack a = m.attack(s);
  for (int k = 0; k < kSquarePhases; ++k) a.phase[k] = {k == 0 ? 0 : k + 1, std::max(1, 7 - k)};
  run.kernels.square_start_linf(run.queue, a);
  std::vector<int> sides;
  for (int turn = 0; turn < 9; ++turn) {
    run.kernels.square_step_linf(run.queue, a);
    sides.push_back(m.search[0].side);
  }
  CHECK(sides == std::vector<int>{7, 7, 6, 5, 4, 3, 2, 1, 1});
}

TEST_CASE("square_step_l2: mass moves from the second window into the first, and the norm stays") {
  for (const std::int32_t side : {1, 3, 5, 7}) {
    CAPTURE(side);
    Search s;
    s.height = 11;
    s.width = 8;
    s.side = side;
    s.eps = 0.5f;
    s.fill_in();
    for (float& v : s.clean) v = 0.5f;
    same_everywhere([&](const Run& run) {
      Arrays m(s);
      const SquareAttack a = m.attack(s);
      run.kernels.square_start_l2(run.queue, a);
      Outputs all;
      for (int turn = 0; turn < 20; ++turn) {
        for (std::size_t row = 0; row < 4; ++row) m.loss[row] = static_cast<float>(turn % 3);
        run.kernels.square_step_l2(run.queue, a);
        const std::vector<float> x = m.x.values(), best = m.best.values();
        for (std::int64_t row = 0; row < s.rows; ++row) {
          const Moved now = moved(s, x.data(), row);
          CHECK(now.norm <= s.eps);
          CHECK(now.norm > 0.999 * s.eps);
          CHECK(now.in_box);
          CHECK(moved(s, best.data(), row).norm <= s.eps);
          CHECK((m.search[static_cast<std::size_t>(row)].top + side <= 11));
        }
        all.push_back(x);
        all.push_back(best);
      }
      return all;
    });
  }
}

TEST_CASE("square_step_l2: a turn is what the paper's algorithm 3 says") {
  Search s;
  s.rows = 20;
  s.channels = 2;
  s.height = 13;
  s.width = 9;
  s.side = 5;
  s.eps = 0.4f;
  s.fill_in();
  for (float& v : s.clean) v = 0.5f;
  const Run run = runs().front();
  Arrays m(s);
  run.kernels.square_start_l2(run.queue, m.attack(s));
  run.kernels.square_step_l2(run.queue, m.attack(s));
  int disjoint = 0;
  for (std::int64_t row = 0; row < s.rows; ++row) {
    const SquareSearch& w = m.search[static_cast<std::size_t>(row)];
    bool found = false;
    // The second window, the orientation and the signs are found by trying.
    for (std::int64_t top2 = 0; top2 <= s.height - 5; ++top2)
      for (std::int64_t left2 = 0; left2 <= s.width - 5; ++left2)
        for (int kind = 0; kind < 8 && !found; ++kind) {
          const std::vector<double> pattern = pyramids(5, (kind & 1) != 0);
          double used = 0, after = 0;
          std::vector<double> next;
          for (std::int64_t i = 0; i < s.image(); ++i) {
            const auto k = static_cast<std::size_t>(row * s.image() + i);
            next.push_back(double{m.best[k]} - s.clean[k]);
            used += next.back() * next.back();
          }
          const double spare = std::max(0.0, double{s.eps} * s.eps - used) / 2;
          for (std::int64_t c = 0; c < 2; ++c) {
            double first = 0, both = 0, squares = 0;
            std::vector<double> fresh;
            const auto at = [&](std::int64_t i, std::int64_t j) -> double& {
              return next[static_cast<std::size_t>((c * s.height + i) * s.width + j)];
            };
            for (std::int64_t i = 0; i < s.height; ++i)
              for (std::int64_t j = 0; j < s.width; ++j) {
                const bool in1 = i >= w.top && i < w.top + 5 && j >= w.left && j < w.left + 5;
                const bool in2 = i >= top2 && i < top2 + 5 && j >= left2 && j < left2 + 5;
                if (in1) first += at(i, j) * at(i, j);
                if (in1 || in2) both += at(i, j) * at(i, j);
                if (in2 && !in1) at(i, j) = 0;
              }
            const double sign = (kind >> (1 + c) & 1) != 0 ? 1 : -1;
            for (std::int64_t i = 0; i < 5; ++i)
              for (std::int64_t j = 0; j < 5; ++j) {
                fresh.push_back(sign * pattern[static_cast<std::size_t>(i * 5 + j)] +
                                at(w.top + i, w.left + j) / std::sqrt(first));
                squares += fresh.back() * fresh.back();
              }
            for (std::int64_t i = 0; i < 5; ++i)
              for (std::int64_t j = 0; j < 5; ++j)
                at(w.top + i, w.left + j) =
                    fresh[static_cast<std::size_t>(i * 5 + j)] * std::sqrt((spare + both) / squares);
          }
          for (const double d : next) after += d * d;
          double worst = 0;
          for (std::int64_t i = 0; i < s.image(); ++i) {
            const double d = next[static_cast<std::size_t>(i)] * s.eps / std::sqrt(after);
            worst = std::max(worst, std::abs(m.x[static_cast<std::size_t>(row * s.image() + i)] - 0.5 - d));
          }
          if (worst < 1e-6) {
            found = true;
            disjoint += std::abs(top2 - w.top) >= 5 || std::abs(left2 - w.left) >= 5 ? 1 : 0;
          }
        }
    CHECK(found);
  }
  CHECK(disjoint > 0);
}

TEST_CASE("square: another restart and another sample draw others, and ball and box hold on the border") {
  for (const bool linf : {true, false}) {
    Search s;
    s.eps = 0.7f;
    s.fill_in();
    std::vector<std::vector<float>> found;
    for (const std::uint32_t restart : {0u, 1u}) {
      s.state.restart = restart;
      const Run run = runs().front();
      Arrays m(s);
      const SquareAttack a = m.attack(s);
      (linf ? run.kernels.square_start_linf : run.kernels.square_start_l2)(run.queue, a);
      found.push_back(m.x.values());
      for (int turn = 0; turn < 50; ++turn) {
        for (std::size_t row = 0; row < 4; ++row) m.loss[row] = static_cast<float>(turn);
        (linf ? run.kernels.square_step_linf : run.kernels.square_step_l2)(run.queue, a);
        for (std::int64_t row = 0; row < s.rows; ++row) {
          const Moved now = moved(s, m.x.data(), row);
          CHECK((linf ? now.largest : now.norm) <= s.eps);
          CHECK(now.in_box);
        }
      }
      found.push_back(m.x.values());
    }
    CHECK(found[0] != found[2]);
    CHECK(found[1] != found[3]);
  }
}

}  // namespace
}  // namespace inocula::test
