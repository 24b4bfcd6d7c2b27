"""What values the voxels of a volume have, found slab by slab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ImplantSegLib import progress
from ImplantSegLib.volumes.volume import Volume
from ImplantSegLib.volumes.voxels import Array

PERCENTS = (0.1, 1.0, 25.0, 50.0, 75.0, 99.0, 99.9)

_SLAB_BYTES = 2**24
_BINS = 2**16


@dataclass(frozen=True)
class Values:
    """Values of all voxels of a volume, inside and outside of its field of view.

    Parameters
    ----------
    minimum, maximum, mean : float
        Over the finite voxels; NaN where there are none.
    not_finite : int
        Voxels that are NaN or infinite.
    percentiles : dict of float to float
        Value at each of :data:`PERCENTS`: exact for integers of up to 16 bits, else to 1/65536 of the range.
    """

    minimum: float
    maximum: float
    mean: float
    not_finite: int
    percentiles: dict[float, float]


def summarise(volume: Volume) -> Values:
    """Find range, mean and percentiles of a volume of any type, also of a constant one or one with NaN."""
    if _few(volume):
        counts = count_values(volume)
        return _of_counts(np.array(sorted(counts), dtype=np.float64), np.array([counts[key] for key in sorted(counts)]))
    low, high, total, count, not_finite = np.inf, -np.inf, 0.0, 0, 0
    for block in _blocks(volume, "range"):
        finite = block[np.isfinite(block)]
        not_finite += block.size - finite.size
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
            total, count = total + float(finite.sum(dtype=np.float64)), count + finite.size
    if not count:
        return Values(np.nan, np.nan, np.nan, not_finite, dict.fromkeys(PERCENTS, np.nan))
    if low == high:
        return Values(low, high, low, not_finite, dict.fromkeys(PERCENTS, low))
    counts_by_bin = np.zeros(_BINS, dtype=np.int64)
    for block in _blocks(volume, "percentiles"):
        counts_by_bin += np.histogram(block[np.isfinite(block)], _BINS, (low, high))[0]
    centres = low + (np.arange(_BINS) + 0.5) * (high - low) / _BINS
    return Values(low, high, total / count, not_finite, _percentiles(centres, counts_by_bin))


def count_values(volume: Volume) -> dict[int, int]:
    """Count the voxels of each value of a volume of integers: labels, or grey values of up to 16 bits."""
    counts: dict[int, int] = {}
    for block in _blocks(volume, "values"):
        for value, count in zip(*_unique(block), strict=True):
            counts[int(value)] = counts.get(int(value), 0) + int(count)
    return counts


def _few(volume: Volume) -> bool:
    return volume.dtype.kind in "ui" and volume.dtype.itemsize <= 2


def _unique(block: Array) -> tuple[Array, Array]:
    """Values and their counts; counting is ten times as fast as sorting where there are few values."""
    if block.dtype.itemsize > 2:
        return np.unique(block, return_counts=True)
    lowest = int(np.iinfo(block.dtype).min)
    counts = np.bincount(block.ravel().astype(np.int64) - lowest)
    used = np.flatnonzero(counts)
    return used + lowest, counts[used]


def _blocks(volume: Volume, stage: str) -> Any:
    depth = volume.slab_depth(_SLAB_BYTES)
    slabs = progress.track(volume.slabs(depth), stage, -(-volume.shape[0] // depth), "slab")
    return (block for _, block in slabs)


def _of_counts(values: Array, counts: Array) -> Values:
    mean = float((values * counts).sum() / counts.sum())
    return Values(float(values[0]), float(values[-1]), mean, 0, _percentiles(values, counts))


def _percentiles(values: Array, counts: Array) -> dict[float, float]:
    """Smallest value at or below which the given share of voxels lies."""
    reached = np.cumsum(counts)
    ranks = np.array(PERCENTS) / 100 * reached[-1]
    found = np.searchsorted(reached, ranks).clip(0, len(values) - 1)
    return dict(zip(PERCENTS, values[found].tolist(), strict=True))
