// Cross-entropy with a consistency term: the answers to several views of one image shall agree.
//
// Hendrycks et al., "AugMix: a simple data processing method to improve robustness and uncertainty", ICLR
// 2020; Zhang et al., "Theoretically principled trade-off between robustness and accuracy", ICML 2019.
#pragma once

#include <cstdint>

namespace inocula {

/// With z_v the logits of view v and p_v their softmax,
///   loss = logsumexp(z_0) - z_0[label] + weight D
/// and dlogits = scale times the loss's gradient by the logits of all views. Computed in double.
///
/// jsd_ce: D = 1 / views sum over v and j of p_v[j] ln(p_v[j] / M[j]), the Jensen-Shannon divergence, M the
/// mean of the p_v, not below 1e-7; where M is held there it is a constant. A logit that is not finite makes
/// its row's loss and gradient NaN.
///
/// kl_ce: of two views, D = KL(p_0 || p_1) = sum over j of p_0[j] ln(p_0[j] / p_1[j]); its gradient reaches
/// both. A NaN or +infinite logit makes its row's loss NaN, one of -infinity infinite or NaN.
struct ConsistencyCe {
  const float* logits = nullptr;        ///< (views, rows, classes)
  const std::int32_t* label = nullptr;  ///< (rows), each in [0, classes)
  float* dlogits = nullptr;             ///< (views, rows, classes)
  float* loss = nullptr;                ///< (rows), unscaled
  std::int32_t* predicted = nullptr;    ///< (rows): arg max of view 0, the lowest index among equals
  std::int64_t rows = 0, classes = 0;
  std::int32_t views = 0;  ///< 2 to kMostViews; kl_ce: 2
  float weight = 12;       ///< of the divergence
  float scale = 1;
};

inline constexpr std::int32_t kMostViews = 8;

}  // namespace inocula
