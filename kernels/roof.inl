// Bodies of the measurements of the machine.
#include "kernels/roof.h"

#include "kernels/for_each.h"

INOCULA_BEGIN_TARGET

namespace {

/// The one place where multiplication and addition are fused: the peak is counted in fused operations.
INOCULA_DEVICE inline float fused(float a, float b, float c) {
#if defined(INOCULA_CUDA) || defined(__FMA__)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

struct FmaTask {
  FmaChains a;
  INOCULA_DEVICE void operator()(std::int64_t task, const Team& team) const {
    float chain[kFmaChains][kFmaLanes];
    for (int c = 0; c < kFmaChains; ++c)
      for (int l = 0; l < kFmaLanes; ++l) chain[c][l] = static_cast<float>(c + l);
    for (std::int64_t i = 0; i < a.length; ++i)
      for (int c = 0; c < kFmaChains; ++c)
        for (int l = 0; l < kFmaLanes; ++l) chain[c][l] = fused(chain[c][l], 0.999f, 0.001f);
    float sum = 0;
    for (int c = 0; c < kFmaChains; ++c)
      for (int l = 0; l < kFmaLanes; ++l) sum += chain[c][l];
    if (team.leads()) a.sink[task] = sum;
  }
};

struct CopyEach {
  CopyFloats a;
  INOCULA_DEVICE void operator()(std::int64_t i) const { a.to[i] = a.from[i]; }
};

}  // namespace

void fma_chains(const Queue& queue, const FmaChains& args) {
  for_each_row(queue, args.tasks, args.length, FmaTask{args});
}

void copy_floats(const Queue& queue, const CopyFloats& args) {
  for_each(queue, args.size, CopyEach{args});
}

INOCULA_END_TARGET
