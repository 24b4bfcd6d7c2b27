"""Building blocks that the networks share."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

Activation = Literal["relu", "mish"]

_ACTIVATIONS = {"relu": nn.ReLU, "mish": nn.Mish}


class DoubleConv(nn.Sequential):
    """Twice a 3×3 convolution without bias, batch normalisation and an activation.

    Parameters
    ----------
    inputs, middle, outputs : int
        Channels before, between and after the two convolutions.
    activation : {"relu", "mish"}
        Mish is x·tanh(softplus(x)), arXiv:1908.08681.
    """

    def __init__(self, inputs: int, middle: int, outputs: int, activation: Activation = "relu") -> None:
        layers: list[nn.Module] = []
        for before, after in ((inputs, middle), (middle, outputs)):
            layers += [
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                _ACTIVATIONS[activation](inplace=True),
            ]
        super().__init__(*layers)


class Up(nn.Module):
    """One step of the decoder: upsample twofold, pad to the skip connection, concatenate, convolve.

    Parameters
    ----------
    inputs : int
        Channels of the coarse features and of the skip connection together.
    outputs : int
        Channels that leave; between the two convolutions there are ``inputs // 2``.
    activation : {"relu", "mish"}
        Activation of the convolutions.
    align_corners : bool
        Whether the bilinear upsampling keeps the corners in place, as the published U-Net does. Then
        features shift by up to a quarter of a coarse pixel in a way that depends on the size of the
        input; without it they do not, and tiles of any size agree.
    """

    def __init__(self, inputs: int, outputs: int, activation: Activation = "relu", align_corners: bool = True) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.convolve = DoubleConv(inputs, inputs // 2, outputs, activation)

    def forward(self, coarse: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Join coarse features (B, C, y, x) with skipped ones (B, D, Y, X), where Y is 2y or 2y + 1."""
        fine = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=self.align_corners)
        rows, columns = skip.shape[-2] - fine.shape[-2], skip.shape[-1] - fine.shape[-1]
        if rows or columns:  # an odd size lost its last row or column when it was pooled
            fine = F.pad(fine, (0, columns, 0, rows), mode="replicate")
        return self.convolve(torch.cat([skip, fine], dim=1))
