"""Grey values to [0, 1]: robust percentiles over the field of view, found in bounded memory.

The mapping is linear, so contrasts keep their proportions; the two percentiles keep a few extreme
voxels (zingers, ring cores) from squeezing everything else into a narrow band of grey.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib import progress
from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import FieldOfView, Volume
from ImplantSegLib.volumes.voxels import Slices

LOW_PERCENT = 0.1
HIGH_PERCENT = 99.9

KEY = "normalised"
"""Metadata key of a scan that is in [0, 1] already: the two raw grey values ``low,high``."""

_BINS = 65536
_RELATIVE_PRECISION = 1e-4
_SLAB_BYTES = 32 * 2**20

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Histogram:
    """Counts of the grey values inside the field of view.

    Parameters
    ----------
    edges : ndarray of float64, shape (N + 1,)
        Borders of the bins, ascending.
    counts : ndarray of int64, shape (N,)
        Voxels in each bin.
    below : int
        Voxels below the first edge.
    total : int
        Voxels inside the field of view.
    exact : bool
        Whether every bin holds one grey value only, namely its left edge.
    """

    edges: Array
    counts: Array
    below: int
    total: int
    exact: bool = False

    def bin_of(self, percent: float) -> int:
        """Bin that holds the given percentile."""
        rank = percent / 100 * (self.total - 1)
        return int(
            np.searchsorted(self.below + np.cumsum(self.counts), rank, side="right").clip(0, len(self.counts) - 1)
        )

    def percentile(self, percent: float) -> float:
        """Grey value at the given percentile, to within one bin."""
        index = self.bin_of(percent)
        left, right = self.edges[index : index + 2]
        return float(left if self.exact else (left + right) / 2)


def robust_range(
    volume: Volume,
    low_percent: float = LOW_PERCENT,
    high_percent: float = HIGH_PERCENT,
    fov: FieldOfView | None = None,
) -> tuple[float, float]:
    """Grey values at two percentiles of the voxels inside the field of view, streamed.

    Exact for integers of up to 16 bits (one pass); otherwise to 1e-4 of the range between them (two passes, more
    when a few extreme values stretch the histogram).

    Parameters
    ----------
    volume : Volume
        The scan, any real type.
    low_percent, high_percent : float
        Percentiles that become 0 and 1. The defaults clip one voxel in a thousand on either side.
    fov : FieldOfView, optional
        Voxels that count; as the volume's metadata says when left out.

    Returns
    -------
    low, high : float
        Raw grey values, ``low < high``.

    Raises
    ------
    InputError
        For NaN or infinite voxels inside the field of view, for an empty one, and for a constant volume.
    """
    if not 0 <= low_percent < high_percent <= 100:
        raise InputError(
            f"got percentiles {low_percent} and {high_percent}, wanted 0 <= low < high <= 100", "correct them"
        )
    fov = FieldOfView.of(volume) if fov is None else fov
    counted = histogram(volume, fov)
    for _ in range(4):
        low, high = counted.percentile(low_percent), counted.percentile(high_percent)
        width = float(counted.edges[1] - counted.edges[0])
        if counted.exact or width <= _RELATIVE_PRECISION * (high - low):
            break
        first, last = counted.bin_of(low_percent), counted.bin_of(high_percent)
        counted = _count(volume, fov, np.linspace(counted.edges[first], counted.edges[last + 1], _BINS + 1))
    if not low < high:
        raise InputError(
            f"{high_percent - low_percent:g} % of the voxels have the grey value {low:g}: no contrast to scale",
            "check that this is the reconstructed scan, or pass a field of view with --fov",
        )
    return low, high


def scale(block: Array, low: float, high: float) -> npt.NDArray[np.float32]:
    """Map ``low`` to 0 and ``high`` to 1, linearly, and clip.

    Parameters
    ----------
    block : ndarray
        Raw grey values of any shape and real type. NaN (outside of a field of view) becomes 0.
    low, high : float
        As :func:`robust_range` gives them.

    Returns
    -------
    ndarray of float32
        Values in [0, 1], same shape.
    """
    # wide types keep their last bits in the subtraction; float32 is enough for the rest and half the memory
    wide = block.dtype.itemsize > 2 and block.dtype not in (np.float32, np.float16)
    offset = np.subtract(block, low, dtype=np.float64 if wide else np.float32)
    result = (offset * (1.0 / (high - low))).astype(np.float32, copy=False)
    np.nan_to_num(result, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
    return np.clip(result, 0.0, 1.0, out=result)


def normalised(volume: Volume, low: float, high: float) -> Volume:
    """Give the volume with :func:`scale` applied when it is read, and told so in its metadata."""
    voxels = Slices(volume.shape, np.dtype(np.float32), lambda z: scale(volume.array[z], low, high), "scaled when read")
    return volume.like(voxels, **{KEY: f"{low!r},{high!r}"})


def histogram(volume: Volume, fov: FieldOfView, name: str = "histogram") -> Histogram:
    """Count the grey values inside the field of view, streamed: exact for integers of up to 16 bits.

    Parameters
    ----------
    volume : Volume
        The scan.
    fov : FieldOfView
        Voxels that count.
    name : str
        Name of the stage in the progress.

    Raises
    ------
    InputError
        For NaN or infinite voxels inside the field of view, for an empty one, and for a constant volume.
    """
    if volume.dtype.kind in "iu" and volume.dtype.itemsize <= 2:
        limits = np.iinfo(volume.dtype)
        counted = _count(volume, fov, np.arange(limits.min, limits.max + 2, dtype=np.float64), exact=True, name=name)
        used = np.flatnonzero(counted.counts)
        _refuse_constant(len(used) == 1, float(counted.edges[used[0]]) if len(used) else 0.0)
        return counted
    low, high = value_range(volume, fov)
    _refuse_constant(low == high, low)
    return _count(volume, fov, np.linspace(low, high, _BINS + 1), name=name)


def value_range(volume: Volume, fov: FieldOfView) -> tuple[float, float]:
    """Smallest and largest grey value inside the field of view, streamed.

    Raises
    ------
    InputError
        For NaN or infinite voxels (how many, and the first slice that has one) and for an empty field of view.
    """
    low, high, bad, first_bad = np.inf, -np.inf, 0, -1
    for z, values in inside(volume, fov, "value range"):
        good = np.isfinite(values)
        if not good.all():
            bad += int(values.size - np.count_nonzero(good))
            first_bad = first_bad if first_bad >= 0 else _first_bad_slice(volume, fov, z)
        elif values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    if bad:
        raise InputError(
            f"{bad} voxels of the scan are NaN or infinite, the first in slice {first_bad}",
            "reconstruct again or replace them; where they lie outside the reconstructed circle, pass --fov",
        )
    if low > high:
        raise InputError("no voxel lies inside the field of view", "correct --fov")
    return low, high


def inside(volume: Volume, fov: FieldOfView, name: str) -> Iterator[tuple[slice, Array]]:
    """Yield slab after slab ``(slice(z0, z1), values)`` the voxels inside the field of view, as a flat array."""
    depth = slab_depth(volume)
    slabs = -(-volume.shape[0] // depth)
    for z, block in progress.track(volume.slabs(depth), name, slabs, "slab"):
        yield z, masked(block, fov.slab_mask(z, volume.shape))


def masked(block: Array, mask: Array | None) -> Array:
    """Voxels of a slab where a mask of the same shape is true, as a flat array; ``None`` takes all."""
    return block.reshape(-1) if mask is None else block[mask]


def slab_depth(volume: Volume, budget_bytes: int = _SLAB_BYTES) -> int:
    """Slices of a slab that stays within a budget of memory once it is float32."""
    return volume.slab_depth(budget_bytes * volume.dtype.itemsize // 4)


def _count(volume: Volume, fov: FieldOfView, edges: Array, exact: bool = False, name: str = "histogram") -> Histogram:
    counts = np.zeros(len(edges) - 1, np.int64)
    below = total = 0
    first, last = edges[0], edges[-1]
    for _, values in inside(volume, fov, name):
        total += values.size
        if exact:
            counts += np.bincount(values.astype(np.int64) - int(first), minlength=len(counts))
        else:
            below += int(np.count_nonzero(values < first))
            counts += np.histogram(values, bins=len(counts), range=(first, last))[0]
    if not total:
        raise InputError("no voxel lies inside the field of view", "correct --fov")
    return Histogram(edges, counts, below, total, exact)


def _first_bad_slice(volume: Volume, fov: FieldOfView, z: slice) -> int:
    for index in range(z.start, z.stop):
        one = slice(index, index + 1)
        if not np.isfinite(masked(np.asarray(volume.array[one]), fov.slab_mask(one, volume.shape))).all():
            return index
    raise AssertionError(f"no bad voxel in slices {z.start} to {z.stop}")


def _refuse_constant(constant: bool, value: float) -> None:
    if constant:
        raise InputError(
            f"every voxel of the scan has the grey value {value:g}: there is nothing to see",
            "check that this is the reconstructed scan",
        )
