// Cross-entropy with a consistency term: the answers to several views of one image shall agree.
//
// Hendrycks et al., "AugMix: a simple data processing method to improve robustness and uncertainty", ICLR
// 2020.
#pragma once

#include <cstdint>

namespace inocula {

/// jsd_ce: with z_v the logits of view v, p_v their softmax and M the mean of the p_v, not below 1e-7,
///   loss = logsumexp(z_0) - z_0[label] + weight / views sum over v and j of p_v[j] ln(p_v[j] / M[j]),
/// and dlogits = scale times the loss's gradient: cross-entropy of view 0, the Jensen-Shannon divergence of
/// all. Where M is held at 1e-7 it is a constant. Computed in double. A logit that is not finite
/// makes its row's loss and gradients NaN.
struct JsdCe {
  const float* logits = nullptr;        ///< (views, rows, classes)
  const std::int32_t* label = nullptr;  ///< (rows), each in [0, classes)
  float* dlogits = nullptr;             ///< (views, rows, classes)
  float* loss = nullptr;                ///< (rows), unscaled
  std::int32_t* predicted = nullptr;    ///< (rows): arg max of view 0, the lowest index among equals
  std::int64_t rows = 0, classes = 0;
  std::int32_t views = 0;  ///< 2 to kMostViews
  float weight = 12;       ///< of the divergence
  float scale = 1;
};

inline constexpr std::int32_t kMostViews = 8;

}  // namespace inocula
