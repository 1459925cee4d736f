// Bodies of the measurements of the machine.
#include "kernels/roof.h"

#include "kernels/for_each.h"
#include "kernels/map_floats.h"

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
  /// One CPU thread, or one GPU thread.
  INOCULA_DEVICE void operator()(std::int64_t task) const {
    float chain[kFmaChains][kFmaLanes];
    for (int c = 0; c < kFmaChains; ++c)
      for (int l = 0; l < kFmaLanes; ++l) chain[c][l] = static_cast<float>(c + l);
    for (std::int64_t i = 0; i < a.length; ++i)
      for (int c = 0; c < kFmaChains; ++c)
        for (int l = 0; l < kFmaLanes; ++l) chain[c][l] = fused(chain[c][l], 0.999f, 0.001f);
    float sum = 0;
    for (int c = 0; c < kFmaChains; ++c)
      for (int l = 0; l < kFmaLanes; ++l) sum += chain[c][l];
    a.sink[task] = sum;
  }
};

struct Same {
  INOCULA_DEVICE float operator()(const float* v) const { return v[0]; }
};

}  // namespace

void fma_chains(const Queue& queue, const FmaChains& args) {
#if defined(INOCULA_CUDA)
  for_each(queue, args.tasks, FmaTask{args});
#else
  // A row a thread: for_each would run so few tasks on one, side by side in its vector registers.
  const FmaTask body{args};
  for_each_row(queue, args.tasks, args.length, [body](std::int64_t task, const Team&) { body(task); });
#endif
}

void copy_floats(const Queue& queue, const CopyFloats& args) {
  map_floats(queue, MapFloats<1, Same>{{}, {args.from}, args.to, args.size});
}

INOCULA_END_TARGET
