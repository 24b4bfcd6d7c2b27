"""Random changes of a batch of patches: drawn once, then applied by deterministic functions, in torch.

These are our own and not MONAI's, whose random transforms draw inside themselves, take one patch at a time and
resample once for each change; rings and stripes it has none of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from ImplantSegLib.labels import IGNORE
from ImplantSegLib.training.config import Augment

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Draws:
    """What happens to each patch of a batch; every array has shape (B,).

    Parameters
    ----------
    mirror : ndarray of int
        One of the eight symmetries of the square: quarter turns, plus 4 when transposed.
    angle : ndarray
        Rotation in radians.
    scale : ndarray
        Magnification.
    elastic : ndarray
        Standard deviation of the random displacement in pixels.
    gamma, contrast, brightness : ndarray
        Exponent, factor about the mean, shift.
    noise, blur : ndarray
        Standard deviations, in grey values and in pixels.
    ring, stripe : ndarray
        Standard deviations of the ring and stripe artefacts in grey values.
    ring_row, ring_column : ndarray
        Centre of the rings in pixels, inside or outside the patch.
    stripe_angle : ndarray
        Direction across the stripes in radians: 0 down the rows.
    seed : ndarray of int
        Seed of noise, displacements, rings and stripes.
    elastic_sigma_px : float
        How smooth the displacement is, for the whole batch.
    """

    mirror: Array
    angle: Array
    scale: Array
    elastic: Array
    gamma: Array
    contrast: Array
    brightness: Array
    noise: Array
    blur: Array
    ring: Array
    stripe: Array
    ring_row: Array
    ring_column: Array
    stripe_angle: Array
    seed: Array
    elastic_sigma_px: float


def draw(augment: Augment, batch: int, patch: list[int], random: np.random.Generator) -> Draws:
    """Draw what happens to ``batch`` patches of ``patch`` rows and columns."""

    def sometimes(probability: float, values: Array, otherwise: float = 0.0) -> Array:
        return np.where(random.random(batch) < probability, values, otherwise)

    def up_to(largest: float) -> Array:
        return random.random(batch) * largest

    def log_uniform(low: float, high: float) -> Array:
        return np.exp(random.uniform(np.log(low), np.log(high), batch))

    turned = random.random(batch) < augment.affine
    limit = np.deg2rad(augment.rotation_degrees)
    angle, scale = random.uniform(-limit, limit, batch), log_uniform(*augment.scale)
    return Draws(
        mirror=random.integers(0, 8, batch) if augment.mirror else np.zeros(batch, int),
        angle=np.where(turned, angle, 0.0),
        scale=np.where(turned, scale, 1.0),
        elastic=sometimes(augment.elastic, up_to(augment.elastic_px)),
        gamma=sometimes(augment.intensity, log_uniform(*augment.gamma), 1.0),
        contrast=sometimes(augment.intensity, log_uniform(*augment.contrast), 1.0),
        brightness=sometimes(augment.intensity, random.uniform(-1, 1, batch) * augment.brightness),
        noise=sometimes(augment.noise, up_to(augment.noise_sigma)),
        blur=sometimes(augment.blur, up_to(augment.blur_sigma)),
        ring=sometimes(augment.ring, up_to(augment.ring_sigma)),
        stripe=sometimes(augment.stripe, up_to(augment.stripe_sigma)),
        ring_row=random.uniform(-1, 2, batch) * patch[0],
        ring_column=random.uniform(-1, 2, batch) * patch[1],
        stripe_angle=random.uniform(0, np.pi, batch),
        seed=random.integers(0, 2**31, batch),
        elastic_sigma_px=augment.elastic_sigma_px,
    )


def apply(images: torch.Tensor, labels: torch.Tensor, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
    """Change a batch: images float32 (B, Y, X) in [0, 1] and labels uint8 (B, Y, X), into new tensors."""
    images, labels = _mirror(images, labels, draws.mirror)
    images, labels = _deform(images, labels, draws)
    _blur(images, draws.blur)
    _grey(images, draws)
    _bands(images, draws)
    _noise(images, draws)
    return images.clamp_(0, 1), labels


def _mirror(images: torch.Tensor, labels: torch.Tensor, mirror: Array) -> tuple[torch.Tensor, torch.Tensor]:
    square = images.shape[-1] == images.shape[-2]

    def one(patch: torch.Tensor, code: int) -> torch.Tensor:
        if square:
            patch = patch.T if code >= 4 else patch
            return torch.rot90(patch, code % 4)
        return patch.flip([axis for axis in (0, 1) if code >> axis & 1])

    codes = mirror.tolist()
    return (
        torch.stack([one(patch, code) for patch, code in zip(images, codes, strict=True)]),
        torch.stack([one(patch, code) for patch, code in zip(labels, codes, strict=True)]),
    )


def _deform(images: torch.Tensor, labels: torch.Tensor, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
    """Rotate, scale and displace, with one interpolation for all."""
    chosen = np.flatnonzero((draws.angle != 0) | (draws.scale != 1) | (draws.elastic > 0))
    if chosen.size:
        grid = _sampling_grid(chosen, list(images.shape[-2:]), draws)
        images[chosen], labels[chosen] = resample(images[chosen], labels[chosen], grid)
    return images, labels


def _sampling_grid(chosen: Array, shape: list[int], draws: Draws) -> torch.Tensor:
    """Where the pixels of the chosen patches come from, (B, Y, X, 2), in the coordinates of ``grid_sample``."""
    row, column = (torch.arange(extent) - (extent - 1) / 2 for extent in shape)  # pixels from the centre
    row = row[:, None]
    grid = torch.empty(chosen.size, *shape, 2)
    for place, patch in zip(grid, chosen, strict=True):
        cosine, sine = (float(of(draws.angle[patch]) / draws.scale[patch]) for of in (np.cos, np.sin))
        down, across = cosine * row + sine * column, cosine * column - sine * row
        if draws.elastic[patch] > 0:
            noise = _generator(draws, patch, "elastic")
            field = displacement(shape, draws.elastic_sigma_px, noise) * float(draws.elastic[patch])
            down, across = down + field[0], across + field[1]
        place[..., 0], place[..., 1] = across * (2 / shape[1]), down * (2 / shape[0])
    return grid


def displacement(shape: list[int], sigma_px: float, noise: np.random.Generator) -> torch.Tensor:
    """Draw a smooth field of normal numbers of standard deviation 1 everywhere, float32 (2, Y, X).

    It is white noise after a Gaussian filter (Simard 2003, doi 10.1109/ICDAR.2003.1227801), on points one standard
    deviation of the filter apart, which is as fine as the result can show.
    """
    down, across = (_gaussian_weights(extent, sigma_px) for extent in shape)
    points = torch.from_numpy(noise.standard_normal((2, down.shape[1], across.shape[1]), np.float32))
    return down @ points @ across.T


@lru_cache(maxsize=8)
def _gaussian_weights(extent: int, sigma_px: float) -> torch.Tensor:
    """Weights (extent, points) of points one sigma apart for every pixel; their squares sum to 1."""
    points = sigma_px * torch.arange(-3, math.ceil(extent / sigma_px) + 4)
    weights = torch.exp(-0.5 * ((torch.arange(extent)[:, None] - points) / sigma_px) ** 2)
    return weights / weights.norm(dim=1, keepdim=True)


def resample(images: torch.Tensor, labels: torch.Tensor, grid: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Take patches at other places: images (B, Y, X) linearly, labels (B, Y, X) from the nearest pixel.

    Beyond the patch the image is mirrored, as context only: the labels there are unknown, 255.
    """
    images = F.grid_sample(images[:, None], grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    shifted = labels[:, None].float() - IGNORE
    shifted = F.grid_sample(shifted, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return images[:, 0], (shifted[:, 0] + IGNORE).to(torch.uint8)


def _blur(images: torch.Tensor, sigma: Array) -> None:
    chosen = np.flatnonzero(sigma > 0.2)  # a narrower Gaussian is one pixel wide
    if not chosen.size:
        return
    radius = int(np.ceil(3 * sigma[chosen].max()))
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernels = torch.exp(-0.5 * (offsets / torch.tensor(sigma[chosen], dtype=torch.float32)[:, None]) ** 2)
    kernels = (kernels / kernels.sum(1, keepdim=True))[:, None, :, None]  # (B, 1, taps, 1)
    padded = F.pad(images[chosen][None], [radius] * 4, mode="reflect")
    smooth = F.conv2d(padded, kernels, groups=chosen.size)
    images[chosen] = F.conv2d(smooth, kernels.transpose(2, 3), groups=chosen.size)[0]


def _grey(images: torch.Tensor, draws: Draws) -> None:
    images.clamp_(0, 1)
    for index in np.flatnonzero(draws.gamma != 1):
        images[index].pow_(float(draws.gamma[index]))
    for index in np.flatnonzero((draws.contrast != 1) | (draws.brightness != 0)):
        image, mean, contrast = images[index], images[index].mean(), float(draws.contrast[index])
        image.mul_(contrast).add_((1 - contrast) * mean + float(draws.brightness[index]))


def _bands(images: torch.Tensor, draws: Draws) -> None:
    """Add artefacts that are the same along a circle or a line: rings and stripes, each one pixel wide."""
    rows, columns = (torch.arange(extent, dtype=torch.float32) for extent in images.shape[-2:])
    for index in np.flatnonzero(draws.ring > 0):
        radius = torch.hypot(rows[:, None] - float(draws.ring_row[index]), columns - float(draws.ring_column[index]))
        images[index] += _band_values(radius, draws.ring[index], _generator(draws, index, "ring"))
    for index in np.flatnonzero(draws.stripe > 0):
        angle = draws.stripe_angle[index]
        across = rows[:, None] * float(np.cos(angle)) + columns * float(np.sin(angle))
        images[index] += _band_values(across, draws.stripe[index], _generator(draws, index, "stripe"))


def _band_values(position: torch.Tensor, sigma: float, noise: np.random.Generator) -> torch.Tensor:
    """Give pixels (Y, X) of the same position, rounded, the same normal number."""
    band = position.round_().to(torch.int32)
    band -= band.min()
    values = noise.standard_normal(int(band.max()) + 1, np.float32) * np.float32(sigma)
    return torch.from_numpy(values)[band]


def _noise(images: torch.Tensor, draws: Draws) -> None:
    for index in np.flatnonzero(draws.noise > 0):
        values = _generator(draws, index, "noise").standard_normal(images.shape[1:], np.float32)
        images[index].add_(torch.from_numpy(values), alpha=float(draws.noise[index]))


def _generator(draws: Draws, patch: np.intp, use: str) -> np.random.Generator:
    stream = ("noise", "elastic", "ring", "stripe").index(use)
    return np.random.Generator(np.random.SFC64([int(draws.seed[patch]), stream]))
