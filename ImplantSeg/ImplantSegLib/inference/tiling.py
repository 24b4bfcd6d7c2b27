"""Where a network reads, what it keeps of that, and where it writes: integers only.

Two ways to cut. :func:`partition` cuts without overlap: every voxel is written exactly once, and a halo is
read around each part. :func:`windows` cuts equal windows that overlap: every voxel is written at least
once, and :func:`ramp` gives the positive weights with which overlapping windows are averaged.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ImplantSegLib.errors import InputError

Region = tuple[slice, ...]


@dataclass(frozen=True)
class Tile:
    """One step of a tiled computation.

    Parameters
    ----------
    read : tuple of slice
        Region of the input, inside the array.
    keep : tuple of slice
        Part of what was computed from ``read`` that is used, counted from the start of ``read``.
    write : tuple of slice
        Region of the output that receives it; as large as ``keep``.
    """

    read: Region
    keep: Region
    write: Region


def partition(shape: Sequence[int], size: Sequence[int], halo: Sequence[int]) -> Iterator[Tile]:
    """Cut an array into parts that are written exactly once, each read with a halo around it.

    Parameters
    ----------
    shape : sequence of int
        Voxels of the array along each axis.
    size : sequence of int
        Voxels of a part along each axis; the last part of an axis is smaller.
    halo : sequence of int
        Voxels read beyond the part on either side, as far as the array goes.
    """
    for label, numbers, least in (("shape", shape, 0), ("size", size, 1), ("halo", halo, 0)):
        _refuse(min(numbers, default=least) < least, f"{label} {tuple(numbers)}", f"numbers of at least {least}")
    axes = [
        [_part(start, min(start + step, length), margin, length) for start in range(0, length, step)]
        for length, step, margin in zip(shape, size, halo, strict=True)
    ]
    for parts in itertools.product(*axes):
        read, keep, write = zip(*parts, strict=True) if parts else ((), (), ())
        yield Tile(read, keep, write)


def windows(shape: Sequence[int], size: Sequence[int], overlap: Sequence[int]) -> list[Region]:
    """Cover an array with equal windows, as few as the wished overlap allows, spread evenly.

    Parameters
    ----------
    shape : sequence of int
        Voxels of the array along each axis.
    size : sequence of int
        Voxels of a window along each axis; a shorter axis is covered by one window of its length.
    overlap : sequence of int
        Voxels that neighbours share at least.
    """
    axes = [_starts(*numbers) for numbers in zip(shape, size, overlap, strict=True)]
    lengths = [min(window, length) for window, length in zip(size, shape, strict=True)]
    return [
        tuple(slice(start, start + length) for start, length in zip(starts, lengths, strict=True))
        for starts in itertools.product(*axes)
    ]


def ramp(length: int, overlap: int) -> npt.NDArray[np.int64]:
    """Weights along one axis of a window: rise from 1 over the overlap, stay, fall back to 1.

    Never 0, so that the voxels at the border of the array, which only one window sees, have a weight.
    """
    rising = np.arange(1, length + 1)
    return np.minimum(np.minimum(rising, rising[::-1]), overlap + 1)


def padded_length(length: int, multiple: int) -> int:
    """Length that a network which halves its input several times needs: the next multiple."""
    return -(-length // multiple) * multiple


def _part(start: int, stop: int, margin: int, length: int) -> tuple[slice, slice, slice]:
    first, last = max(start - margin, 0), min(stop + margin, length)
    return slice(first, last), slice(start - first, stop - first), slice(start, stop)


def _starts(length: int, window: int, overlap: int) -> list[int]:
    _refuse(not 0 <= overlap < window, f"overlap {overlap} for windows of {window}", "0 <= overlap < window")
    if length <= window:
        return [0]
    steps = -(-(length - window) // (window - overlap))
    return [index * (length - window) // steps for index in range(steps + 1)]


def _refuse(wrong: bool, got: str, wanted: str) -> None:
    if wrong:
        raise InputError(f"got {got}, wanted {wanted}", "choose other tiles")
