"""The U-Net of the paper's comparison and its scaled form: one network with a width and a depth.

Source of the structure: O. Ronneberger et al. 2015, doi 10.1007/978-3-319-24574-4_28, in the form with
batch normalisation and bilinear upsampling.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from ImplantSegLib.models.blocks import Activation, DoubleConv, Up


class UNet(nn.Module):
    """Encoder and decoder with skip connections; the deepest two levels are equally wide.

    With ``width=64, levels=5`` the encoder has 64-128-256-512-512 channels, the decoder 256-128-64-64.

    Parameters
    ----------
    width : int
        Channels of the first level.
    levels : int
        Resolutions, each half of the one before.
    activation : {"relu", "mish"}
        Activation behind each batch normalisation.
    align_corners : bool
        See :class:`~ImplantSegLib.models.blocks.Up`.
    inputs, classes : int
        Channels of the image and of the logits.
    """

    def __init__(
        self,
        width: int = 64,
        levels: int = 5,
        activation: Activation = "relu",
        align_corners: bool = True,
        inputs: int = 1,
        classes: int = 4,
    ) -> None:
        super().__init__()
        encoder = [width * 2**level for level in range(levels - 1)]
        encoder.append(encoder[-1])  # bilinear upsampling does not halve the channels, so the last is not doubled
        decoder = [max(channels // 2, width) for channels in encoder[-2::-1]]
        self.down = nn.ModuleList(
            DoubleConv(before, after, after, activation)
            for before, after in zip([inputs, *encoder], encoder, strict=False)
        )
        self.up = nn.ModuleList(
            Up(coarse + skip, after, activation, align_corners)
            for coarse, skip, after in zip([encoder[-1], *decoder], encoder[-2::-1], decoder, strict=False)
        )
        self.head = nn.Conv2d(decoder[-1], classes, 1)
        self.smallest_input = 2 ** (levels - 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (B, 1, Y, X), Y and X at least ``smallest_input``, to logits (B, classes, Y, X)."""
        skips = []
        for level, convolve in enumerate(self.down):
            x = convolve(F.max_pool2d(x, 2) if level else x)  # (B, width · 2^level, Y / 2^level, X / 2^level)
            skips.append(x)
        for join, skip in zip(self.up, skips[-2::-1], strict=True):
            x = join(x, skip)
        return self.head(x)
