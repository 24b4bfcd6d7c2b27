"""U²-Net: a U of blocks that are U-shaped themselves, with an answer at every depth.

Source of the structure: X. Qin et al. 2020, doi 10.1016/j.patcog.2020.107404.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

LEVELS = (7, 6, 5, 4, 0)
"""Depth of the blocks of the decoder, from fine to coarse, and of the encoder's, which has the last one twice; 0 is a
block of dilated convolutions, which does not pool."""


class U2Net(nn.Module):
    """Six blocks down, five up; six side outputs and their fusion.

    Parameters
    ----------
    width : int
        Channels of the finest features; a multiple of 4. The coarsest have eight times as many.
    small : bool
        The published small form: every block has ``width`` channels, and a quarter of them inside.
    inputs, classes : int
        Channels of the image and of the logits.
    """

    def __init__(self, width: int = 64, small: bool = False, inputs: int = 1, classes: int = 4) -> None:
        super().__init__()
        grown = [1, 1, 1, 1, 1, 1] if small else [1, 2, 4, 8, 8, 8]
        down = [width * factor for factor in grown]
        up = [width * factor for factor in ([1] * 5 if small else [1, 1, 2, 4, 8])]
        inside_down = [max(width // 4 * factor, 1) for factor in ([1] * 6 if small else [2, 2, 4, 8, 16, 16])]
        inside_up = [max(width // 4 * factor, 1) for factor in ([1] * 5 if small else [1, 2, 4, 8, 16])]
        self.down = nn.ModuleList(
            _block(levels, before, inside, after)
            for levels, before, inside, after in zip(
                (*LEVELS, LEVELS[-1]), [inputs, *down[:-1]], inside_down, down, strict=True
            )
        )
        coarser = [*up[1:], down[-1]]
        self.up = nn.ModuleList(
            _block(levels, coarse + skip, inside, after)
            for levels, coarse, skip, inside, after in zip(LEVELS, coarser, down[:-1], inside_up, up, strict=True)
        )
        self.sides = nn.ModuleList(nn.Conv2d(channels, classes, 3, padding=1) for channels in [*up, down[-1]])
        self.fuse = nn.Conv2d(len(self.sides) * classes, classes, 1)
        self.smallest_input = 2 ** len(self.up)

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Images (B, 1, Y, X), Y and X at least ``smallest_input``, to logits (B, classes, Y, X).

        In training mode a tuple: the fused logits and those of the six sides, from fine to coarse, all of one shape.
        """
        size = x.shape[-2:]
        skips: list[torch.Tensor] = []
        for level, block in enumerate(self.down):
            x = block(_halved(x) if level else x)  # (B, down[level], Y / 2^level, X / 2^level)
            skips.append(x)
        deep = [skips.pop()]
        for block in reversed(self.up):
            skip = skips.pop()
            deep.append(block(torch.cat([_resized(deep[-1], skip.shape[-2:]), skip], 1)))
        sides = [_resized(side(one), size) for side, one in zip(self.sides, reversed(deep), strict=True)]
        fused = self.fuse(torch.cat(sides, 1))
        return (fused, *sides) if self.training else fused


class NestedU(nn.Module):
    """A U-shaped residual block (RSU): an inner U-Net added to what enters it.

    Parameters
    ----------
    levels : int
        Convolutions on the way down; the last of them is dilated instead of pooled before.
    inputs, inside, outputs : int
        Channels that enter, of the inner U-Net, and that leave.
    """

    def __init__(self, levels: int, inputs: int, inside: int, outputs: int) -> None:
        super().__init__()
        self.enter = _unit(inputs, outputs)
        self.down = nn.ModuleList(_unit(inside if level else outputs, inside) for level in range(levels - 1))
        self.bottom = _unit(inside, inside, dilation=2)
        self.up = nn.ModuleList(_unit(2 * inside, inside if level else outputs) for level in range(levels - 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (B, inputs, Y, X) to (B, outputs, Y, X)."""
        entered = x = self.enter(x)
        skips: list[torch.Tensor] = []
        for level, convolve in enumerate(self.down):
            x = convolve(_halved(x) if level else x)
            skips.append(x)
        x = self.bottom(x)
        for convolve, skip in zip(reversed(self.up), reversed(skips), strict=True):
            x = convolve(torch.cat([_resized(x, skip.shape[-2:]), skip], 1))
        return x + entered


class DilatedU(nn.Module):
    """The same without pooling, for coarse features (RSU-4F): dilations of 1, 2, 4 and 8 stand for the levels."""

    dilations = (1, 2, 4)

    def __init__(self, inputs: int, inside: int, outputs: int) -> None:
        super().__init__()
        self.enter = _unit(inputs, outputs)
        self.down = nn.ModuleList(
            _unit(inside if level else outputs, inside, dilation) for level, dilation in enumerate(self.dilations)
        )
        self.bottom = _unit(inside, inside, dilation=8)
        self.up = nn.ModuleList(
            _unit(2 * inside, inside if level else outputs, dilation) for level, dilation in enumerate(self.dilations)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (B, inputs, Y, X) to (B, outputs, Y, X)."""
        entered = x = self.enter(x)
        skips = []
        for convolve in self.down:
            x = convolve(x)
            skips.append(x)
        x = self.bottom(x)
        for convolve, skip in zip(reversed(self.up), reversed(skips), strict=True):
            x = convolve(torch.cat([x, skip], 1))
        return x + entered


def _block(levels: int, inputs: int, inside: int, outputs: int) -> nn.Module:
    return NestedU(levels, inputs, inside, outputs) if levels else DilatedU(inputs, inside, outputs)


def _unit(inputs: int, outputs: int, dilation: int = 1) -> nn.Sequential:
    """3×3 convolution with bias, batch normalisation and ReLU."""
    convolution = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def _halved(x: torch.Tensor) -> torch.Tensor:
    return F.max_pool2d(x, 2, ceil_mode=True)


def _resized(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    return x if x.shape[-2:] == size else F.interpolate(x, size, mode="bilinear", align_corners=False)
