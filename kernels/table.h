// Every fused kernel, once: its name, its arguments, and the table of function pointers a target fills.
#pragma once

#include "kernels/apgd.h"
#include "kernels/augmix.h"
#include "kernels/best.h"
#include "kernels/binary_ce.h"
#include "kernels/calibrate.h"
#include "kernels/carlini_wagner.h"
#include "kernels/carried_delta.h"
#include "kernels/channel_sums.h"
#include "kernels/channels.h"
#include "kernels/consistency.h"
#include "kernels/deepfool.h"
#include "kernels/divergence.h"
#include "kernels/eps_scale.h"
#include "kernels/fab.h"
#include "kernels/gather.h"
#include "kernels/grey.h"
#include "kernels/image_gradient.h"
#include "kernels/label_view.h"
#include "kernels/linear.h"
#include "kernels/logit_pick.h"
#include "kernels/margin.h"
#include "kernels/measure.h"
#include "kernels/nearest.h"
#include "kernels/noise.h"
#include "kernels/norm.h"
#include "kernels/optim.h"
#include "kernels/pgd_step.h"
#include "kernels/pointwise.h"
#include "kernels/pool.h"
#include "kernels/project_ball.h"
#include "kernels/queue.h"
#include "kernels/region.h"
#include "kernels/requantise.h"
#include "kernels/roof.h"
#include "kernels/saliency.h"
#include "kernels/softmax_ce.h"
#include "kernels/sparse_apgd.h"
#include "kernels/sparse_step.h"
#include "kernels/square.h"
#include "kernels/ssim.h"
#include "kernels/start.h"
#include "kernels/start_l1.h"
#include "kernels/targets.h"
#include "kernels/weights.h"

/// X(function, argument struct): to add a kernel, write its header and body, and one line here.
#define INOCULA_KERNELS(X)                                   \
  X(pgd_step_linf, PgdStep)                                  \
  X(pgd_step_l2, PgdStep)                                    \
  X(sparse_step, SparseStep)                                 \
  X(apgd_look, ApgdLook)                                     \
  X(apgd_step_linf, ApgdStep)                                \
  X(apgd_step_l2, ApgdStep)                                  \
  X(sparse_apgd_look, SparseApgdLook)                        \
  X(sparse_apgd_step, SparseApgdStep)                        \
  X(accumulate_momentum, AccumulateMomentum)                 \
  X(start_uniform_linf, RandomStart)                         \
  X(start_uniform_l2, RandomStart)                           \
  X(start_uniform_l1, RandomStart)                           \
  X(start_sphere_l2, RandomStart)                            \
  X(start_normal_linf, RandomStart)                          \
  X(start_normal_l2, RandomStart)                            \
  X(match_ssim, MatchSsim)                                   \
  X(next_restart, NextRestart)                               \
  X(add_delta, AddDelta)                                     \
  X(ascend_delta_linf, AscendDelta)                          \
  X(keep_to_region, KeepToRegion)                            \
  X(gather_eps_scale, GatherEpsScale)                        \
  X(repeat_over_channels, RepeatOverChannels)                \
  X(sum_over_channels, SumOverChannels)                      \
  X(requantise, Requantise)                                  \
  X(keep_best, KeepBest)                                     \
  X(keep_nearest, KeepNearest)                               \
  X(release_beyond, ReleaseBeyond)                           \
  X(rank_classes, RankClasses)                               \
  X(pick_logits, PickLogits)                                 \
  X(deepfool_consider, DeepFoolConsider)                     \
  X(deepfool_move, DeepFoolMove)                             \
  X(cw_start, CwStart)                                       \
  X(cw_begin, CwBegin)                                       \
  X(cw_judge, CwJudge)                                       \
  X(cw_step, CwStep)                                         \
  X(cw_next, CwNext)                                         \
  X(saliency_step, SaliencyStep)                             \
  X(square_start_linf, SquareAttack)                         \
  X(square_start_l2, SquareAttack)                           \
  X(square_step_linf, SquareAttack)                          \
  X(square_step_l2, SquareAttack)                            \
  X(fab_start, FabStart)                                     \
  X(keep_boundary, KeepBoundary)                             \
  X(fab_step, FabStep)                                       \
  X(fab_retreat, FabRetreat)                                 \
  X(project_l1, ProjectBall)                                 \
  X(project_l2, ProjectBall)                                 \
  X(margin_loss, MarginLoss)                                 \
  X(dlr_loss, MarginLoss)                                    \
  X(softmax_ce, SoftmaxCe)                                   \
  X(binary_ce, BinaryCe)                                     \
  X(label_logits, LabelLogits)                               \
  X(label_gradient, LabelGradient)                           \
  X(choose_target, ChooseTarget)                             \
  X(judge, Judge)                                            \
  X(affine, Affine)                                          \
  X(pack_positive, PackPositive)                             \
  X(join_gradient, JoinGradient)                             \
  X(batch_statistics, BatchStatistics)                       \
  X(fold_norm, FoldNorm)                                     \
  X(norm_gradient_sums, NormGradientSums)                    \
  X(norm_backward, NormBackward)                             \
  X(max_pool, MaxPool)                                       \
  X(max_pool_backward, MaxPoolBackward)                      \
  X(average_pool, AveragePool)                               \
  X(average_pool_backward, AveragePoolBackward)              \
  X(global_average_pool, GlobalAveragePool)                  \
  X(global_average_pool_backward, GlobalAveragePoolBackward) \
  X(image_gradient, ImageGradient)                           \
  X(copy_channels, CopyChannels)                             \
  X(pack_weights, PackWeights)                               \
  X(add_weight_gradient, AddWeightGradient)                  \
  X(add_channel_sums, AddChannelSums)                        \
  X(linear_forward, LinearForward)                           \
  X(linear_backward_data, LinearBackwardData)                \
  X(linear_backward_params, LinearBackwardParams)            \
  X(sgd, Sgd)                                                \
  X(adam, Adam)                                              \
  X(fill, Fill)                                              \
  X(scale_rows, ScaleRows)                                   \
  X(bin_confidence, BinConfidence)                           \
  X(tally, Tally)                                            \
  X(gather, Gather)                                          \
  X(mask_padding, MaskPadding)                               \
  X(measure_perturbation, MeasurePerturbation)               \
  X(fma_chains, FmaChains)                                   \
  X(copy_floats, CopyFloats)                                 \
  X(count_zero_gradients, CountZeroGradients)                \
  X(gaussian_noise, Noise)                                   \
  X(speckle_noise, Noise)                                    \
  X(impulse_noise, Noise)                                    \
  X(shot_noise, Noise)                                       \
  X(jsd_ce, ConsistencyCe)                                   \
  X(kl_ce, ConsistencyCe)                                    \
  X(kl_divergence, KlDivergence)                             \
  X(augmix, AugMix)                                          \
  X(augment, Augment)

namespace inocula {

/// One per target; a launch returns once the work is enqueued (on the CPU: done).
struct KernelTable {
  const char* target = "";
#define INOCULA_KERNEL_POINTER(name, Args) void (*name)(const Queue&, const Args&) = nullptr;
  INOCULA_KERNELS(INOCULA_KERNEL_POINTER)
#undef INOCULA_KERNEL_POINTER
};

}  // namespace inocula
