// Bodies of choosing and judging an attack's targets.
#include "kernels/targets.h"

#include <cmath>

#include "kernels/draw.h"
#include "kernels/for_each.h"
#include "kernels/restart.h"

INOCULA_BEGIN_TARGET

namespace {

struct ChooseRow {
  ChooseTarget a;

  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const std::int64_t target = choose(row, team);
    if (team.leads()) a.target[row] = static_cast<std::int32_t>(target);
  }

 private:
  INOCULA_DEVICE std::int64_t choose(std::int64_t row, const Team& team) const {
    switch (a.rule) {
      case TargetRule::least_likely:
        return least_likely(a.logits + row * a.classes, a.label[row], team);
      case TargetRule::random:
        return other_than(a.label[row], row);
      case TargetRule::next:
        return (a.label[row] + 1) % a.classes;
      case TargetRule::likely:
        return likely(a.logits + row * a.classes, a.label[row], team);
      case TargetRule::given:
        break;
    }
    return a.given;
  }

  /// Towards its own label an attack would mend what the network got wrong.
  INOCULA_DEVICE std::int64_t least_likely(const float* z, std::int64_t label, const Team& team) const {
    const float lowest =
        -team.largest(a.classes, -INFINITY, [=](std::int64_t j) { return j == label ? -INFINITY : -z[j]; });
    const std::int64_t index =
        team.first(a.classes, [=](std::int64_t j) { return j != label && z[j] == lowest; });
    return index < a.classes ? index : label == 0 ? 1 : 0;  // every logit is NaN
  }

  /// The class that as many others are ahead of as its number says; NaN comes last.
  INOCULA_DEVICE std::int64_t likely(const float* z, std::int64_t label, const Team& team) const {
    const std::int64_t classes = a.classes, wanted = a.given - 1;
    const auto rank = [=](std::int64_t j) {
      std::int64_t ahead = 0;
      for (std::int64_t i = 0; i < classes; ++i) {
        const bool tied = z[i] == z[j] || (z[i] != z[i] && z[j] != z[j]);
        const bool before = z[i] > z[j] || (z[j] != z[j] && z[i] == z[i]) || (tied && i < j);
        ahead += i != label && i != j && before ? 1 : 0;
      }
      return ahead;
    };
    return team.first(classes, [=](std::int64_t j) { return j != label && rank(j) == wanted; });
  }

  INOCULA_DEVICE std::int64_t other_than(std::int64_t label, std::int64_t row) const {
    const std::uint32_t word = draw(a.state->seed, Draw::target, restart_of(a, row), a.state->step,
                                    static_cast<std::uint32_t>(a.sample[row]), 0);
    const std::int64_t rank = uniform_below(word, static_cast<std::uint32_t>(a.classes - 1));
    return rank < label ? rank : rank + 1;
  }
};

struct JudgeElement {
  Judge a;
  INOCULA_DEVICE void operator()(std::int64_t row) const {
    const bool targeted = a.target != nullptr;
    a.score[row] = a.descends != 0 ? -a.loss[row] : a.loss[row];
    const bool hit = targeted ? a.predicted[row] == a.target[row] : a.predicted[row] != a.label[row];
    a.hit[row] = hit ? 1 : 0;
  }
};

}  // namespace

void choose_target(const Queue& queue, const ChooseTarget& args) {
  for_each_row(queue, args.rows, args.classes, ChooseRow{args});
}

void judge(const Queue& queue, const Judge& args) {
  for_each(queue, args.rows, JudgeElement{args});
}

INOCULA_END_TARGET
