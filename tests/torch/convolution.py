"""Convolutions by XNNPACK: PyTorch's own without oneDNN take minutes for what these do in seconds.

oneDNN is what the engine under test computes with; a reference must not share it.
"""
import copy

import torch
from torch import nn

PREPACKED = torch.ops.prepacked


class _Apply(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, conv):
        ctx.conv, ctx.size = conv, x.shape[-1]
        return PREPACKED.conv2d_clamp_run(x, conv.ahead)

    @staticmethod
    def backward(ctx, dy):
        return PREPACKED.conv2d_transpose_clamp_run(dy, ctx.conv.transposed(ctx.size, dy.shape[-1])), None


class XnnpackConv2d(nn.Module):
    """A torch.nn.Conv2d with a gradient for its input alone; for square images."""

    def __init__(self, conv):
        super().__init__()
        self.conv = conv
        with torch.no_grad():
            self.ahead = PREPACKED.conv2d_clamp_prepack(conv.weight, conv.bias, conv.stride, conv.padding, (1, 1), 1)
        self.back = {}

    def transposed(self, size, out):
        """The transposed convolution that leads from `out` back to `size` pixels."""
        if size not in self.back:
            conv = self.conv
            left_over = size - ((out - 1) * conv.stride[0] - 2 * conv.padding[0] + conv.kernel_size[0])
            with torch.no_grad():
                self.back[size] = PREPACKED.conv2d_transpose_clamp_prepack(
                    conv.weight, None, conv.stride, conv.padding, (left_over,) * 2, (1, 1), 1)
        return self.back[size]

    def forward(self, x):
        return _Apply.apply(x, self)


def with_xnnpack(network):
    """A copy of a float32 network whose convolutions are XNNPACK's, where PyTorch was built with it."""
    network = copy.deepcopy(network)
    if not hasattr(PREPACKED, "conv2d_clamp_run"):
        return network
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d) and not isinstance(module, XnnpackConv2d):
                setattr(module, name, XnnpackConv2d(child))
    return network
