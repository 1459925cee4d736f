// The last step of an attack's backward pass on every device: our own kernel to plain images of few channels.
#pragma once

#include <memory>

#include "engine/backend.h"
#include "kernels/planes.h"
#include "kernels/table.h"

namespace inocula {

/// Whether the input of this convolution is such images. Vendors would compute a whole block of channels.
bool reaches_few_channels(const ConvGeometry& g);

/// Backward-data of such a convolution. `out` is how the gradient of its outputs lies.
std::shared_ptr<PreparedConv> make_image_gradient_conv(const KernelTable& kernels, const ConvGeometry& g,
                                                       const GradientEpilogue& e, const PlaneShape& out);

}  // namespace inocula
