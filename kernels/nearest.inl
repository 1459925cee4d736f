// Bodies of keeping the nearest.
#include "kernels/nearest.h"

#include <cmath>

#include "kernels/for_each.h"
#include "kernels/row_radius.h"

INOCULA_BEGIN_TARGET

namespace {

struct NearestRow {
  KeepNearest a;

  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const bool hit = a.hit[row] != 0;
    const float* const x = a.x + row * a.cols;
    const float distance = hit ? measure(team, x, a.clean + row * a.cols) : INFINITY;
    const bool nearer = distance < a.distance[row];
    float* const nearest = a.nearest + row * a.cols;
    team.each(nearer ? a.cols : 0, [=](std::int64_t i) { nearest[i] = x[i]; });
    if (nearer && team.leads()) a.distance[row] = distance;
  }

 private:
  INOCULA_DEVICE float measure(const Team& team, const float* x, const float* clean) const {
    const auto difference = [=](std::int64_t i) { return fabs(static_cast<double>(x[i]) - clean[i]); };
    double d = 0;
    switch (a.norm) {
      case Distance::linf:
        d = team.largest(a.cols, 0.0, difference);
        break;
      case Distance::l2:
        d = sqrt(team.sum(a.cols, [=](std::int64_t i) { return difference(i) * difference(i); }));
        break;
      case Distance::l1:
        d = team.sum(a.cols, difference);
        break;
      case Distance::l0:
        d = team.sum(a.cols, [=](std::int64_t i) { return x[i] != clean[i] ? 1.0 : 0.0; });
        break;
    }
    return static_cast<float>(d);
  }
};

struct ReleaseRow {
  ReleaseBeyond a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const float distance = a.distance[row];
    // An infinite radius takes whatever was found.
    const bool kept = distance < INFINITY && distance <= of_row(a.eps, a.eps_scale, row);
    const float* const clean = a.clean + row * a.cols;
    float* const x = a.x + row * a.cols;
    team.each(kept ? 0 : a.cols, [=](std::int64_t i) { x[i] = clean[i]; });
  }
};

}  // namespace

void keep_nearest(const Queue& queue, const KeepNearest& args) {
  for_each_row(queue, args.rows, args.cols, NearestRow{args});
}

void release_beyond(const Queue& queue, const ReleaseBeyond& args) {
  for_each_row(queue, args.rows, args.cols, ReleaseRow{args});
}

INOCULA_END_TARGET
