// cuDNN plans behind PreparedConv, and the kernels around them.
//
// Activations are channels-last, filled up with zero channels to a multiple of eight; weights are packed
// alike, so the fill stays zero by itself. Scratch comes from the Program's arena.
#include "engine/backends/cuda/conv.h"

#include <string>
#include <utility>

#include "engine/error.h"
#include "engine/image_gradient_conv.h"
#include "kernels/planes.h"

namespace inocula::cuda {

namespace {

std::size_t align(std::size_t bytes) {
  return (bytes + 255) / 256 * 256;
}

Shape stored(const Shape& s) {
  return {s.n, stored_channels(s.c), s.h, s.w};
}

PlaneShape blocked(const Shape& s, Element element) {
  return {s.n, s.c, s.h, s.w, stored_channels(s.c), element};
}

PlaneShape plain(const Shape& s) {
  return {s.n, s.c, s.h, s.w, 1, Element::f32};
}

/// Groups as cuDNN is told of them. Zero channels at the end belong to no group, unless every channel is one
/// of its own; such a convolution is computed as a dense one, with zeros between the groups.
std::int64_t stored_groups(const ConvGeometry& g) {
  if (g.groups == g.in.c && g.groups == g.out.c) return stored_channels(g.in.c);
  const bool filled_up = stored_channels(g.in.c) != g.in.c || stored_channels(g.out.c) != g.out.c;
  return filled_up ? 1 : g.groups;
}

ConvProblem problem_of(ConvPass pass, const ConvGeometry& g) {
  ConvProblem p;
  p.pass = pass;
  p.in = stored(g.in);
  p.out = stored(g.out);
  p.window = g.window;
  p.groups = stored_groups(g);
  p.element = g.element;
  return p;
}

PackWeights packing_of(const ConvGeometry& g) {
  const std::int64_t groups = stored_groups(g);
  PackWeights a;
  a.outputs = g.out.c;
  a.inputs = g.in.c / g.groups;
  a.taps = g.window.kernel_h * g.window.kernel_w;
  a.padded_outputs = stored_channels(g.out.c);
  a.padded_inputs = stored_channels(g.in.c) / groups;
  a.groups = groups == 1 ? g.groups : 1;
  a.element = g.element;
  return a;
}

/// A pass that reads weights, packed for cuDNN, which wants them alike for both passes.
class ReadsWeights : public PreparedConv {
 public:
  ReadsWeights(const KernelTable& kernels, const PackWeights& packing)
      : kernels_(kernels), packing_(packing) {}

  std::size_t weight_bytes() const override {
    return static_cast<std::size_t>(packing_.packed_size()) * element_bytes(packing_.element);
  }
  std::string weight_form() const override { return "cudnn"; }
  Launch bind_weights(const float* from, const float* scale, void* prepared, void*) override {
    PackWeights a = packing_;
    a.plain = from;
    a.scale = scale;
    a.packed = prepared;
    return [function = kernels_.pack_weights, a](const Queue& queue) { function(queue, a); };
  }

 protected:
  const KernelTable& kernels_;

 private:
  PackWeights packing_;
};

class Forward final : public ReadsWeights {
 public:
  Forward(const KernelTable& kernels, PlanCache& plans, const ConvGeometry& g, const ConvEpilogue& e)
      : ReadsWeights(kernels, packing_of(g)), geometry_(g), epilogue_(e) {
    ConvProblem problem = problem_of(ConvPass::forward, g);
    problem.bias = e.bias;
    problem.residual = e.residual;
    problem.relu = e.relu;
    if (problem.fuses()) {
      plan_ = plans.find(problem);
      problem.bias = problem.residual = problem.relu = false;
    }
    fused_ = plan_ != nullptr;
    if (!fused_) plan_ = plans.require(problem);
  }

  std::size_t scratch_bytes() const override {
    return align(plan_->workspace_bytes()) +
           (copies_input() ? blocked(geometry_.in, geometry_.element).bytes() : 0);
  }

  Launch bind(const ConvOperands& o) override {
    void* const copy = static_cast<std::byte*>(o.scratch) + align(plan_->workspace_bytes());
    const PlaneShape in = blocked(geometry_.in, geometry_.element);
    const PlaneShape out = blocked(geometry_.out, geometry_.element);
    const CopyChannels copying{o.x, copy, plain(geometry_.in), in, 0, 0, geometry_.in.c};
    ConvAddresses at;
    at.x = copies_input() ? copy : o.x;
    at.weights = o.weights;
    at.y = o.y;
    if (fused_) {
      at.bias = epilogue_.bias ? o.bias : nullptr;
      at.residual = epilogue_.residual ? o.residual : nullptr;
    }
    // What cuDNN did not fuse is one pass over its result.
    const PackPositive packing{o.y, o.sign_bits, out.size(), out.element};
    const Affine rest{o.y,
                      nullptr,
                      epilogue_.bias ? o.bias : nullptr,
                      epilogue_.residual ? o.residual : nullptr,
                      o.y,
                      o.sign_bits,
                      out,
                      epilogue_.relu ? Activation::relu : Activation::none};
    const bool finishes = !fused_ && (epilogue_.bias || epilogue_.residual || epilogue_.relu);
    return [=, this, workspace = o.scratch](const Queue& queue) {
      if (copies_input()) kernels_.copy_channels(queue, copying);
      plan_->execute(at, workspace);
      if (finishes)
        kernels_.affine(queue, rest);
      else if (packing.positive != nullptr)
        kernels_.pack_positive(queue, packing);
    };
  }

  std::string algorithm() const override {
    return "cudnn " + plan_->name() +
           (fused_                        ? " fused"
            : epilogue_ == ConvEpilogue{} ? ""
                                          : ", own epilogue");
  }

 private:
  bool copies_input() const { return geometry_.in_layout == Layout::plain; }

  ConvGeometry geometry_;
  ConvEpilogue epilogue_;
  std::shared_ptr<Cudnn::Plan> plan_;
  bool fused_ = false;
};

class BackwardData final : public ReadsWeights {
 public:
  BackwardData(const KernelTable& kernels, PlanCache& plans, const ConvGeometry& g, const GradientEpilogue& e)
      : ReadsWeights(kernels, packing_of(g)),
        geometry_(g),
        epilogue_(e),
        plan_(plans.require(problem_of(ConvPass::backward_data, g))) {}

  std::size_t scratch_bytes() const override {
    return align(plan_->workspace_bytes()) +
           (copies_result() ? blocked(geometry_.in, geometry_.element).bytes() : 0);
  }

  Launch bind(const ConvOperands& o) override {
    void* const copy = static_cast<std::byte*>(o.scratch) + align(plan_->workspace_bytes());
    const PlaneShape in = blocked(geometry_.in, geometry_.element);
    const PlaneShape to = copies_result() ? plain(geometry_.in) : in;
    ConvAddresses at;
    at.dy = o.dy;
    at.weights = o.weights;
    at.dx = copies_result() ? copy : o.dx;
    const CopyChannels copying{copy, o.dx, in, to, 0, 0, geometry_.in.c};
    const JoinGradient joining{o.dx, nullptr, o.add, o.mask, o.dx, to};
    return [=, this, workspace = o.scratch](const Queue& queue) {
      plan_->execute(at, workspace);
      if (copies_result()) kernels_.copy_channels(queue, copying);
      if (epilogue_.add || epilogue_.mask) kernels_.join_gradient(queue, joining);
    };
  }

  std::string algorithm() const override { return "cudnn " + plan_->name(); }

 private:
  bool copies_result() const { return geometry_.in_layout == Layout::plain; }

  ConvGeometry geometry_;
  GradientEpilogue epilogue_;
  std::shared_ptr<Cudnn::Plan> plan_;
};

class BackwardWeights final : public PreparedConv {
 public:
  BackwardWeights(const KernelTable& kernels, PlanCache& plans, const ConvGeometry& g)
      : kernels_(kernels), geometry_(g), packing_(packing_of(g)) {
    // From bf16 activations some shapes have engines for gradients in bf16 alone.
    ConvProblem problem = problem_of(ConvPass::backward_weights, g);
    if (g.element == Element::bf16) {
      plan_ = plans.find(problem);
      if (!plan_) problem.weight_gradient = Element::bf16;
    }
    if (!plan_) plan_ = plans.require(problem);
    gradient_ = problem.weight_gradient;
  }

  std::size_t scratch_bytes() const override {
    return align(plan_->workspace_bytes()) + gradient_bytes() + partial_bytes() +
           (copies_input() ? blocked(geometry_.in, geometry_.element).bytes() : 0);
  }

  Launch bind(const ConvOperands& o) override {
    auto* next = static_cast<std::byte*>(o.scratch) + align(plan_->workspace_bytes());
    void* const dw = next;
    next += gradient_bytes();
    auto* const partial = reinterpret_cast<float*>(next);
    next += partial_bytes();
    const PlaneShape in = blocked(geometry_.in, geometry_.element);
    const CopyChannels copying{o.x, next, plain(geometry_.in), in, 0, 0, geometry_.in.c};
    ConvAddresses at;
    at.x = copies_input() ? next : o.x;
    at.dy = o.dy;
    at.dw = dw;
    const AddWeightGradient adding{dw,
                                   o.dw,
                                   packing_.outputs,
                                   packing_.inputs,
                                   packing_.taps,
                                   packing_.padded_inputs,
                                   packing_.groups,
                                   gradient_};
    const AddChannelSums adding_bias{o.dy, o.dbias, partial, blocked(geometry_.out, geometry_.element)};
    return [=, this, workspace = o.scratch](const Queue& queue) {
      if (copies_input()) kernels_.copy_channels(queue, copying);
      plan_->execute(at, workspace);
      kernels_.add_weight_gradient(queue, adding);
      if (adding_bias.sum != nullptr) kernels_.add_channel_sums(queue, adding_bias);
    };
  }

  std::string algorithm() const override { return "cudnn " + plan_->name(); }

 private:
  bool copies_input() const { return geometry_.in_layout == Layout::plain; }
  std::size_t gradient_bytes() const {
    return align(static_cast<std::size_t>(packing_.packed_size()) * element_bytes(gradient_));
  }
  std::size_t partial_bytes() const {
    return align(static_cast<std::size_t>(geometry_.out.n * packing_.padded_outputs) * sizeof(float));
  }

  const KernelTable& kernels_;
  ConvGeometry geometry_;
  PackWeights packing_;
  std::shared_ptr<Cudnn::Plan> plan_;
  Element gradient_ = Element::f32;
};

}  // namespace

std::shared_ptr<Cudnn::Plan> PlanCache::find(const ConvProblem& problem) {
  const std::string name = problem.to_string();
  const auto known = plans_.find(name);
  if (known != plans_.end()) return known->second;
  return plans_[name] = cudnn_.plan(problem, admission_);
}

std::shared_ptr<Cudnn::Plan> PlanCache::require(const ConvProblem& problem) {
  std::shared_ptr<Cudnn::Plan> plan = find(problem);
  if (!plan)
    fail(ErrorKind::internal, "cuDNN ", cudnn_.version(), " has no ",
         admission_.determinism == Determinism::reproducible ? "deterministic " : "", "engine for ",
         problem.to_string());
  return plan;
}

std::shared_ptr<PreparedConv> ConvFactory::forward(const ConvGeometry& g, const ConvEpilogue& e) {
  return known_.find_or_make(describe(g, e),
                             [&] { return std::make_shared<Forward>(kernels_, plans_, g, e); });
}

std::shared_ptr<PreparedConv> ConvFactory::backward_data(const ConvGeometry& g, const GradientEpilogue& e) {
  return known_.find_or_make(describe(g, e), [&]() -> std::shared_ptr<PreparedConv> {
    if (reaches_few_channels(g)) return make_image_gradient_conv(kernels_, g, e, blocked(g.out, g.element));
    return std::make_shared<BackwardData>(kernels_, plans_, g, e);
  });
}

std::shared_ptr<PreparedConv> ConvFactory::backward_weights(const ConvGeometry& g) {
  return known_.find_or_make(describe(g),
                             [&] { return std::make_shared<BackwardWeights>(kernels_, plans_, g); });
}

}  // namespace inocula::cuda
