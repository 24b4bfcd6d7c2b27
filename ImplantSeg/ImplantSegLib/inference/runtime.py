"""The network at work: where it runs, in which numbers, and how a slice becomes probabilities."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F

from ImplantSegLib.errors import InputError
from ImplantSegLib.inference import tiling

CLASSES = 4


def choose_device(wish: str) -> torch.device:
    """Device for ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    InputError
        For ``cuda`` without a GPU that torch can use.
    """
    available = torch.cuda.is_available()
    if wish == "cuda" and not available:
        raise InputError("got --device cuda, but torch finds no GPU", "pass --device cpu, or install torch for CUDA")
    return torch.device("cuda" if wish != "cpu" and available else "cpu")


def choose_precision(wish: str, device: torch.device) -> str:
    """Numbers for ``auto``, ``float32`` or ``bf16``: bf16 by itself only where the hardware computes with it."""
    if wish != "auto":
        return wish
    return "bf16" if _computes_bf16(device) else "float32"


def _computes_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # names of torch that are not promised: without them the answer is the safe one
    checks = [getattr(torch.cpu, name, None) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")]
    return any(check() for check in checks if check is not None)


def fuse(network: nn.Module) -> nn.Module:
    """Fold every batch normalisation into the convolution before it (in place): the same function, fewer passes."""
    for child in network.children():
        fuse(child)
    if isinstance(network, nn.Sequential):
        for index in range(len(network) - 1):
            first, second = network[index], network[index + 1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                network[index] = torch.nn.utils.fusion.fuse_conv_bn_eval(first, second)
                network[index + 1] = nn.Identity()
    return network


@dataclass(frozen=True)
class Windows:
    """How a slice is cut.

    Parameters
    ----------
    tile : int
        Longest side of a window in pixels.
    overlap : int
        Pixels that neighbours share at least.
    batch : int
        Slices that are computed at once.
    """

    tile: int
    overlap: int
    batch: int = 1

    def of(self, shape_yx: tuple[int, int]) -> list[tiling.Region]:
        """Windows that cover a slice."""
        return tiling.windows(shape_yx, (self.tile, self.tile), (self.overlap, self.overlap))


class Predictor:
    """Gives probabilities for slices.

    Parameters
    ----------
    network : torch.nn.Module
        Takes (B, 1, Y, X) in [0, 1], gives logits (B, 4, Y, X). Its attribute ``smallest_input``, if it has one, is
        the factor that Y and X are padded to a multiple of. It is fused and moved: the predictor owns it.
    windows : Windows
        How a slice is cut.
    device : torch.device
        Where the network runs.
    precision : {"float32", "bf16"}
        Numbers it computes with; probabilities are float32 in any case.
    mirror : bool
        Whether the probabilities of the four mirrored slices are averaged.
    """

    def __init__(
        self, network: nn.Module, windows: Windows, device: torch.device, precision: str, mirror: bool = False
    ) -> None:
        self.multiple = int(getattr(network, "smallest_input", 1))
        self.network: nn.Module = fuse(network.eval()).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.windows = windows
        self.device = device
        self.precision = precision
        self.flips: list[tuple[int, ...]] = [(), (-1,), (-2,), (-2, -1)] if mirror else [()]

    def block(self, grey: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Probabilities of a block.

        Parameters
        ----------
        grey : ndarray of float32, shape (D, Y, X)
            Values in [0, 1].

        Returns
        -------
        ndarray of float32, shape (4, D, Y, X)
        """
        result = np.empty((CLASSES, *grey.shape), np.float32)
        for start in range(0, len(grey), self.windows.batch):
            part = slice(start, start + self.windows.batch)
            images = torch.from_numpy(np.ascontiguousarray(grey[part]))
            result[:, part] = self.slices(images).numpy().swapaxes(0, 1)
        return result

    @torch.inference_mode()
    def slices(self, images: torch.Tensor) -> torch.Tensor:
        """Probabilities (B, 4, Y, X), float32 on the CPU, of slices (B, Y, X) in [0, 1]."""
        height, width = images.shape[1:]
        regions = self.windows.of((height, width))
        if len(regions) == 1:
            return self._window(images)
        total = torch.zeros(len(images), CLASSES, height, width)
        weights = torch.zeros(height, width)
        for y, x in regions:
            weight = self._weight(y.stop - y.start, x.stop - x.start)
            total[:, :, y, x] += weight * self._window(images[:, y, x])
            weights[y, x] += weight
        return total.div_(weights)

    def _weight(self, height: int, width: int) -> torch.Tensor:
        rows, columns = (tiling.ramp(length, self.windows.overlap) for length in (height, width))
        return torch.from_numpy(np.outer(rows, columns).astype(np.float32))

    def _window(self, images: torch.Tensor) -> torch.Tensor:
        """Probabilities (B, 4, h, w) of windows (B, h, w) that are computed in one pass."""
        height, width = images.shape[1:]
        padded = pad(images[:, None].to(self.device), self.multiple).contiguous(memory_format=torch.channels_last)
        total = sum(torch.flip(self._softmax(torch.flip(padded, flip)), flip) for flip in self.flips)
        assert isinstance(total, torch.Tensor)
        return total[:, :, :height, :width].div_(len(self.flips)).cpu()

    def _softmax(self, images: torch.Tensor) -> torch.Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            logits = self.network(images)
        return logits.float().softmax(dim=1)


def pad(images: torch.Tensor, multiple: int) -> torch.Tensor:
    """Continue images (B, 1, Y, X) at their far ends to the next multiple: mirrored, or repeated where too small."""
    rows, columns = (tiling.padded_length(size, multiple) - size for size in images.shape[-2:])
    if not rows and not columns:
        return images
    mode = "reflect" if rows < images.shape[-2] and columns < images.shape[-1] else "replicate"
    return F.pad(images, (0, columns, 0, rows), mode=mode)


def bytes_per_pixel(network: nn.Module) -> int:
    """Bound on the memory that the network needs for one pixel of input, in bytes, without gradients.

    It is the sum of what all layers give out, a bound since most of it is freed before the end.

    Parameters
    ----------
    network : torch.nn.Module
        As :class:`Predictor` takes it.
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
        As :class:`Predictor` takes it; its layers are passed one after the other, as in a U-Net.
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
