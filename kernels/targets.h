// What an attack aims at, per sample, and whether it got there.
#pragma once

#include <cstdint>

#include "kernels/step_state.h"

namespace inocula {

enum class TargetRule : std::int32_t {
  given,         ///< one class for all
  least_likely,  ///< lowest clean logit of a class other than the label, the lowest index among equals
  random,        ///< uniform over the classes other than the label
  next,          ///< the label's successor, class 0 after the last
  likely,        ///< number `given`, from 1 on, of the other classes in falling order of their clean logits
};

/// choose_target: the class that each sample shall be taken for.
struct ChooseTarget {
  const float* logits = nullptr;  ///< (rows, classes), of the clean images; read by least_likely, likely
  const std::int32_t* label = nullptr;   ///< (rows); not read by given
  const std::int32_t* sample = nullptr;  ///< (rows): index of the image in its data set
  const StepState* state = nullptr;
  const std::int32_t* restart =
      nullptr;                     ///< (rows): number of each row's draws, added to the state's; may be null
  std::int32_t* target = nullptr;  ///< (rows), written
  std::int64_t rows = 0, classes = 0;
  TargetRule rule = TargetRule::given;
  std::int32_t given = 0;
};

/// judge: score and hit of an attack's candidates. score = loss, or -loss where the attack descends; hit =
/// predicted is not the label, or, with a target, predicted is the target.
struct Judge {
  const float* loss = nullptr;              ///< (rows)
  const std::int32_t* predicted = nullptr;  ///< (rows)
  const std::int32_t* label = nullptr;      ///< (rows)
  const std::int32_t* target = nullptr;     ///< (rows) or null
  float* score = nullptr;                   ///< (rows), written
  std::int32_t* hit = nullptr;              ///< (rows), written
  std::int64_t rows = 0;
  std::int32_t descends = 0;
};

}  // namespace inocula
