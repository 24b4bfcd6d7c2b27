"""What the beamline makes of the attenuation: blur, phase fringes, noise, rings, the stitching circle, a bias.

Every random number belongs to a slice of the whole volume (Philox, counted by slice), so slabs of any size give the
same image.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from ImplantSegLib.phantom.noise import stream
from ImplantSegLib.phantom.sample import Frame

HALO = 6
"""Slices beside a slab that blur, fringes and noise correlation reach into."""


@dataclass(frozen=True)
class Imaging:
    """Imaging of one beamline; lengths in voxels of the reconstruction, grey values in 1/cm.

    Parameters
    ----------
    blur : float
        Standard deviation of the point spread.
    fringe, fringe_width : float
        Strength and width of the edge fringes of free-space propagation.
    noise, noise_blur : float
        Standard deviation of the noise, and of the Gaussian that correlates it.
    ring : float
        Standard deviation of the ring artefacts.
    stitch, stitch_radius : float
        Brightness of the stitching circle, and its radius as a share of half the field of view.
    bias : float
        Relative amplitude of the slow drift of the grey level.
    gain, offset : float
        Grey value (uint16) = offset + gain · attenuation.
    """

    blur: float
    fringe: float
    fringe_width: float
    noise: float
    noise_blur: float
    ring: float
    stitch: float
    stitch_radius: float
    bias: float
    gain: float
    offset: float


IMAGING = {
    # 40 mm and 400 mm between sample and detector: faint and strong fringes (the paper's table 2)
    "p05": Imaging(0.65, 0.25, 1.6, 0.085, 0.7, 0.012, 0.10, 0.12, 0.04, 21000.0, 12000.0),
    "p07": Imaging(0.70, 0.60, 1.6, 0.060, 0.7, 0.012, 0.08, 0.16, 0.05, 26000.0, 15000.0),
}


def image_slabs(
    windows: Iterator[tuple[int, np.ndarray[Any, Any]]], frame: Frame, imaging: Imaging, seed: int
) -> Iterator[np.ndarray[Any, Any]]:
    """Turn windows of attenuation into slabs of grey values.

    Parameters
    ----------
    windows : iterator of (int, array of float32, shape (HALO + depth + HALO, Y, X))
        First slice of each slab, and its attenuation with the halo.
    frame : Frame
        Grid and field of view.
    imaging : Imaging
        The beamline.
    seed : int
        Seed of the phantom.

    Yields
    ------
    array of uint16, shape (depth, Y, X)
        Grey values; 0 outside a circular field of view.
    """
    scene = _Scene(frame, imaging, seed)
    for start, window in windows:
        depth = len(window) - 2 * HALO
        grey = _optics(window, imaging)
        grey += _noise(start - HALO, len(window), frame, imaging, seed)
        for k in range(depth):
            grey[k] = scene.degrade(start + k, grey[k])
        counts = np.clip(np.rint(imaging.offset + imaging.gain * grey), 1, 65535)
        yield np.where(scene.in_view, counts, 0).astype(np.uint16)


def _optics(window: np.ndarray[Any, Any], imaging: Imaging) -> np.ndarray[Any, Any]:
    """Blur, and overshoot at edges as propagation makes it: blurred + strength · (blurred - blurred more)."""
    sharp = _inner_gaussian(window, imaging.blur)
    wide = _inner_gaussian(window, math.hypot(imaging.blur, imaging.fringe_width))
    return sharp + np.float32(imaging.fringe) * (sharp - wide)


def _inner_gaussian(window: np.ndarray[Any, Any], sigma: float) -> np.ndarray[Any, Any]:
    """Gaussian of the window's inner slices; its kernel ends within the halo."""
    return ndimage.gaussian_filter(window, sigma, mode="nearest", radius=min(HALO, math.ceil(3.5 * sigma)))[HALO:-HALO]


def _noise(start: int, depth: int, frame: Frame, imaging: Imaging, seed: int) -> np.ndarray[Any, Any]:
    """Gaussian noise, correlated over neighbouring voxels, of the wanted standard deviation."""
    white = np.stack(
        [_slice_rng(seed, "noise", start + k).standard_normal(frame.shape[1:], np.float32) for k in range(depth)]
    )
    radius = min(HALO, math.ceil(3.5 * imaging.noise_blur))
    impulse = np.zeros(2 * radius + 1)
    impulse[radius] = 1.0
    kernel = ndimage.gaussian_filter1d(impulse, imaging.noise_blur, radius=radius)
    loss = float((kernel**2).sum()) ** 1.5
    return _inner_gaussian(white, imaging.noise_blur) * np.float32(imaging.noise / loss)


def _slice_rng(seed: int, name: str, z: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=stream(seed, name), counter=[0, 0, 0, z + 2**20]))


class _Scene:
    """What is the same in every slice: radii, rings of the detector, the stitching circle, the bias."""

    def __init__(self, frame: Frame, imaging: Imaging, seed: int) -> None:
        self.imaging = imaging
        self.seed = seed
        ny, nx = frame.shape[1:]
        y, x = np.mgrid[:ny, :nx].astype(np.float32)
        rng = np.random.Generator(np.random.Philox(stream(seed, "scene")))
        centre_y, centre_x = frame.centre_y + rng.uniform(-3, 3), frame.centre_x + rng.uniform(-3, 3)
        radius = np.hypot(y - centre_y, x - centre_x)
        self.bin = np.minimum(np.rint(radius), max(ny, nx)).astype(np.intp)
        self.bins = int(self.bin.max()) + 1
        self.steady = rng.standard_normal(self.bins)
        circle = imaging.stitch_radius * min(ny, nx) / 2
        self.circle = imaging.stitch * np.exp(-0.5 * ((radius - circle) / 1.2) ** 2)
        self.in_view = (y - frame.centre_y) ** 2 + (x - frame.centre_x) ** 2 <= frame.radius**2
        phase = rng.uniform(0, 2 * math.pi, 3)
        waves = np.sin(2.2 * y / ny + phase[0]) + np.sin(2.7 * x / nx + phase[1])
        cupping = 1.0 - (radius / radius.max()) ** 2
        self.gain = (1.0 + imaging.bias * (0.5 * waves - 0.7 * cupping)).astype(np.float32)
        self.drift = phase[2]

    def degrade(self, z: int, grey: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Add what depends on the place in the slice."""
        own = _slice_rng(self.seed, "rings", z).standard_normal(self.bins)
        rings = self.imaging.ring * (0.9 * self.steady + 0.4 * own)
        # a ring is one detector pixel: its noise spreads over a growing circumference
        rings *= np.sqrt(40.0 / (np.arange(self.bins) + 10.0))
        drift = 1.0 + 0.3 * self.imaging.bias * math.sin(0.05 * z + self.drift)
        return grey * self.gain * np.float32(drift) + (rings[self.bin] + self.circle).astype(np.float32)
