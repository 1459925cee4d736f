// Auto-PGD step by step against the paper's algorithm in double, and the bounds of what it stores.
#include "kernels/apgd.h"

#include <algorithm>
#include <cmath>

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

constexpr std::int64_t kRows = 6, kCols = 45;
constexpr int kTurns = 40;
constexpr ApgdSchedule kSchedule{.first = 9, .decrease = 2, .least = 3, .share = 0.75f};

using Kernel = void (*KernelTable::*)(const Queue&, const ApgdStep&);

/// Losses and gradients that do not depend on where the attack is: what every turn finds.
struct Findings {
  std::vector<float> clean, start;
  std::vector<std::vector<float>> gradient, loss;  ///< by turn
  std::vector<std::vector<std::int32_t>> hit;
  float eps = 0;

  Findings(bool linf, unsigned seed) : eps(linf ? 0.1f : 0.8f) {
    const auto n = static_cast<std::size_t>(kRows * kCols);
    clean = random_floats(n, seed, 0, 1);
    for (std::size_t i = 0; i < n; i += 3) clean[i] = i % 2 == 0 ? 0.0f : 1.0f;
    start = clean;
    const std::vector<float> noise = random_floats(n, seed + 1, -0.01f, 0.01f);
    for (std::size_t i = 0; i < n; ++i) start[i] = std::clamp(clean[i] + noise[i], 0.0f, 1.0f);
    for (int turn = 0; turn <= kTurns; ++turn) {
      gradient.push_back(random_floats(n, seed + 10 + static_cast<unsigned>(turn)));
      loss.push_back(random_floats(kRows, seed + 1000 + static_cast<unsigned>(turn), 0, 1));
      // Row 0 rises always, row 1 falls always, row 2 rises for a while, the others go up and down.
      loss.back()[0] = static_cast<float>(turn);
      loss.back()[1] = static_cast<float>(-turn);
      loss.back()[2] = static_cast<float>(turn < 12 ? turn : 12 - turn);
      hit.emplace_back(static_cast<std::size_t>(kRows), 0);
      hit.back()[4] = turn >= 17 ? 1 : 0;
      hit.back()[5] = turn == 0 ? 1 : 0;
    }
  }
};

struct Trace {
  std::vector<std::vector<double>> x;  ///< after each step
  std::vector<double> best;
  std::vector<double> step;  ///< by row, at the end
};

/// Algorithm 1 for one row, from the paper.
class Paper {
 public:
  Paper(const Findings& f, bool linf, std::size_t row) : f_(f), linf_(linf), row_(row) {
    const auto begin = static_cast<std::ptrdiff_t>(row * kCols);
    x_.assign(f.start.begin() + begin, f.start.begin() + begin + kCols);
    clean_.assign(f.clean.begin() + begin, f.clean.begin() + begin + kCols);
    old_ = best_ = x_;
    eta_ = 2 * f.eps;
  }

  void run(Trace& t) {
    std::vector<double> best_gradient;
    double best_loss = 0, before = 0, at_check = 0;
    int since = 0, window = kSchedule.first, rises = 0;
    bool halved = true, done = false;
    for (int turn = 0; turn <= kTurns && !done; ++turn) {
      std::vector<double> g = gradient(turn);
      const double loss = f_.loss[static_cast<std::size_t>(turn)][row_];
      if (turn == 0 || loss > best_loss) best_loss = loss, best_ = x_, best_gradient = g;
      if (turn == 0) at_check = loss;
      if (turn > 0) rises += loss > before ? 1 : 0, ++since;
      before = loss;
      done = f_.hit[static_cast<std::size_t>(turn)][row_] != 0;
      if (done) best_ = x_;
      if (!done && since == window) {
        const bool halve = rises <= 0.75 * window || (!halved && at_check >= best_loss);
        halved = halve;
        at_check = best_loss;
        since = rises = 0;
        window = std::max(window - kSchedule.decrease, kSchedule.least);
        if (halve) eta_ /= 2, x_ = best_, g = best_gradient;
      }
      if (turn == kTurns) break;
      if (!done) step(g, turn == 0 ? 1.0 : 0.75);
      std::copy(x_.begin(), x_.end(),
                t.x[static_cast<std::size_t>(turn)].begin() + static_cast<std::ptrdiff_t>(row_ * kCols));
    }
    for (int turn = 0; turn < kTurns; ++turn)  // a row that is done stays
      if (done)
        for (std::size_t i = 0; i < x_.size(); ++i) {
          double& later = t.x[static_cast<std::size_t>(turn)][row_ * kCols + i];
          if (std::isnan(later)) later = x_[i];
        }
    std::copy(best_.begin(), best_.end(), t.best.begin() + static_cast<std::ptrdiff_t>(row_ * kCols));
    t.step[row_] = eta_;
  }

 private:
  std::vector<double> gradient(int turn) const {
    const std::vector<float>& g = f_.gradient[static_cast<std::size_t>(turn)];
    const auto begin = g.begin() + static_cast<std::ptrdiff_t>(row_ * kCols);
    return {begin, begin + kCols};
  }

  std::vector<double> project(std::vector<double> y) const {
    double squares = 0;
    for (std::size_t i = 0; i < y.size(); ++i) squares += (y[i] - clean_[i]) * (y[i] - clean_[i]);
    const double shrink = std::min(1.0, f_.eps / std::sqrt(squares));
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double delta = y[i] - clean_[i];
      const double held = linf_ ? std::clamp(delta, -double{f_.eps}, double{f_.eps}) : shrink * delta;
      y[i] = std::clamp(clean_[i] + held, 0.0, 1.0);
    }
    return y;
  }

  void step(const std::vector<double>& g, double share) {
    double squares = 0;
    for (const double v : g) squares += v * v;
    std::vector<double> z = x_;
    for (std::size_t i = 0; i < z.size(); ++i)
      z[i] += eta_ * (linf_ ? (g[i] > 0) - (g[i] < 0) : g[i] / std::sqrt(squares));
    z = project(z);
    std::vector<double> y = x_;
    for (std::size_t i = 0; i < y.size(); ++i)
      y[i] += share * (z[i] - x_[i]) + (1 - share) * (x_[i] - old_[i]);
    old_ = x_;
    x_ = project(y);
  }

  const Findings& f_;
  bool linf_;
  std::size_t row_;
  std::vector<double> x_, old_, best_, clean_;
  double eta_;
};

Trace paper(const Findings& f, bool linf) {
  const auto n = static_cast<std::size_t>(kRows * kCols);
  Trace t{std::vector<std::vector<double>>(kTurns, std::vector<double>(n, NAN)), std::vector<double>(n),
          std::vector<double>(kRows)};
  for (std::size_t row = 0; row < kRows; ++row) Paper(f, linf, row).run(t);
  return t;
}

/// All turns with the kernels: x after each step, then the best and the step lengths.
Outputs with_kernels(const Run& run, const Findings& f, Kernel step) {
  Outputs out;
  Guarded<float> x(f.start), previous(f.start), best(f.start), best_gradient(f.start.size());
  Guarded<ApgdState> state(kRows);
  Guarded<std::int32_t> done(kRows, 0);
  const std::vector<std::int32_t> sample = {0, 1, 2, 3, 4, 5};
  for (std::size_t turn = 0; turn <= kTurns; ++turn) {
    Guarded<float> gradient(f.gradient[turn]);
    run.kernels.apgd_look(run.queue, {.x = x.data(),
                                      .gradient = turn < kTurns ? gradient.data() : nullptr,
                                      .loss = f.loss[turn].data(),
                                      .hit = f.hit[turn].data(),
                                      .sample = sample.data(),
                                      .best = best.data(),
                                      .best_gradient = best_gradient.data(),
                                      .state = state.data(),
                                      .done = done.data(),
                                      .rows = kRows,
                                      .cols = kCols,
                                      .step = 2 * f.eps,
                                      .schedule = kSchedule});
    if (turn == kTurns) break;
    (run.kernels.*step)(run.queue, {.x = x.data(),
                                    .previous = previous.data(),
                                    .gradient = gradient.data(),
                                    .clean = f.clean.data(),
                                    .state = state.data(),
                                    .done = done.data(),
                                    .rows = kRows,
                                    .cols = kCols,
                                    .eps = f.eps});
    out.push_back(x.values());
  }
  out.push_back(best.values());
  std::vector<float> steps;
  for (const ApgdState& s : state.values()) steps.push_back(s.step);
  out.push_back(steps);
  out.push_back(as_floats(done.values()));
  return out;
}

TEST_CASE("apgd: forty turns are those of the paper's algorithm") {
  for (const bool linf : {true, false}) {
    CAPTURE(linf);
    const Findings f(linf, 30);
    const Outputs out = same_everywhere([&](const Run& run) {
      return with_kernels(run, f, linf ? &KernelTable::apgd_step_linf : &KernelTable::apgd_step_l2);
    });
    const Trace t = paper(f, linf);
    for (std::size_t turn = 0; turn < kTurns; ++turn) {
      CAPTURE(turn);
      check_near(out[turn], t.x[turn], 0, 3e-6, "x");
      double worst = 0;
      for (std::size_t row = 0; row < kRows; ++row) {
        double squares = 0;
        for (std::size_t i = row * kCols; i < (row + 1) * kCols; ++i) {
          const double delta = double{out[turn][i]} - f.clean[i];
          squares += delta * delta;
          worst = std::max(worst, linf ? std::fabs(delta) : std::sqrt(squares));
        }
      }
      CHECK(worst <= f.eps);
      CHECK(*std::min_element(out[turn].begin(), out[turn].end()) >= 0);
      CHECK(*std::max_element(out[turn].begin(), out[turn].end()) <= 1);
    }
    check_near(out[kTurns], t.best, 0, 3e-6, "best");
    check_near(out[kTurns + 1], t.step, 1e-6, 0, "step length");
    CHECK(out[kTurns + 2] == std::vector<float>{0, 0, 0, 0, 1, 1});
    // What rises always keeps its step; what falls always is halved at every second checkpoint and more.
    CHECK(out[kTurns + 1][0] == 2 * f.eps);
    CHECK(out[kTurns + 1][1] < f.eps);
  }
}

TEST_CASE("apgd_look: padding is done at once, and a NaN loss is never the best") {
  const std::vector<float> clean = {0.5f, 0.5f};
  const Outputs out = same_everywhere([&](const Run& run) {
    Guarded<float> x(clean), best(clean), gradient(2), best_gradient(2);
    Guarded<ApgdState> state(2);
    Guarded<std::int32_t> done(2, 0);
    const std::vector<std::int32_t> hit = {0, 0}, sample = {3, -1};
    const auto look = [&](float loss) {
      const std::vector<float> losses = {loss, loss};
      run.kernels.apgd_look(run.queue, {.x = x.data(),
                                        .gradient = gradient.data(),
                                        .loss = losses.data(),
                                        .hit = hit.data(),
                                        .sample = sample.data(),
                                        .best = best.data(),
                                        .best_gradient = best_gradient.data(),
                                        .state = state.data(),
                                        .done = done.data(),
                                        .rows = 2,
                                        .cols = 1,
                                        .step = 0.1f});
    };
    look(kNan);
    x[0] = 0.6f;
    look(kNan);
    const float after_nan = best[0];
    x[0] = 0.7f;
    x[1] = 0.7f;
    look(-3);
    return Outputs{best.values(), as_floats(done.values()), {after_nan}};
  });
  CHECK(out[0] == std::vector<float>{0.7f, 0.5f});
  CHECK(out[1] == std::vector<float>{0, 1});
  CHECK(out[2][0] == 0.5f);
}

}  // namespace
}  // namespace inocula::test
