"""The network at work: where it runs, in which numbers, and how a slice becomes probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F

from ImplantSegLib.errors import InputError
from ImplantSegLib.inference import tiling
from ImplantSegLib.models.cost import bytes_per_pixel as bytes_per_pixel

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
