"""Iterative non-local means, out of core.

After Bruns, Stipp and Sørensen 2017 (doi 10.1016/j.advwatres.2017.04.020): the distance of two voxels is the
mean squared difference over a cross of 7 voxels in the *previous* iterate, its weight exp(-d/σ²), and what is
averaged are always the *raw* voxels; the centre weighs as much as its best neighbour. σ is estimated from the
scan itself, and once more after the first iteration. Here a small search region is iterated instead of a large
one searched: as much noise goes at a fraction of the time, because the tiles stay in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib import progress
from ImplantSegLib.errors import InputError
from ImplantSegLib.preprocess.normalise import slab_depth
from ImplantSegLib.volumes import FieldOfView, Volume
from ImplantSegLib.volumes.voxels import RawVoxels

_SLAB_BYTES = 48 * 2**20
_PATCHES = 100_000
_PATCH_SIDE = 7  # 15 in the paper; but in binned trabecular bone hardly a patch of that size is free of edges


@dataclass(frozen=True)
class NlmSettings:
    """How to denoise."""

    radius: int = 3
    """Half axis of the search ball, in voxels."""
    iterations: int = 3
    """How often; each looks for similar surroundings in the result of the one before."""
    strength: float = 1.0
    """Factor on the estimated noise level: above 1 smoothes more."""

    def __post_init__(self) -> None:
        if not (1 <= self.radius <= 10 and 1 <= self.iterations <= 20 and self.strength > 0):
            raise InputError(
                f"got radius {self.radius}, {self.iterations} iterations, strength {self.strength} for denoising, "
                "wanted a radius from 1 to 10, 1 to 20 iterations and a strength above 0",
                "correct them",
            )


def denoise(volume: Volume, folder: Path, settings: NlmSettings | None = None) -> tuple[Volume, list[float]]:
    """Denoise a volume through temporary files; memory holds a slab only, and its size does not matter.

    Parameters
    ----------
    volume : Volume
        The scan, any real type; NaN (outside of a field of view) counts as 0.
    folder : Path
        Where two float32 copies of the volume are kept meanwhile; the result lies in one of them.
    settings : NlmSettings, optional
        Search radius, iterations, strength.

    Returns
    -------
    denoised : Volume
        float32, read from a file in ``folder``.
    sigmas : list of float
        Noise level used in each iteration, in grey values.
    """
    settings = settings or NlmSettings()
    fov = FieldOfView.of(volume)
    first = noise_level(volume, fov)
    sigma, sigmas, current = first, [], volume
    for iteration in range(settings.iterations):
        sigmas.append(settings.strength * sigma)
        path = folder / f"nlm-{iteration % 2}.f32"
        current = volume.like(_iterate(volume, current, path, settings.radius, sigmas[-1]))
        if iteration == 0 and settings.iterations > 1:
            sigma = 0.5 * first + 0.5 * noise_level(current, fov)
    return current, sigmas


def noise_level(volume: Volume, fov: FieldOfView | None = None, seed: int = 0) -> float:
    """Estimate the noise in grey values from the standard deviations of random patches of 7 × 7 voxels.

    The deviations fall into two clusters (inside a material, across an edge); the noise is the lower cluster's
    mean and one standard deviation.

    Parameters
    ----------
    volume : Volume
        The scan.
    fov : FieldOfView, optional
        Voxels that count; as the volume's metadata says when left out.
    seed : int
        Start of the random positions.

    Raises
    ------
    InputError
        When every patch is constant: there is no noise to take away.
    """
    fov = FieldOfView.of(volume) if fov is None else fov
    deviations = np.sort(np.concatenate(list(_patch_deviations(volume, fov, np.random.default_rng(seed)))))
    deviations = deviations[deviations > 0]
    if not deviations.size:
        raise InputError("the scan has no noise to take away", "pass --denoise none")
    lower = deviations[: _split(deviations)]
    return float(lower.mean() + lower.std())


def _patch_deviations(
    volume: Volume, fov: FieldOfView, random: np.random.Generator
) -> Iterator[npt.NDArray[np.float64]]:
    depth, height, width = volume.shape
    sides = np.minimum(_PATCH_SIDE, (height, width))
    count = int(np.clip(depth * height * width // np.prod(sides), 64, _PATCHES))
    corners = random.integers(0, (depth, height - sides[0] + 1, width - sides[1] + 1), (count, 3))
    step = slab_depth(volume)
    for z, block in progress.track(volume.slabs(step), "noise", -(-depth // step), "slab"):
        here = corners[(corners[:, 0] >= z.start) & (corners[:, 0] < z.stop)] - (z.start, 0, 0)
        patches = _patches(block, here, sides)
        mask = fov.slab_mask(z, volume.shape)
        if mask is not None:
            patches = patches[_patches(mask, here, sides).all(axis=(1, 2))]
        yield patches.std(axis=(1, 2), dtype=np.float64)


def _patches(block: npt.NDArray[Any], corners: npt.NDArray[np.int64], sides: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    windows = np.lib.stride_tricks.sliding_window_view(block, tuple(sides), axis=(1, 2))
    z, y, x = corners.T
    return windows[z, y, x]  # (N, 7, 7)


def _split(ascending: npt.NDArray[np.float64]) -> int:
    """Size of the lower of two clusters with the least variance inside (k-means in one dimension, exact)."""
    n = len(ascending)
    sums = np.cumsum(ascending)
    sizes = np.arange(1, n)
    between = sums[:-1] ** 2 / sizes + (sums[-1] - sums[:-1]) ** 2 / (n - sizes)
    return int(between.argmax()) + 1 if n > 1 else 1


def _iterate(raw: Volume, previous: Volume, path: Path, radius: int, sigma: float) -> RawVoxels:
    from ImplantSegLib.preprocess.nlm_kernel import filter_slab

    radii = (min(radius, raw.shape[0] - 1), radius, radius)  # a single slice has no neighbours to search in
    step = slab_depth(raw, _SLAB_BYTES)
    starts = range(0, raw.shape[0], step)
    # written as a stream: on a full disk a memory map would kill the process instead of raising an error
    with path.open("wb") as stream:
        for start in progress.track(starts, "denoise", len(starts), "slab"):
            stop = min(start + step, raw.shape[0])
            padded_raw = _padded(raw, start, stop, radii)
            padded = padded_raw if previous is raw else _padded(previous, start, stop, radii)
            stream.write(filter_slab(padded, padded_raw, radii, sigma).data)
    return RawVoxels(path, np.dtype(np.float32), raw.shape)


def _padded(volume: Volume, start: int, stop: int, radii: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    pad_z, pad_y, pad_x = (radius + 1 for radius in radii)
    slices = _reflected(np.arange(start - pad_z, stop + pad_z), volume.shape[0])
    low, high = int(slices.min()), int(slices.max()) + 1
    block = np.nan_to_num(np.asarray(volume.array[low:high]).astype(np.float32, copy=False))
    return np.pad(block[slices - low], ((0, 0), (pad_y, pad_y), (pad_x, pad_x)), mode="reflect")


def _reflected(index: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    """Mirror indices at the first and the last voxel, without repeating those."""
    period = max(2 * (size - 1), 1)
    folded = index % period
    return np.minimum(folded, period - folded) if size > 1 else np.zeros_like(index)
