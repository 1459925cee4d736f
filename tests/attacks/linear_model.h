// A classifier whose worst case is known in closed form: two classes, linear in the normalised images.
#pragma once

#include <cstdint>
#include <vector>

#include "attacks/evaluate.h"
#include "attacks/pgd.h"
#include "engine/network.h"
#include "engine/source.h"

namespace inocula::test {

/// z = W (x - mean) / std + b with random W. The loss of a sample is softplus(-margin), its margin the logit
/// of its label less the other, and the margin's gradient with respect to the images the same everywhere.
class LinearModel {
 public:
  LinearModel(const Shape& image, std::int64_t classes, unsigned seed);

  Network& network() { return network_; }
  std::int64_t classes() const { return classes_; }
  /// Of two classes: d margin / d x for a sample of that label.
  std::vector<double> margin_gradient(std::int32_t label) const;
  /// Logits in double.
  std::vector<double> logits(const std::vector<double>& x) const;
  /// Of two classes.
  double margin(const std::vector<double>& x, std::int32_t label) const;
  /// d CE(x, label) / dx for any number of classes.
  std::vector<double> loss_gradient(const std::vector<double>& x, std::int32_t label) const;
  /// Moves the bias so that the mean margin over label 0 is `margin`: so that attacks succeed on some.
  void centre(const ImageSplit& split, double margin);

 private:
  Shape image_;
  std::int64_t classes_;
  Network network_;
};

/// Images of a split as doubles, channels first, in [0, 1].
std::vector<double> image_of(const ImageSplit& split, std::int64_t index);

/// Bytes from [low, high], labels in turn.
ImageSplit split_between(std::int64_t count, const Shape& image, std::int64_t classes, int low, int high,
                         unsigned seed);

/// Minimum of <g, x'> over the ball of radius eps around x and the box [0, 1].
double least_linf(const std::vector<double>& g, const std::vector<double>& x, double eps);
double least_l2(const std::vector<double>& g, const std::vector<double>& x, double eps);
double least_l1(const std::vector<double>& g, const std::vector<double>& x, double eps);

/// One sample's slice of an evaluation's images.
std::vector<double> attacked_image(const attacks::Evaluation& e, std::int64_t index);

/// Over all images.
std::uint64_t total(const std::vector<std::uint64_t>& counts);

attacks::Evaluation evaluate(Network& network, const ImageSplit& split, const Perturbation& attack,
                             std::int64_t batch = 16, std::uint64_t seed = 7,
                             NormMode attack_norm = NormMode::frozen);

}  // namespace inocula::test
