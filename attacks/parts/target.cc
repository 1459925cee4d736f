// Recording the choice of targets.
#include "attacks/parts/target.h"

#include "engine/error.h"
#include "kernels/step_state.h"

namespace inocula::attacks {

std::string to_string(const Target& target) {
  switch (target.rule) {
    case TargetRule::least_likely:
      return "least_likely";
    case TargetRule::random:
      return "random";
    case TargetRule::next:
      return "next";
    case TargetRule::likely:
      return "likely" + std::to_string(target.given);
    case TargetRule::given:
      break;
  }
  return std::to_string(target.given);
}

void check_target(const Target& target, std::int64_t classes, const std::string& attack) {
  if (!target.targeted) return;
  if (target.rule == TargetRule::given && (target.given < 0 || target.given >= classes))
    fail(ErrorKind::usage, attack, ": target is class ", target.given, ", expected 0 to ", classes - 1);
  if (target.rule == TargetRule::likely && (target.given < 1 || target.given >= classes))
    fail(ErrorKind::usage, attack, ": target is number ", target.given,
         " of the likeliest other classes, expected 1 to ", classes - 1);
}

Tensor record_target(Recorder& r, Victim& victim, const PerturbationPorts& ports, const Target& target,
                     const std::string& attack) {
  if (!target.targeted) return {};
  const std::int64_t rows = ports.images.shape.n, classes = victim.classes();
  check_target(target, classes, attack);
  const bool by_logits = target.rule == TargetRule::least_likely || target.rule == TargetRule::likely;
  const Tensor logits = by_logits ? victim.logits(ports.images) : Tensor{};
  const Tensor chosen = r.make("target class", {rows, 1, 1, 1}, DType::i32);
  r.kernel("attack.target", r.kernels().choose_target,
           [=, rule = target.rule, given = target.given](Access& at) {
             return ChooseTarget{at.in(logits),
                                 at.in<std::int32_t>(ports.label),
                                 at.in<std::int32_t>(ports.sample),
                                 at.in<StepState>(ports.state),
                                 at.in<std::int32_t>(ports.restart),
                                 at.out<std::int32_t>(chosen),
                                 rows,
                                 classes,
                                 rule,
                                 given};
           });
  return chosen;
}

}  // namespace inocula::attacks
