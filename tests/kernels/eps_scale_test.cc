// Radii of rows: gathered by image, and the same to each kernel as a radius of that size.
#include "kernels/eps_scale.h"

#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

TEST_CASE("gather_eps_scale: the factor of each row's image, and the share alone without one") {
  const std::vector<float> factor = {0.5f, 2, 0, 3};
  const std::vector<std::int32_t> sample = {3, -1, 0, 2};
  for (const bool factors : {true, false}) {
    const Outputs out = same_everywhere([&](const Run& run) {
      Guarded<float> to(sample.size(), kNan);
      run.kernels.gather_eps_scale(run.queue,
                                   {factors ? factor.data() : nullptr, sample.data(), to.data(), 4, 0.25f});
      return Outputs{to.values()};
    });
    CHECK(out[0] == (factors ? std::vector<float>{0.75f, 0.25f, 0.125f, 0}
                             : std::vector<float>{0.25f, 0.25f, 0.25f, 0.25f}));
  }
}

/// Everything that a kernel with a radius takes.
struct Rows {
  static constexpr std::int64_t kRows = 3, kSide = 12, kCols = kSide * kSide;
  std::vector<float> x = random_floats(kRows * kCols, 1, 0, 1),
                     previous = random_floats(kRows * kCols, 2, 0, 1),
                     clean = random_floats(kRows * kCols, 3, 0.2f, 0.8f),
                     gradient = random_floats(kRows * kCols, 4), distance = {0.1f, 0.3f, 0.7f};
  std::vector<std::int32_t> sample = {4, 9, 2}, zeros = {0, 0, 0}, label = {0, 1, 2};
  std::vector<ApgdState> apgd = std::vector<ApgdState>(kRows, {.step = 0.1f, .turn = 1, .window = 22});
  std::vector<SquareSearch> search = std::vector<SquareSearch>(kRows);
  StepState state = {.seed = 5, .restart = 1};
};

/// With factors, or, row by row, with the radius and step that they make.
template <class Call>
void check_scaled(const char* name, const Call& call) {
  CAPTURE(name);
  const std::vector<float> scale = {0.5f, 3.0f, 0.0f};
  constexpr float kEps = 0.25f;
  for (const Run& run : runs()) {
    CAPTURE(run.name);
    Rows all;
    call(run, all, std::int64_t{0}, Rows::kRows, kEps, scale.data());
    for (std::int64_t row = 0; row < Rows::kRows; ++row) {
      Rows one;
      call(run, one, row, std::int64_t{1}, kEps * scale[static_cast<std::size_t>(row)], nullptr);
      const auto begin = static_cast<std::ptrdiff_t>(row * Rows::kCols), end = begin + Rows::kCols;
      CHECK(std::vector<float>(all.x.begin() + begin, all.x.begin() + end) ==
            std::vector<float>(one.x.begin() + begin, one.x.begin() + end));
      CHECK(all.apgd[static_cast<std::size_t>(row)].step == one.apgd[static_cast<std::size_t>(row)].step);
    }
  }
}

TEST_CASE("eps_scale: each row as with a radius of its own") {
  const auto step = [](const auto kernel) {
    return [kernel](const Run& run, Rows& m, std::int64_t row, std::int64_t rows, float eps,
                    const float* scale) {
      const std::int64_t at = row * Rows::kCols;
      PgdStep a;
      a.x = m.x.data() + at;
      a.gradient = m.gradient.data() + at;
      a.clean = m.clean.data() + at;
      a.rows = rows;
      a.cols = Rows::kCols;
      a.alpha = a.eps = eps;
      a.eps_scale = scale;
      (run.kernels.*kernel)(run.queue, a);
    };
  };
  check_scaled("pgd_step_linf", step(&KernelTable::pgd_step_linf));
  check_scaled("pgd_step_l2", step(&KernelTable::pgd_step_l2));

  const auto project = [](const auto kernel) {
    return [kernel](const Run& run, Rows& m, std::int64_t row, std::int64_t rows, float eps,
                    const float* scale) {
      const std::int64_t at = row * Rows::kCols;
      ProjectBall a;
      a.x = m.x.data() + at;
      a.clean = m.clean.data() + at;
      a.rows = rows;
      a.cols = Rows::kCols;
      a.eps = eps;
      a.eps_scale = scale;
      (run.kernels.*kernel)(run.queue, a);
    };
  };
  check_scaled("project_l1", project(&KernelTable::project_l1));
  check_scaled("project_l2", project(&KernelTable::project_l2));

  const auto start = [](const auto kernel) {
    return [kernel](const Run& run, Rows& m, std::int64_t row, std::int64_t rows, float eps,
                    const float* scale) {
      const std::int64_t at = row * Rows::kCols;
      RandomStart a;
      a.x = m.x.data() + at;
      a.clean = m.clean.data() + at;
      a.sample = m.sample.data() + row;
      a.state = &m.state;
      a.rows = rows;
      a.cols = Rows::kCols;
      a.eps = eps;
      a.deviation = 0.1f;
      a.eps_scale = scale;
      (run.kernels.*kernel)(run.queue, a);
    };
  };
  for (const auto kernel :
       {&KernelTable::start_uniform_linf, &KernelTable::start_uniform_l2, &KernelTable::start_sphere_l2,
        &KernelTable::start_normal_linf, &KernelTable::start_normal_l2})
    check_scaled("start", start(kernel));

  const auto apgd = [](const auto kernel) {
    return [kernel](const Run& run, Rows& m, std::int64_t row, std::int64_t rows, float eps,
                    const float* scale) {
      const std::int64_t at = row * Rows::kCols;
      ApgdStep a;
      a.x = m.x.data() + at;
      a.previous = m.previous.data() + at;
      a.gradient = m.gradient.data() + at;
      a.clean = m.clean.data() + at;
      a.state = m.apgd.data() + row;
      a.done = m.zeros.data() + row;
      a.rows = rows;
      a.cols = Rows::kCols;
      a.eps = eps;
      a.eps_scale = scale;
      (run.kernels.*kernel)(run.queue, a);
    };
  };
  check_scaled("apgd_step_linf", apgd(&KernelTable::apgd_step_linf));
  check_scaled("apgd_step_l2", apgd(&KernelTable::apgd_step_l2));
  check_scaled("apgd_look", [](const Run& run, Rows& m, std::int64_t row, std::int64_t rows, float eps,
                               const float* scale) {
    m.apgd.assign(Rows::kRows, {});
    std::vector<std::int32_t> done(Rows::kRows);
    std::vector<float> best(m.x.size()), best_gradient(m.x.size());
    ApgdLook a;
    a.x = m.x.data();
    a.gradient = m.gradient.data();
    a.loss = m.distance.data();
    a.hit = m.zeros.data();
    a.sample = m.sample.data();
    a.best = best.data();
    a.best_gradient = best_gradient.data();
    a.state = m.apgd.data() + row;
    a.done = done.data();
    a.rows = rows;
    a.cols = Rows::kCols;
    a.step = eps;
    a.eps_scale = scale;
    run.kernels.apgd_look(run.queue, a);
  });

  const auto square = [](const auto first, const auto next) {
    return [first, next](const Run& run, Rows& m, std::int64_t row, std::int64_t rows, float eps,
                         const float* scale) {
      const std::int64_t at = row * Rows::kCols;
      std::vector<float> best(m.x.size());
      std::vector<std::int32_t> done(Rows::kRows);
      SquareAttack a;
      a.x = m.x.data() + at;
      a.best = best.data() + at;
      a.clean = m.clean.data() + at;
      a.search = m.search.data() + row;
      a.done = done.data() + row;
      a.loss = m.distance.data() + row;
      a.predicted = a.label = m.label.data() + row;
      a.sample = m.sample.data() + row;
      a.state = &m.state;
      a.rows = rows;
      a.channels = 1;
      a.height = a.width = Rows::kSide;
      a.eps = eps;
      a.eps_scale = scale;
      for (SquarePhase& p : a.phase) p.side = 5;
      (run.kernels.*first)(run.queue, a);
      (run.kernels.*next)(run.queue, a);
    };
  };
  check_scaled("square linf", square(&KernelTable::square_start_linf, &KernelTable::square_step_linf));
  check_scaled("square l2", square(&KernelTable::square_start_l2, &KernelTable::square_step_l2));

  check_scaled("fab_start", [](const Run& run, Rows& m, std::int64_t row, std::int64_t rows, float eps,
                               const float* scale) {
    const std::int64_t at = row * Rows::kCols;
    FabStart a;
    a.x = m.x.data() + at;
    a.clean = m.clean.data() + at;
    a.sample = m.sample.data() + row;
    a.state = &m.state;
    a.rows = rows;
    a.cols = Rows::kCols;
    a.radius = eps;
    a.eps_scale = scale;
    run.kernels.fab_start(run.queue, a);
  });
  check_scaled("release_beyond", [](const Run& run, Rows& m, std::int64_t row, std::int64_t rows, float eps,
                                    const float* scale) {
    const std::int64_t at = row * Rows::kCols;
    ReleaseBeyond a;
    a.x = m.x.data() + at;
    a.clean = m.clean.data() + at;
    a.distance = m.distance.data() + row;
    a.rows = rows;
    a.cols = Rows::kCols;
    a.eps = eps;
    a.eps_scale = scale;
    run.kernels.release_beyond(run.queue, a);
  });
}

}  // namespace
}  // namespace inocula::test
