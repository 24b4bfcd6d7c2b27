"""HR-Net: parallel branches of all resolutions that exchange features again and again.

Source of the structure: J. Wang et al. 2021, doi 10.1109/TPAMI.2020.2983686, in the form for segmentation (V2), whose
head joins the features of all branches.
"""

from __future__ import annotations

import itertools
from functools import reduce

import torch
from torch import nn
from torch.nn import functional as F

STEM_STRIDE = 4


class HRNet(nn.Module):
    """A stem to a quarter of the resolution, then four stages with one to four branches.

    Branch ``i`` has ``width · 2^i`` channels at 1 / 2^(i + 2) of the resolution. Published are the widths 18, 32,
    44 (the paper's) and 48.

    Parameters
    ----------
    width : int
        Channels of the first branch.
    stem : int
        Channels of the stem; the bottlenecks of the first stage give out four times as many.
    blocks : int
        Residual blocks of the first stage, and of every branch of a module.
    modules : tuple of int
        Modules of the second, third and fourth stage; each ends with an exchange between its branches.
    align_corners : bool
        Whether bilinear upsampling keeps the corners in place, see :class:`~ImplantSegLib.models.blocks.Up`.
    inputs, classes : int
        Channels of the image and of the logits.
    """

    def __init__(
        self,
        width: int = 44,
        stem: int = 64,
        blocks: int = 4,
        modules: tuple[int, int, int] = (1, 4, 3),
        align_corners: bool = False,
        inputs: int = 1,
        classes: int = 4,
    ) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.stem = nn.Sequential(_unit(inputs, stem, stride=2), _unit(stem, stem, stride=2))
        expanded = stem * Bottleneck.expansion
        self.first = nn.Sequential(*(Bottleneck(expanded if index else stem, stem) for index in range(blocks)))
        channels = [width * 2**branch for branch in range(4)]
        self.begin = _unit(expanded, width)
        self.branch_off = nn.ModuleList(
            _unit(before, after, stride=2) for before, after in itertools.pairwise([expanded, *channels[1:]])
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(Exchange(channels[: stage + 2], blocks, align_corners) for _ in range(count)))
            for stage, count in enumerate(modules)
        )
        joined = sum(channels)
        self.head = nn.Sequential(
            nn.Conv2d(joined, joined, 1), nn.BatchNorm2d(joined), nn.ReLU(inplace=True), nn.Conv2d(joined, classes, 1)
        )
        self.smallest_input = STEM_STRIDE * 2 ** len(self.stages)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (B, 1, Y, X), Y and X at least ``smallest_input``, to logits (B, classes, Y, X)."""
        features = self.first(self.stem(x))  # (B, 4 · stem, Y/4, X/4)
        branches = [self.begin(features)]
        for number, (stage, branch_off) in enumerate(zip(self.stages, self.branch_off, strict=True)):
            branches.append(branch_off(branches[-1] if number else features))  # (B, 2^i · width, Y / 2^(i+2), ...)
            branches = stage(branches)
        size = branches[0].shape[-2:]
        joined = torch.cat([branches[0], *(_resized(branch, size, self.align_corners) for branch in branches[1:])], 1)
        return _resized(self.head(joined), x.shape[-2:], self.align_corners)


class Exchange(nn.Module):
    """Residual blocks in every branch, then in each the sum of all.

    Parameters
    ----------
    channels : list of int
        Channels of the branches, from fine to coarse.
    blocks : int
        Residual blocks in each.
    align_corners : bool
        As in :class:`HRNet`.
    """

    def __init__(self, channels: list[int], blocks: int, align_corners: bool) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(Basic(count) for _ in range(blocks))) for count in channels)
        self.join = nn.ModuleList(Join(channels, target, align_corners) for target in range(len(channels)))

    def forward(self, branches: list[torch.Tensor]) -> list[torch.Tensor]:
        """Features of every branch, from fine to coarse, to as many of the same shapes."""
        branches = [blocks(branch) for blocks, branch in zip(self.branches, branches, strict=True)]
        return [join(branches) for join in self.join]


class Join(nn.Module):
    """The sum of all branches, brought to the channels and the size of one of them."""

    def __init__(self, channels: list[int], target: int, align_corners: bool) -> None:
        super().__init__()
        self.target, self.align_corners = target, align_corners
        self.paths = nn.ModuleList(_path(channels, source, target) for source in range(len(channels)))

    def forward(self, branches: list[torch.Tensor]) -> torch.Tensor:
        """Features of every branch to those of the target."""
        size = branches[self.target].shape[-2:]
        brought = [path(branch) for path, branch in zip(self.paths, branches, strict=True)]
        return F.relu(reduce(torch.add, (_resized(one, size, self.align_corners) for one in brought)))


class Basic(nn.Module):
    """Two 3×3 convolutions with a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolve = nn.Sequential(_unit(channels, channels), _unit(channels, channels, activate=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give features of the same shape."""
        return F.relu(self.convolve(x) + x)


class Bottleneck(nn.Module):
    """A 3×3 convolution of few channels between two 1×1 ones, with a shortcut."""

    expansion = 4

    def __init__(self, inputs: int, middle: int) -> None:
        super().__init__()
        outputs = middle * self.expansion
        self.convolve = nn.Sequential(
            _unit(inputs, middle, kernel=1), _unit(middle, middle), _unit(middle, outputs, kernel=1, activate=False)
        )
        self.shortcut = nn.Identity() if inputs == outputs else _unit(inputs, outputs, kernel=1, activate=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give features (B, 4 · middle, Y, X)."""
        return F.relu(self.convolve(x) + self.shortcut(x))


def _unit(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, activate: bool = True) -> nn.Sequential:
    """Convolution without bias, batch normalisation, and ReLU."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if activate else []))


def _path(channels: list[int], source: int, target: int) -> nn.Module:
    """From one branch to another: 1×1 to a finer one, 3×3 of stride 2 for every step to a coarser one."""
    before, after = channels[source], channels[target]
    if source == target:
        return nn.Identity()
    if source > target:
        return _unit(before, after, kernel=1, activate=False)
    between = (_unit(before, before, stride=2) for _ in range(target - source - 1))
    return nn.Sequential(*between, _unit(before, after, stride=2, activate=False))


def _resized(x: torch.Tensor, size: torch.Size, align_corners: bool) -> torch.Tensor:
    return x if x.shape[-2:] == size else F.interpolate(x, size, mode="bilinear", align_corners=align_corners)
