// Whether the figures of an attack can be believed: the checks that a careful reader would make.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/shape.h"

namespace inocula {

/// Images that the unbounded attack is tried on, at most, and its steps, at least and at most.
inline constexpr std::int64_t kUnboundedImages = 256, kUnboundedSteps = 20, kMostUnboundedSteps = 100;

/// Runs the attack of a spec on at most so many images (0: on all that are judged) and answers its row.
using RunAttack = std::function<nlohmann::ordered_json(const std::string& spec, std::int64_t limit)>;

/// Where an unlimited radius leads from an image.
enum class Reach {
  every_image,
  some_images,  ///< other constraints hold it back
};

/// What Carlini et al., "On evaluating adversarial robustness" (2019), and Athalye et al., ICML 2018, ask of
/// every figure under attack, for one attack whose rows of evaluate.json are `rows`, in any order:
/// - "iterative_at_least_as_strong": not more than a hundredth more accuracy than one step leaves at the
///   largest eps; missing for an attack of one step;
/// - "falls_with_eps": accuracy is nowhere more than a hundredth above that of a smaller eps; missing for a
///   single eps;
/// - "unbounded_reaches_chance": where every image may become any other, at most one image in `classes` is
///   still right; missing where it may not;
/// - "gradients_not_zero": at most one gradient in twenty was zero everywhere;
/// - "norms_within_eps": the largest norm, measured afresh, is at most eps but for rounding; where images
///   have radii of their own, the largest of norms over radii is at most 1.
/// An attack without a radius, or in another norm than linf and l2, has the check of its gradients alone.
/// Answers
/// [{"attack", "check", "passed", "severity": "warn" or "fail", "says"}].
nlohmann::ordered_json trust_checks(const std::string& attack, const nlohmann::ordered_json& rows,
                                    const Shape& image, std::int64_t classes, Reach reach,
                                    const RunAttack& run);

/// "gradients_at_least_as_strong", over all rows of evaluate.json: where an attack that sees no gradients
/// (square, noise) leaves less than the best attack of the same norm and radius that follows them, by more
/// than 0.2 points, or an ensemble's search without gradients broke more than that of the images, gradients
/// mislead (Croce, Hein, ICML 2020). Of a row without such a partner there is no verdict.
nlohmann::ordered_json black_box_checks(const nlohmann::ordered_json& rows);

/// "pass", "warn", or "fail": the worst that a list of checks says.
std::string trust_in(const nlohmann::ordered_json& checks);

}  // namespace inocula
