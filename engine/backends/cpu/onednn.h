// The part of oneDNN that Inocula uses, and the only place where its versions 2 and 3 differ.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>
#include <string>

namespace inocula::cpu {

struct ConvDescription {
  dnnl::memory::desc x, weights, bias, y;       ///< bias is empty where there is none
  dnnl::memory::dims strides, dilations, pads;  ///< dilation 0 means dense
};

inline dnnl::convolution_forward::primitive_desc describe_forward(const dnnl::engine& engine,
                                                                  const ConvDescription& c,
                                                                  const dnnl::primitive_attr& attributes) {
  const auto kind = dnnl::prop_kind::forward_training;
  const auto algorithm = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return {engine, kind,      algorithm,   c.x,    c.weights, c.bias,
          c.y,    c.strides, c.dilations, c.pads, c.pads,    attributes};
#else
  if (c.bias.is_zero())
    return {
        {kind, algorithm, c.x, c.weights, c.y, c.strides, c.dilations, c.pads, c.pads}, attributes, engine};
  return {{kind, algorithm, c.x, c.weights, c.bias, c.y, c.strides, c.dilations, c.pads, c.pads},
          attributes,
          engine};
#endif
}

inline dnnl::convolution_backward_data::primitive_desc describe_backward_data(
    const dnnl::engine& engine, const ConvDescription& c, const dnnl::primitive_attr& attributes,
    const dnnl::convolution_forward::primitive_desc& hint) {
  const auto algorithm = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return {engine, algorithm, c.x, c.weights, c.y, c.strides, c.dilations, c.pads, c.pads, hint, attributes};
#else
  return {{algorithm, c.x, c.weights, c.y, c.strides, c.dilations, c.pads, c.pads}, attributes, engine, hint};
#endif
}

inline dnnl::convolution_backward_weights::primitive_desc describe_backward_weights(
    const dnnl::engine& engine, const ConvDescription& c, const dnnl::primitive_attr& attributes,
    const dnnl::convolution_forward::primitive_desc& hint) {
  const auto algorithm = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return {engine,    algorithm,   c.x,    c.weights, c.bias, c.y,
          c.strides, c.dilations, c.pads, c.pads,    hint,   attributes};
#else
  if (c.bias.is_zero())
    return {
        {algorithm, c.x, c.weights, c.y, c.strides, c.dilations, c.pads, c.pads}, attributes, engine, hint};
  return {{algorithm, c.x, c.weights, c.bias, c.y, c.strides, c.dilations, c.pads, c.pads},
          attributes,
          engine,
          hint};
#endif
}

/// Floating-point operations after a convolution, in order.
inline void append_add(dnnl::post_ops& ops, const dnnl::memory::desc& operand) {
  ops.append_binary(dnnl::algorithm::binary_add, operand);
}
inline void append_relu(dnnl::post_ops& ops) {
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
#else
  ops.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
#endif
}

}  // namespace inocula::cpu
