// Convolutions as plain loops in double.
#include "tests/engine/stand_in_cudnn.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "tests/engine/tape.h"

namespace inocula::test {

namespace {

using cuda::ConvAddresses;
using cuda::ConvPass;
using cuda::ConvProblem;

/// An array of f32 or bf16 by index.
class Values {
 public:
  Values(const void* at, Element element) : at_(const_cast<void*>(at)), element_(element) {}
  double get(std::int64_t i) const {
    return element_ == Element::bf16 ? to_float(static_cast<const Bf16*>(at_)[i])
                                     : static_cast<const float*>(at_)[i];
  }
  void set(std::int64_t i, double v) const {
    if (element_ == Element::bf16)
      store(static_cast<Bf16*>(at_) + i, static_cast<float>(v));
    else
      store(static_cast<float*>(at_) + i, static_cast<float>(v));
  }

 private:
  void* at_;
  Element element_;
};

/// Position of (n, c, y, x) in a channels-last array.
std::int64_t position(const Shape& s, std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) {
  return ((n * s.h + y) * s.w + x) * s.c + c;
}

/// Calls f(x's index, weight's index, y's index) for every product of the convolution.
template <class F>
void each_product(const ConvProblem& p, const F& f) {
  const ConvWindow& w = p.window;
  const std::int64_t inputs = p.in.c / p.groups, outputs = p.out.c / p.groups;
  for (std::int64_t n = 0; n < p.out.n; ++n)
    for (std::int64_t o = 0; o < p.out.c; ++o)
      for (std::int64_t y = 0; y < p.out.h; ++y)
        for (std::int64_t x = 0; x < p.out.w; ++x)
          for (std::int64_t kh = 0; kh < w.kernel_h; ++kh)
            for (std::int64_t kw = 0; kw < w.kernel_w; ++kw) {
              const std::int64_t iy = y * w.stride_h - w.pad_h + kh * w.dilation_h;
              const std::int64_t ix = x * w.stride_w - w.pad_w + kw * w.dilation_w;
              if (iy < 0 || iy >= p.in.h || ix < 0 || ix >= p.in.w) continue;
              const std::int64_t tap = kh * w.kernel_w + kw, taps = w.kernel_h * w.kernel_w;
              for (std::int64_t i = 0; i < inputs; ++i)
                f(position(p.in, n, o / outputs * inputs + i, iy, ix), (o * taps + tap) * inputs + i,
                  position(p.out, n, o, y, x));
            }
}

class HostPlan final : public cuda::Cudnn::Plan {
 public:
  HostPlan(const ConvProblem& problem, void* stream) : problem_(problem), stream_(stream) {}
  /// Some, so that what follows in the scratch is seen to be moved aside.
  std::size_t workspace_bytes() const override { return 100; }
  std::string name() const override { return "plain loops"; }

  void execute(const ConvAddresses& at, void* workspace) override {
    enqueue(&compute_bound, Queue{1, stream_}, Bound{this, at, workspace});
  }

 private:
  struct Bound {
    const HostPlan* plan;
    ConvAddresses at;
    void* workspace;
  };
  static void compute_bound(const Queue&, const Bound& b) { b.plan->compute(b.at, b.workspace); }

  void compute(const ConvAddresses& at, void* workspace) const {
    std::fill_n(static_cast<unsigned char*>(workspace), workspace_bytes(), static_cast<unsigned char>(0xFF));
    const Element e = problem_.element;
    const std::int64_t weights = problem_.out.c * problem_.window.kernel_h * problem_.window.kernel_w *
                                 problem_.in.c / problem_.groups;
    switch (problem_.pass) {
      case ConvPass::forward: {
        std::vector<double> sum(static_cast<std::size_t>(problem_.out.size()));
        const Values x(at.x, e), w(at.weights, e), residual(at.residual, e), y(at.y, e);
        each_product(problem_, [&](std::int64_t ix, std::int64_t iw, std::int64_t iy) {
          sum[static_cast<std::size_t>(iy)] += x.get(ix) * w.get(iw);
        });
        for (std::int64_t i = 0; i < problem_.out.size(); ++i) {
          double v = sum[static_cast<std::size_t>(i)];
          if (problem_.bias) v += static_cast<const float*>(at.bias)[i % problem_.out.c];
          if (problem_.residual) v += residual.get(i);
          y.set(i, problem_.relu && v < 0 ? 0 : v);
        }
        break;
      }
      case ConvPass::backward_data: {
        std::vector<double> sum(static_cast<std::size_t>(problem_.in.size()));
        const Values dy(at.dy, e), w(at.weights, e), dx(at.dx, e);
        each_product(problem_, [&](std::int64_t ix, std::int64_t iw, std::int64_t iy) {
          sum[static_cast<std::size_t>(ix)] += dy.get(iy) * w.get(iw);
        });
        for (std::int64_t i = 0; i < problem_.in.size(); ++i) dx.set(i, sum[static_cast<std::size_t>(i)]);
        break;
      }
      case ConvPass::backward_weights: {
        std::vector<double> sum(static_cast<std::size_t>(weights));
        const Values dy(at.dy, e), x(at.x, e), dw(at.dw, problem_.weight_gradient);
        each_product(problem_, [&](std::int64_t ix, std::int64_t iw, std::int64_t iy) {
          sum[static_cast<std::size_t>(iw)] += dy.get(iy) * x.get(ix);
        });
        for (std::int64_t i = 0; i < weights; ++i) dw.set(i, sum[static_cast<std::size_t>(i)]);
        break;
      }
    }
  }

  ConvProblem problem_;
  void* stream_;
};

class HostCudnn final : public cuda::Cudnn {
 public:
  HostCudnn(Fusion fusion, void* stream) : fusion_(fusion), stream_(stream) {}
  std::string version() const override { return "stand-in"; }
  std::unique_ptr<Plan> plan(const ConvProblem& problem, const Admission&) override {
    const bool fuses = problem.fuses() || (problem.pass == ConvPass::backward_weights &&
                                           problem.element != problem.weight_gradient);
    if (fuses && fusion_ == Fusion::none) return nullptr;
    return std::make_unique<HostPlan>(problem, stream_);
  }

 private:
  Fusion fusion_;
  void* stream_;
};

}  // namespace

std::unique_ptr<cuda::Cudnn> stand_in_for_cudnn(Fusion fusion, void* stream) {
  return std::make_unique<HostCudnn>(fusion, stream);
}

}  // namespace inocula::test
