// Whether the figures of an attack can be believed: the checks that a careful reader would make.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "attacks/evaluate.h"
#include "engine/shape.h"

namespace inocula {

/// Images that the unbounded attack is tried on, at most, and its steps, at least and at most.
inline constexpr std::int64_t kUnboundedImages = 256, kUnboundedSteps = 20, kMostUnboundedSteps = 100;
/// What network_checks asks for, on so many images at most.
inline constexpr const char* kSmallStep = "fgsm:norm=linf,eps=1/255";
inline constexpr std::int64_t kSteppedImages = 256;
/// Survivors that the search without gradients is tried on, at most, and its queries.
inline constexpr std::int64_t kProbedSurvivors = 128, kProbeQueries = 100;
/// Survivors that twice the steps are tried on, at most.
inline constexpr std::int64_t kResumedSurvivors = 64;

/// Runs the attack of a spec and answers its row.
using RunAttack = std::function<nlohmann::ordered_json(const std::string& spec, std::int64_t images)>;

struct TrustRuns {
  RunAttack afresh;  ///< on at most so many images; 0: on all that are judged
  /// On at most so many of those that the checked attack left right at its largest eps; missing where they
  /// cannot be attacked by themselves.
  RunAttack on_survivors;
};

/// What is to be expected of any attack without a radius.
struct ChecksAsked {
  /// It breaks every image: no other constraint holds it back, and the network tells classes apart.
  bool unbounded = true;
  /// So does one that stops at the boundary: images are not rounded to grey levels after it.
  bool nearest = true;
};

/// What Carlini et al., "On evaluating adversarial robustness" (2019), and Athalye et al., ICML 2018, ask of
/// every figure under attack, for the attack of a spec whose rows of evaluate.json are `rows`, in any order.
/// Of one that climbs the loss of the label along its gradient in more than one step:
/// - "iterative_at_least_as_strong": not more than a hundredth, or one image, more accuracy than one step
///   leaves at the largest eps;
/// - "search_finds_no_more": a random search that asks for logits alone (Square, few queries) breaks at most
///   one in fifty of the images that the attack left, or one; missing in l1 and for ensembles, which have
///   their own;
/// - "more_steps_find_little_more": with twice the steps the attack breaks at most one in twenty of the
/// images
///   that it left, or one; missing for ensembles.
/// Of every attack within a radius:
/// - "falls_with_eps": accuracy is nowhere more than a hundredth, or one image, above that of a smaller eps;
/// missing for a
///   single eps and where images stay broken at larger eps by definition;
/// - "unbounded_breaks_every_image": following the gradient from the image, which may become any other,
/// leaves
///   at most one in twenty right, or one. A network that only noise confuses does not pass: the start is the
///   image. Missing where that is not to be expected, and where the attack itself left so few;
/// - "norms_within_eps": the largest norm, measured afresh, is at most eps but for rounding; where images
///   have radii of their own, the largest of norms over radii is at most 1.
/// Of one that looks for the nearest image however far:
/// - "finds_an_image": for all but one in twenty of those that were right, or one; missing where that is not
/// to
///   be expected, in L0, whose steps are bounded, and towards a target.
/// Of all:
/// - "gradients_not_zero": at most one gradient in twenty was zero everywhere.
/// Answers
/// [{"attack", "check", "passed", "severity": "warn" or "fail", "says"}].
nlohmann::ordered_json trust_checks(const std::string& attack, const nlohmann::ordered_json& rows,
                                    const Shape& image, const ChecksAsked& asked, const TrustRuns& runs);

/// Whether a network is right clearly more often than who always gives the most frequent answer: on a tenth
/// at least of what that one misses. What always gives the same answer cannot be attacked. Of the clean row.
bool tells_classes_apart(const nlohmann::ordered_json& clean);

/// "gradients_at_least_as_strong", over all rows of evaluate.json: where an attack that sees no gradients
/// (square, noise) leaves less than the best attack of the same norm and radius that climbs the loss of the
/// label along them in several steps, by more than 0.2 points and more than one image, or an ensemble's
/// search without gradients broke more than that, gradients mislead (Croce, Hein, ICML 2020). Of a row
/// without such a partner there is no verdict.
nlohmann::ordered_json black_box_checks(const nlohmann::ordered_json& rows);

/// Of the network itself, from its answers to the same images, asked twice:
/// - "answers_repeat": they are the same, to 1e-4 of the largest logit; else it draws random numbers, and an
///   attack has to average over them (Athalye et al., 2018), or the attacks in between have changed it;
/// - "answers_are_logits": not every row is a distribution already (numbers in [0, 1] whose sum is 1 to
/// 1e-5),
///   of which a second softmax has next to no gradient.
/// - "gradients_foretell_loss": a step of 1/255 along the gradient's sign, of which `stepped` has the answers
///   for its first images, raises the cross-entropy of at least four images in five that it changes.
nlohmann::ordered_json network_checks(const attacks::Evaluation& once, const attacks::Evaluation& again,
                                      const attacks::Evaluation& stepped);

/// "pass", "warn", or "fail": the worst that a list of checks says.
std::string trust_in(const nlohmann::ordered_json& checks);

}  // namespace inocula
