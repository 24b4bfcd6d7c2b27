"""What a network needs, told by its layers at work on a small image."""

from __future__ import annotations

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
