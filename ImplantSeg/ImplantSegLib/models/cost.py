"""What a network needs, told by its layers at work on a small image: memory per pixel, and how far it sees."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn


def bytes_per_pixel(network: nn.Module) -> int:
    """Bound on the memory that the network needs for one pixel of input, in bytes, without gradients.

    It is the sum of what all layers give out, a bound since most of it is freed before the end.

    Parameters
    ----------
    network : torch.nn.Module
        Takes (B, 1, Y, X); on the device ``meta`` nothing is computed.
    """
    total = 0

    def count(_layer: nn.Module, _inputs: Any, output: Any) -> None:
        nonlocal total
        if isinstance(output, torch.Tensor):
            total += output.numel() * output.element_size()

    side = _observed(network, count)
    return -(-total // side**2)


def receptive_field(network: nn.Module) -> int:
    """Pixels along an axis that the logits of one voxel depend on: a bound from the kernels of all convolutions.

    Parameters
    ----------
    network : torch.nn.Module
        Takes (B, 1, Y, X); its layers are passed one after the other, as in a U-Net.
    """
    layers: list[tuple[int, int]] = []  # pixels of each layer's input along an axis, and its reach in them

    def note(layer: nn.Module, inputs: Any, _output: Any) -> None:
        if isinstance(layer, nn.Conv2d):
            layers.append((int(inputs[0].shape[-1]), (layer.kernel_size[0] - 1) * int(layer.dilation[0])))

    side = _observed(network, note)
    widths = [width for width, _ in layers]
    pooled = sum(side // min(pair) for pair in itertools.pairwise(widths) if pair[0] != pair[1])  # a coarse pixel each
    return 1 + pooled + sum(reach * side // width for width, reach in layers)


def _observed(network: nn.Module, look: Callable[[nn.Module, Any, Any], None]) -> int:
    """Show every layer at work on a small image to ``look(layer, inputs, output)``; gives the side of the image."""
    side = max(64, 2 * int(getattr(network, "smallest_input", 1)))
    leaves = [layer for layer in network.modules() if not list(layer.children()) and not _inplace(layer)]
    hooks = [layer.register_forward_hook(look) for layer in leaves]
    parameter = next(network.parameters(), torch.zeros(0))
    try:
        with torch.inference_mode():
            network(torch.zeros(1, 1, side, side, device=parameter.device))
    finally:
        for hook in hooks:
            hook.remove()
    return side


def _inplace(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Identity) or bool(getattr(layer, "inplace", False))
