"""Networks that need no training, as bundles: what they do can be told in a sentence."""

import functools
from dataclasses import dataclass

import numpy as np
import pytest

from ImplantSegLib.models import ZOO, Bundle, ModelSpec, save
from ImplantSegLib.volumes import Volume, write

GREYS = (0.0, 1.0, 0.7, 0.4)
"""Grey value of background, residual material, degradation layer and bone in the scans of these tests."""


@functools.cache
def network_classes():
    """Define the networks, late: these tests must be collected where torch is absent too."""
    import torch
    from torch import nn

    class Nearest(nn.Module):
        """Gives each voxel the class whose grey value is nearest, looking at nothing but the voxel."""

        smallest_input = 8

        def __init__(self) -> None:
            super().__init__()
            self.greys = nn.Parameter(torch.tensor(GREYS).reshape(1, 4, 1, 1), requires_grad=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert x.shape[-1] % 8 == 0
            assert x.shape[-2] % 8 == 0
            return -300 * (x - self.greys) ** 2

    class Blurred(nn.Module):
        """The same after a 5 × 5 convolution that is not symmetric: it needs surroundings and has a direction."""

        smallest_input = 4

        def __init__(self) -> None:
            super().__init__()
            self.blur = nn.Sequential(nn.Conv2d(1, 1, 5, padding=2, bias=False), nn.BatchNorm2d(1), nn.ReLU())
            self.nearest = Nearest()
            random = torch.Generator().manual_seed(0)
            with torch.no_grad():
                weights = torch.rand(25, generator=random)
                self.blur[0].weight.copy_((weights / weights.sum()).reshape(1, 1, 5, 5))
                self.blur[1].running_mean.fill_(0.1)
                self.blur[1].running_var.fill_(0.8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return -30 * (self.blur(x) - self.nearest.greys) ** 2

    return Nearest, Blurred


@dataclass(frozen=True)
class Case:
    """A scan on disk, its true labels, and a model file that finds them."""

    scan: str
    model: str
    labels: np.ndarray
    volume: Volume


@pytest.fixture
def networks(monkeypatch):
    """Put the networks of these tests into the zoo for the time of a test."""
    monkeypatch.setitem(ZOO, "nearest", ModelSpec(lambda: network_classes()[0], 4, "nearest grey value"))
    monkeypatch.setitem(ZOO, "blurred", ModelSpec(lambda: network_classes()[1], 31, "blurred, then nearest grey value"))


@pytest.fixture
def labels():
    """Bone all around a box of layer with a box of metal inside, and 40 voxels of metal far away; nothing above."""
    array = np.zeros((14, 40, 36), np.uint8)
    array[:, 8:] = 3
    array[2:12, 14:30, 12:28] = 2
    array[4:10, 17:27, 15:25] = 1
    array[6:8, 34:38, 3:8] = 1
    return array


@pytest.fixture
def case(tmp_path, networks, labels):
    """A uint16 scan with a little noise, at 10 µm, and the model that fits it."""
    grey = np.take(GREYS, labels) + np.random.default_rng(0).normal(0, 0.02, labels.shape)
    volume = Volume((1000 + 10000 * np.clip(grey, 0, 1)).astype(np.uint16), (0.01, 0.01, 0.01), (1.0, 2.0, 3.0))
    write(volume, tmp_path / "scan.nrrd")
    preprocessing = {"low_percent": 0.0, "high_percent": 100.0}
    bundle = Bundle("nearest", preprocessing=preprocessing, spacing_mm=(0.01, 0.01, 0.01))
    save(tmp_path / "nearest.safetensors", bundle, network_classes()[0]().state_dict())
    return Case(str(tmp_path / "scan.nrrd"), str(tmp_path / "nearest.safetensors"), labels, volume)
