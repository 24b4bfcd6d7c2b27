"""Random changes of a batch of patches: drawn once, then applied by deterministic functions, in torch."""

from __future__ import annotations

from dataclasses import dataclass
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
    """What happens to each patch of a batch; every field has shape (B,).

    Parameters
    ----------
    mirror : ndarray of int
        One of the eight symmetries of the square: quarter turns, plus 4 when transposed.
    angle : ndarray
        Rotation in radians.
    scale : ndarray
        Magnification.
    gamma, contrast, brightness : ndarray
        Exponent, factor about the mean, shift.
    noise, blur : ndarray
        Standard deviations, in grey values and in pixels.
    noise_seed : ndarray of int
        Seed of the noise.
    """

    mirror: Array
    angle: Array
    scale: Array
    gamma: Array
    contrast: Array
    brightness: Array
    noise: Array
    blur: Array
    noise_seed: Array


def draw(augment: Augment, batch: int, random: np.random.Generator) -> Draws:
    """Draw what happens to ``batch`` patches."""

    def sometimes(probability: float, values: Array, otherwise: float) -> Array:
        return np.where(random.random(batch) < probability, values, otherwise)

    def log_uniform(low: float, high: float) -> Array:
        return np.exp(random.uniform(np.log(low), np.log(high), batch))

    turned = random.random(batch) < augment.affine
    limit = np.deg2rad(augment.rotation_degrees)
    angle, scale = random.uniform(-limit, limit, batch), log_uniform(*augment.scale)
    return Draws(
        mirror=random.integers(0, 8, batch) if augment.mirror else np.zeros(batch, int),
        angle=np.where(turned, angle, 0.0),
        scale=np.where(turned, scale, 1.0),
        gamma=sometimes(augment.intensity, log_uniform(*augment.gamma), 1.0),
        contrast=sometimes(augment.intensity, log_uniform(*augment.contrast), 1.0),
        brightness=sometimes(augment.intensity, random.uniform(-1, 1, batch) * augment.brightness, 0.0),
        noise=sometimes(augment.noise, random.random(batch) * augment.noise_sigma, 0.0),
        blur=sometimes(augment.blur, random.random(batch) * augment.blur_sigma, 0.0),
        noise_seed=random.integers(0, 2**31, batch),
    )


def apply(images: torch.Tensor, labels: torch.Tensor, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
    """Change a batch: images float32 (B, Y, X) in [0, 1] and labels uint8 (B, Y, X), into new tensors."""
    images, labels = _mirror(images, labels, draws.mirror)
    images, labels = _affine(images, labels, draws)
    images = _blur(images, draws.blur)
    images = _grey(images, draws)
    return _noise(images, draws).clamp_(0, 1), labels


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


def _affine(images: torch.Tensor, labels: torch.Tensor, draws: Draws) -> tuple[torch.Tensor, torch.Tensor]:
    chosen = np.flatnonzero((draws.angle != 0) | (draws.scale != 1))
    if not chosen.size:
        return images, labels
    rows, columns = images.shape[-2:]
    theta = torch.zeros(chosen.size, 2, 3)
    for index, patch in enumerate(chosen):
        cosine, sine = np.cos(draws.angle[patch]), np.sin(draws.angle[patch])
        aspect = rows / columns  # grid coordinates are relative to the extents, a rotation is not
        theta[index, :, :2] = torch.tensor([[cosine, -sine * aspect], [sine / aspect, cosine]]) / draws.scale[patch]
    grid = F.affine_grid(theta, [chosen.size, 1, rows, columns], align_corners=False)
    images, labels = images.clone(), labels.clone()
    images[chosen] = F.grid_sample(
        images[chosen][:, None], grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )[:, 0]
    # what lies beyond the patch is unknown: its labels are left out, the mirrored image is context only
    shifted = labels[chosen][:, None].float() - IGNORE
    labels[chosen] = (
        F.grid_sample(shifted, grid, mode="nearest", padding_mode="zeros", align_corners=False)[:, 0] + IGNORE
    ).to(torch.uint8)
    return images, labels


def _blur(images: torch.Tensor, sigma: Array) -> torch.Tensor:
    chosen = np.flatnonzero(sigma > 0.2)  # a narrower Gaussian is one pixel wide
    if not chosen.size:
        return images
    radius = int(np.ceil(3 * sigma[chosen].max()))
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernels = torch.exp(-0.5 * (offsets / torch.tensor(sigma[chosen], dtype=torch.float32)[:, None]) ** 2)
    kernels = (kernels / kernels.sum(1, keepdim=True))[:, None, :, None]  # (B, 1, taps, 1)
    padded = F.pad(images[chosen][None], [radius] * 4, mode="reflect")
    smooth = F.conv2d(padded, kernels, groups=chosen.size)
    smooth = F.conv2d(smooth, kernels.transpose(2, 3), groups=chosen.size)[0]
    result = images.clone()
    result[chosen] = smooth
    return result


def _grey(images: torch.Tensor, draws: Draws) -> torch.Tensor:
    gamma, contrast, brightness = (
        torch.tensor(values, dtype=torch.float32)[:, None, None]
        for values in (draws.gamma, draws.contrast, draws.brightness)
    )
    images = images.clamp(0, 1) ** gamma
    mean = images.mean(dim=(1, 2), keepdim=True)
    return (images - mean) * contrast + mean + brightness


def _noise(images: torch.Tensor, draws: Draws) -> torch.Tensor:
    result = images.clone()
    for index in np.flatnonzero(draws.noise > 0):
        noise = np.random.Generator(np.random.SFC64(int(draws.noise_seed[index])))
        values = noise.standard_normal(images.shape[1:], np.float32) * np.float32(draws.noise[index])
        result[index] += torch.from_numpy(values)
    return result
