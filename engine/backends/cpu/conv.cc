// oneDNN primitives behind PreparedConv.
//
// Activations are nChw16c (nChw8c without AVX-512) throughout, or channels-last for AMX, so that no reorder
// stands between layers; only weights change their form, once an outer step. Scratch comes from the Program's
// arena.
#include "engine/backends/cpu/conv.h"

#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/backends/cpu/amx_conv.h"
#include "engine/backends/cpu/backend.h"
#include "engine/backends/cpu/onednn.h"
#include "engine/backends/cpu/thread_scope.h"
#include "engine/backends/cpu/winograd_conv.h"
#include "engine/error.h"
#include "engine/image_gradient_conv.h"
#include "kernels/planes.h"

namespace inocula::cpu {

namespace {

using dnnl::memory;
using Arguments = std::unordered_map<int, memory>;

std::size_t align(std::size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

/// What all three passes need: descriptions, and memory objects over given addresses.
class Described {
 public:
  Described(const dnnl::engine& engine, const ConvGeometry& g, std::int64_t block, int threads)
      : engine_(engine),
        stream_(engine),
        geometry_(g),
        block_(block),
        channels_last_(channels_last(g.element)),
        threads_(threads) {}

 protected:
  memory::data_type type(Layout layout) const {
    return element(layout) == Element::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
  }
  Element element(Layout layout) const { return layout == Layout::plain ? Element::f32 : geometry_.element; }
  /// One side of the convolution, as it lies in this layout.
  PlaneShape planes(const Shape& s, Layout layout) const {
    const std::int64_t block = layout == Layout::plain ? 1 : stored_block(s.c, geometry_.element, block_);
    return {s.n, s.c, s.h, s.w, block, element(layout)};
  }
  /// Channels with those that fill the last block up.
  std::int64_t filled(std::int64_t channels) const { return (channels + block_ - 1) / block_ * block_; }

  /// An activation as oneDNN sees it: `channels` of those that lie there.
  memory::desc activation(const Shape& s, std::int64_t channels, Layout layout,
                          memory::data_type type) const {
    const memory::dims dims{s.n, channels, s.h, s.w};
    if (layout == Layout::plain) return {dims, type, memory::format_tag::nchw};
    if (!channels_last_)
      return {dims, type, block_ == 16 ? memory::format_tag::nChw16c : memory::format_tag::nChw8c};
    const std::int64_t pixel = filled(s.c);
    return {dims, type, memory::dims{s.h * s.w * pixel, 1, s.w * pixel, pixel}};
  }

  memory::desc input(Layout layout, memory::data_type type) const {
    return activation(geometry_.in, in_channels(layout), layout, type);
  }
  ConvDescription describe(Layout x_layout, bool bias) const {
    const ConvGeometry& g = geometry_;
    const ConvWindow& w = g.window;
    const std::int64_t in = in_channels(x_layout);
    ConvDescription d;
    d.x = input(x_layout, type(x_layout));
    d.y = activation(g.out, out_channels(), Layout::blocked, type(Layout::blocked));
    d.weights = {weight_dims(in), type(Layout::blocked), memory::format_tag::any};
    if (bias) d.bias = {{out_channels()}, memory::data_type::f32, memory::format_tag::a};
    d.strides = {w.stride_h, w.stride_w};
    d.dilations = {w.dilation_h - 1, w.dilation_w - 1};
    d.pads = {w.pad_h, w.pad_w};
    return d;
  }

  /// Channels as oneDNN is told. Less than a block of inputs is a case for its slow reference code, and
  /// channels-last it leaves alone what it is not told of; the zeros that fill the block up are there anyway,
  /// so they are declared, with weights of zero. Groups cannot be filled up.
  std::int64_t in_channels(Layout x_layout) const {
    const ConvGeometry& g = geometry_;
    const bool fill = channels_last_ || g.in.c < block_;
    return g.groups == 1 && x_layout == Layout::blocked && fill ? filled(g.in.c) : g.in.c;
  }
  std::int64_t out_channels() const {
    return geometry_.groups == 1 && channels_last_ ? filled(geometry_.out.c) : geometry_.out.c;
  }
  bool fills_up(std::int64_t in) const { return in != geometry_.in.c || out_channels() != geometry_.out.c; }
  /// Whether a result's padding must be cleared before oneDNN writes the rest.
  bool leaves_padding(const Shape& result) const {
    return channels_last_ && geometry_.groups > 1 && filled(result.c) != result.c;
  }

  memory::dims weight_dims(std::int64_t in) const {
    const ConvGeometry& g = geometry_;
    if (g.groups == 1) return {out_channels(), in, g.window.kernel_h, g.window.kernel_w};
    return {g.groups, g.out.c / g.groups, in / g.groups, g.window.kernel_h, g.window.kernel_w};
  }
  memory::desc plain_weights(std::int64_t in) const {
    return {weight_dims(in), memory::data_type::f32,
            geometry_.groups == 1 ? memory::format_tag::oihw : memory::format_tag::goihw};
  }
  /// (O, taps, I), filled up, as pack_weights writes them and add_weight_gradient reads them.
  memory::desc packed_weights(std::int64_t in) const {
    return {weight_dims(in), memory::data_type::f32, memory::format_tag::ohwi};
  }
  std::int64_t taps() const { return geometry_.window.kernel_h * geometry_.window.kernel_w; }
  std::int64_t weight_rows() const { return geometry_.out.c; }
  std::int64_t weight_cols(std::int64_t in) const {
    return in / geometry_.groups * geometry_.window.kernel_h * geometry_.window.kernel_w;
  }
  std::int64_t weight_cols() const { return weight_cols(geometry_.in.c); }

  memory at(const memory::desc& d, const void* address) const {
    return {d, engine_, const_cast<void*>(address)};
  }

  Launch launch(const dnnl::primitive& primitive, Arguments arguments) const {
    // Listed once for the C interface: the C++ one allocates such a list in every call.
    std::vector<dnnl_exec_arg_t> list;
    for (const auto& [index, memory] : arguments) list.push_back({index, memory.get()});
    return [primitive, arguments = std::move(arguments), list = std::move(list),
            stream = stream_](const Queue&) {
      const dnnl_status_t status =
          dnnl_primitive_execute(primitive.get(), stream.get(), static_cast<int>(list.size()), list.data());
      if (status != dnnl_success)
        fail(ErrorKind::internal, "oneDNN could not run a primitive: status ", status);
    };
  }

  /// Plain weights, scaled by output channel where asked, for `in` input channels into `to`. Scratch holds
  /// the copy that is scaled or filled up with zeros.
  Launch transform_weights(const KernelTable& kernels, const memory::desc& to, std::int64_t in,
                           const float* plain, const float* scale, void* prepared, void* scratch) const {
    const ThreadScope scope(threads_);
    const bool fill_up = fills_up(in);
    const void* from = scale != nullptr || fill_up ? scratch : plain;
    const memory source = at(fill_up ? packed_weights(in) : plain_weights(in), from),
                 target = at(to, prepared);
    const dnnl::reorder reorder(source, target);
    const Launch reordering = launch(reorder, {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, target}});
    auto* const copy = static_cast<float*>(scratch);
    if (fill_up) {
      const PackWeights packing{.plain = plain,
                                .scale = scale,
                                .packed = copy,
                                .outputs = geometry_.out.c,
                                .inputs = geometry_.in.c,
                                .taps = taps(),
                                .padded_outputs = out_channels(),
                                .padded_inputs = in};
      return [function = kernels.pack_weights, packing, reordering](const Queue& queue) {
        function(queue, packing);
        reordering(queue);
      };
    }
    if (scale == nullptr) return reordering;
    const ScaleRows rows{plain, scale, copy, weight_rows(), weight_cols()};
    return [function = kernels.scale_rows, rows, reordering](const Queue& queue) {
      function(queue, rows);
      reordering(queue);
    };
  }
  std::size_t plain_weight_bytes(std::int64_t in) const {
    return static_cast<std::size_t>(out_channels() * weight_cols(in)) * sizeof(float);
  }

  dnnl::engine engine_;
  mutable dnnl::stream stream_;
  ConvGeometry geometry_;
  std::int64_t block_;
  bool channels_last_;
  int threads_;
};

dnnl::primitive_attr attributes_with(const dnnl::post_ops& ops) {
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(ops);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

bool is_fast(const char* implementation) {
  return std::string(implementation).rfind("jit", 0) == 0;
}

/// oneDNN's vectorised kernels take plain images of one or three channels; others are first copied into
/// blocks.
template <class Describe>
Layout pick_input_layout(const ConvGeometry& g, const Describe& describe) {
  // Plain inputs are fp32, and both factors of a product are of one element.
  if (g.in_layout == Layout::blocked || g.element != Element::f32) return Layout::blocked;
  try {
    if (is_fast(describe(Layout::plain))) return Layout::plain;
  } catch (const dnnl::error&) {
    // No implementation at all: blocks it is.
  }
  return Layout::blocked;
}

class Forward final : public PreparedConv, Described {
 public:
  Forward(const dnnl::engine& engine, const KernelTable& kernels, const ConvGeometry& g,
          const ConvEpilogue& e, std::int64_t block, int threads)
      : Described(engine, g, block, threads), kernels_(kernels), epilogue_(e) {
    input_layout_ = pick_input_layout(g, [&](Layout layout) { return make(layout).impl_info_str(); });
    primitive_ = make(input_layout_);
  }

  std::size_t weight_bytes() const override { return primitive_.weights_desc().get_size(); }
  std::size_t weight_scratch_bytes() const override { return plain_weight_bytes(in_channels(input_layout_)); }
  Launch bind_weights(const float* plain, const float* scale, void* prepared, void* scratch) override {
    return transform_weights(kernels_, primitive_.weights_desc(), in_channels(input_layout_), plain, scale,
                             prepared, scratch);
  }

  std::size_t scratch_bytes() const override {
    return align(primitive_.scratchpad_desc().get_size()) +
           (copies_input() ? planes(geometry_.in, Layout::blocked).bytes() : 0);
  }

  Launch bind(const ConvOperands& o) override {
    const ThreadScope scope(threads_);
    auto* scratch = static_cast<std::byte*>(o.scratch);
    void* const copy = scratch + align(primitive_.scratchpad_desc().get_size());
    Arguments arguments{{DNNL_ARG_SRC, at(primitive_.src_desc(), copies_input() ? copy : o.x)},
                        {DNNL_ARG_WEIGHTS, at(primitive_.weights_desc(), o.weights)},
                        {DNNL_ARG_DST, at(primitive_.dst_desc(), o.y)},
                        {DNNL_ARG_SCRATCHPAD, at(primitive_.scratchpad_desc(), scratch)}};
    if (epilogue_.bias) arguments.insert({DNNL_ARG_BIAS, at(primitive_.bias_desc(), o.bias)});
    if (epilogue_.residual)
      arguments.insert(
          {DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, at(primitive_.dst_desc(), o.residual)});
    const Launch convolution = launch(dnnl::convolution_forward(primitive_), std::move(arguments));

    const CopyChannels copying{
        o.x, copy,          planes(geometry_.in, Layout::plain), planes(geometry_.in, Layout::blocked), 0,
        0,   geometry_.in.c};
    const PlaneShape out = planes(geometry_.out, Layout::blocked);
    const PackPositive packing{o.y, o.sign_bits, out.size(), out.element};
    const Fill clearing{o.y, out.size(), 0.0f, out.element};
    return [convolution, copying, clearing, packing, this](const Queue& queue) {
      if (copies_input()) kernels_.copy_channels(queue, copying);
      if (leaves_padding(geometry_.out)) kernels_.fill(queue, clearing);
      convolution(queue);
      if (packing.positive != nullptr) kernels_.pack_positive(queue, packing);
    };
  }

  std::string algorithm() const override { return std::string("onednn ") + primitive_.impl_info_str(); }

 private:
  bool copies_input() const { return input_layout_ != geometry_.in_layout; }

  dnnl::convolution_forward::primitive_desc make(Layout x_layout) const {
    const ConvDescription d = describe(x_layout, epilogue_.bias);
    dnnl::post_ops ops;
    if (epilogue_.residual) append_add(ops, d.y);
    if (epilogue_.relu) append_relu(ops);
    return describe_forward(engine_, d, attributes_with(ops));
  }

  const KernelTable& kernels_;
  ConvEpilogue epilogue_;
  Layout input_layout_ = Layout::blocked;
  dnnl::convolution_forward::primitive_desc primitive_;
};

/// Backward-data to blocked activations.
class BackwardData final : public PreparedConv, Described {
 public:
  BackwardData(const dnnl::engine& engine, const KernelTable& kernels, const ConvGeometry& g,
               const GradientEpilogue& e, std::int64_t block, int threads)
      : Described(engine, g, block, threads), kernels_(kernels), epilogue_(e) {
    const ConvDescription hint = describe(Layout::blocked, false);
    ConvDescription d = hint;
    // A result that becomes plain is fp32 at once and never rounded.
    d.x = input(Layout::blocked, type(g.in_layout));
    const dnnl::primitive_attr attributes = attributes_with({});
    primitive_ = describe_backward_data(engine_, d, attributes, describe_forward(engine_, hint, attributes));
  }

  std::size_t weight_bytes() const override { return primitive_.weights_desc().get_size(); }
  std::size_t weight_scratch_bytes() const override {
    return plain_weight_bytes(in_channels(Layout::blocked));
  }
  Launch bind_weights(const float* plain, const float* scale, void* prepared, void* scratch) override {
    return transform_weights(kernels_, primitive_.weights_desc(), in_channels(Layout::blocked), plain, scale,
                             prepared, scratch);
  }

  std::size_t scratch_bytes() const override {
    return align(primitive_.scratchpad_desc().get_size()) + (copies_result() ? result().bytes() : 0);
  }

  Launch bind(const ConvOperands& o) override {
    const ThreadScope scope(threads_);
    auto* scratch = static_cast<std::byte*>(o.scratch);
    void* const blocked = copies_result() ? scratch + align(primitive_.scratchpad_desc().get_size()) : o.dx;
    const Launch convolution = launch(dnnl::convolution_backward_data(primitive_),
                                      {{DNNL_ARG_DIFF_DST, at(primitive_.diff_dst_desc(), o.dy)},
                                       {DNNL_ARG_WEIGHTS, at(primitive_.weights_desc(), o.weights)},
                                       {DNNL_ARG_DIFF_SRC, at(primitive_.diff_src_desc(), blocked)},
                                       {DNNL_ARG_SCRATCHPAD, at(primitive_.scratchpad_desc(), scratch)}});
    const PlaneShape in = planes(geometry_.in, geometry_.in_layout);
    const CopyChannels copying{blocked, o.dx, result(), in, 0, 0, geometry_.in.c};
    const Fill clearing{blocked, result().size(), 0.0f, result().element};
    const JoinGradient joining{o.dx, nullptr, o.add, o.mask, o.dx, in};
    return [convolution, copying, clearing, joining, this](const Queue& queue) {
      if (leaves_padding(geometry_.in)) kernels_.fill(queue, clearing);
      convolution(queue);
      if (copies_result()) kernels_.copy_channels(queue, copying);
      if (epilogue_.add || epilogue_.mask) kernels_.join_gradient(queue, joining);
    };
  }

  std::string algorithm() const override { return std::string("onednn ") + primitive_.impl_info_str(); }

 private:
  bool copies_result() const { return geometry_.in_layout == Layout::plain; }
  /// What oneDNN writes: blocked, of the element that it will have in the end.
  PlaneShape result() const {
    PlaneShape blocked = planes(geometry_.in, Layout::blocked);
    blocked.element = element(geometry_.in_layout);
    return blocked;
  }

  const KernelTable& kernels_;
  GradientEpilogue epilogue_;
  dnnl::convolution_backward_data::primitive_desc primitive_;
};

class BackwardWeights final : public PreparedConv, Described {
 public:
  BackwardWeights(const dnnl::engine& engine, const KernelTable& kernels, const ConvGeometry& g,
                  std::int64_t block, int threads)
      : Described(engine, g, block, threads), kernels_(kernels) {
    input_layout_ = pick_input_layout(g, [&](Layout layout) { return make(layout).impl_info_str(); });
    primitive_ = make(input_layout_);
  }

  std::size_t scratch_bytes() const override {
    return align(primitive_.scratchpad_desc().get_size()) + align(primitive_.diff_weights_desc().get_size()) +
           align(static_cast<std::size_t>(out_channels()) * sizeof(float)) +
           (fills_up() ? align(plain_weight_bytes(in_channels(input_layout_))) : 0) +
           (copies_input() ? planes(geometry_.in, Layout::blocked).bytes() : 0);
  }

  Launch bind(const ConvOperands& o) override {
    const ThreadScope scope(threads_);
    auto* scratch = static_cast<std::byte*>(o.scratch);
    std::byte* next = scratch + align(primitive_.scratchpad_desc().get_size());
    void* const dw = next;
    next += align(primitive_.diff_weights_desc().get_size());
    auto* const dbias = reinterpret_cast<float*>(next);
    next += align(static_cast<std::size_t>(out_channels()) * sizeof(float));
    auto* const filled = reinterpret_cast<float*>(next);
    if (fills_up()) next += align(plain_weight_bytes(in_channels(input_layout_)));
    void* const copy = next;

    const memory result = at(primitive_.diff_weights_desc(), dw);
    // The bias's gradient is always computed where oneDNN was told of a bias: the geometry does not say.
    const Launch convolution = launch(dnnl::convolution_backward_weights(primitive_),
                                      {{DNNL_ARG_SRC, at(primitive_.src_desc(), copies_input() ? copy : o.x)},
                                       {DNNL_ARG_DIFF_DST, at(primitive_.diff_dst_desc(), o.dy)},
                                       {DNNL_ARG_DIFF_WEIGHTS, result},
                                       {DNNL_ARG_DIFF_BIAS, at(primitive_.diff_bias_desc(), dbias)},
                                       {DNNL_ARG_SCRATCHPAD, at(primitive_.scratchpad_desc(), scratch)}});
    const Launch adding = fills_up() ? add_part(result, filled, o.dw) : add_whole(result, o.dw);
    const PlaneShape bias{1, geometry_.out.c, 1, 1, 1};
    const JoinGradient adding_bias{dbias, nullptr, o.dbias, nullptr, o.dbias, bias};
    const CopyChannels copying{
        o.x, copy,          planes(geometry_.in, Layout::plain), planes(geometry_.in, Layout::blocked), 0,
        0,   geometry_.in.c};
    return [=, this](const Queue& queue) {
      if (copies_input()) kernels_.copy_channels(queue, copying);
      convolution(queue);
      adding(queue);
      if (adding_bias.dx != nullptr) kernels_.join_gradient(queue, adding_bias);
    };
  }

  std::string algorithm() const override { return std::string("onednn ") + primitive_.impl_info_str(); }

 private:
  bool copies_input() const { return input_layout_ != geometry_.in_layout; }
  bool fills_up() const { return Described::fills_up(in_channels(input_layout_)); }

  /// dw += result.
  Launch add_whole(const memory& result, float* dw) const {
    dnnl::post_ops accumulate;
    accumulate.append_sum(1.0f);
    dnnl::primitive_attr attributes;
    attributes.set_post_ops(accumulate);
    const memory target = at(plain_weights(geometry_.in.c), dw);
    const dnnl::reorder reorder(dnnl::reorder::primitive_desc(result, target, attributes));
    return launch(reorder, {{DNNL_ARG_FROM, result}, {DNNL_ARG_TO, target}});
  }
  /// dw += result without the channels that only fill blocks up.
  Launch add_part(const memory& result, float* filled, float* dw) const {
    const std::int64_t in = in_channels(input_layout_);
    const memory target = at(packed_weights(in), filled);
    const Launch reordering =
        launch(dnnl::reorder(result, target), {{DNNL_ARG_FROM, result}, {DNNL_ARG_TO, target}});
    const AddWeightGradient adding{filled, dw, geometry_.out.c, geometry_.in.c, taps(), in};
    return [reordering, adding, this](const Queue& queue) {
      reordering(queue);
      kernels_.add_weight_gradient(queue, adding);
    };
  }

  dnnl::convolution_backward_weights::primitive_desc make(Layout x_layout) const {
    const ConvDescription hint = describe(x_layout, true);
    ConvDescription d = hint;
    d.weights = {weight_dims(in_channels(x_layout)), memory::data_type::f32, memory::format_tag::any};
    const dnnl::primitive_attr attributes = attributes_with({});
    return describe_backward_weights(engine_, d, attributes, describe_forward(engine_, hint, attributes));
  }

  const KernelTable& kernels_;
  Layout input_layout_ = Layout::blocked;
  dnnl::convolution_backward_weights::primitive_desc primitive_;
};

}  // namespace

ConvFactory::ConvFactory(const KernelTable& kernels, std::int64_t block, int threads, bool precise)
    : kernels_(kernels),
      block_(block),
      threads_(threads),
      precise_(precise),
      engine_(dnnl::engine::kind::cpu, 0) {}

template <class Make>
std::shared_ptr<PreparedConv> ConvFactory::find_or_make(const std::string& description, const Make& make) {
  return known_.find_or_make(description, [&]() -> std::shared_ptr<PreparedConv> {
    // Primitives split their work for the threads that they are built with.
    const ThreadScope scope(threads_);
    try {
      return make();
    } catch (const dnnl::error& e) {
      fail(ErrorKind::internal, "oneDNN cannot build convolution ", description, ": ", e.what());
    }
  });
}

std::shared_ptr<PreparedConv> ConvFactory::forward(const ConvGeometry& g, const ConvEpilogue& e) {
  return find_or_make(describe(g, e), [&]() -> std::shared_ptr<PreparedConv> {
    if (auto own = precise_ ? nullptr : make_winograd_forward(g, e, block_, threads_)) return own;
    if (auto own = precise_ ? nullptr : make_amx_forward(g, e, block_, threads_)) return own;
    return std::make_shared<Forward>(engine_, kernels_, g, e, block_, threads_);
  });
}

std::shared_ptr<PreparedConv> ConvFactory::backward_data(const ConvGeometry& g, const GradientEpilogue& e) {
  return find_or_make(describe(g, e), [&]() -> std::shared_ptr<PreparedConv> {
    if (reaches_few_channels(g))
      return make_image_gradient_conv(
          kernels_, g, e,
          {g.out.n, g.out.c, g.out.h, g.out.w, stored_block(g.out.c, g.element, block_), g.element});
    if (auto own = precise_ ? nullptr : make_winograd_backward_data(g, block_, threads_)) return own;
    if (auto own = precise_ ? nullptr : make_amx_backward_data(g, block_, threads_)) return own;
    return std::make_shared<BackwardData>(engine_, kernels_, g, e, block_, threads_);
  });
}

std::shared_ptr<PreparedConv> ConvFactory::backward_weights(const ConvGeometry& g) {
  return find_or_make(describe(g), [&]() -> std::shared_ptr<PreparedConv> {
    if (auto own = precise_ ? nullptr : make_winograd_backward_weights(kernels_, g, block_, threads_))
      return own;
    return std::make_shared<BackwardWeights>(engine_, kernels_, g, block_, threads_);
  });
}

}  // namespace inocula::cpu
