"""Kernels of the first look at labels: what there is, and where the implant lies; import late, they need numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]

NOWHERE = 2**30
"""Lowest row and column of a slice without implant."""

_OUTSIDE = np.uint8(254)
_BLOCK = 128  # counts of a block fit into a byte, so that the loop is vector code
_u8 = np.uint8


@njit(nogil=True, cache=True)
def _count(row: Array, near: Array, counts: Array) -> None:
    """Add the labels of a row to ``counts[0]``, those where ``near`` is 1 to ``counts[1]``."""
    size, start = np.uint64(row.size), np.uint64(0)
    while start < size:
        stop = min(start + np.uint64(_BLOCK), size)
        a0, a1, a2, a3, outside = _u8(0), _u8(0), _u8(0), _u8(0), _u8(0)
        n0, n1, n2, n3 = _u8(0), _u8(0), _u8(0), _u8(0)
        for i in range(start, stop):
            label, inside = row[i], near[i]
            is0, is1, is2, is3 = _u8(label == _u8(0)), _u8(label == _u8(1)), _u8(label == _u8(2)), _u8(label == _u8(3))
            a0, a1, a2, a3 = _u8(a0 + is0), _u8(a1 + is1), _u8(a2 + is2), _u8(a3 + is3)
            outside = _u8(outside + _u8(label == _OUTSIDE))
            n0, n1, n2, n3 = (
                _u8(n0 + (is0 & inside)),
                _u8(n1 + (is1 & inside)),
                _u8(n2 + (is2 & inside)),
                _u8(n3 + (is3 & inside)),
            )
        if np.int64(a0) + a1 + a2 + a3 + outside == np.int64(stop - start):
            counts[0, 0] += a0
            counts[0, 1] += a1
            counts[0, 2] += a2
            counts[0, 3] += a3
            counts[0, _OUTSIDE] += outside
        else:  # other values are refused; they are counted so that the message can name them
            for i in range(start, stop):
                counts[0, row[i]] += 1
        counts[1, 0] += n0
        counts[1, 1] += n1
        counts[1, 2] += n2
        counts[1, 3] += n3
        start = stop


@njit(nogil=True, cache=True)
def _keep(row: Array, near: Array, seen: Array) -> bool:
    """Copy a row without the implant voxels where ``near`` is 0; tell whether any are left."""
    found = _u8(0)
    for i in range(np.uint64(row.size)):
        label = row[i]
        implant = _u8(label == _u8(1)) | _u8(label == _u8(2))
        seen[i] = _OUTSIDE if implant > near[i] else label
        found |= implant & near[i]
    return bool(found)


@njit(nogil=True, cache=True)
def _widen(seen: Array, y: int, extent: Array) -> None:
    """Widen ``extent`` (lowest row, highest + 1, lowest column, highest + 1) by the implant voxels of a row."""
    first, last = 0, seen.size - 1
    while seen[first] != 1 and seen[first] != 2:
        first += 1
    while seen[last] != 1 and seen[last] != 2:
        last -= 1
    extent[0], extent[1] = min(extent[0], y), max(extent[1], y + 1)
    extent[2], extent[3] = min(extent[2], first), max(extent[3], last + 1)


@njit(nogil=True, cache=True)
def look(labels: Array, distance: Array, limit: np.float32, seen: Array, extents: Array) -> Array:
    """Count labels, and leave out the implant beyond a distance.

    Parameters
    ----------
    labels : uint8, shape (Z, Y, X)
        Labels, 254 beyond the field of view.
    distance : float32, shape (Z, Y, X), or (0, 0, 0)
        Signed distance to the reference; an empty array stands for one that is near everywhere.
    limit : float
        Distance (float32) up to which a voxel is in the region of interest.
    seen : uint8, shape (Z, Y, X)
        Filled with the labels, and 254 for implant voxels outside the region of interest.
    extents : int64, shape (Z, 4)
        Filled with the lowest row, highest + 1, lowest column, highest + 1 of the implant in every slice.

    Returns
    -------
    int64, shape (2, 256)
        Voxels of every label in the field of view, and in the region of interest.
    """
    depth, height, width = labels.shape
    counts = np.zeros((2, 256), np.int64)
    near = np.ones(width, np.uint8)
    for z in range(depth):
        extents[z, 0], extents[z, 1], extents[z, 2], extents[z, 3] = NOWHERE, 0, NOWHERE, 0
        for y in range(height):
            if distance.size > 0:
                line = distance[z, y]
                for x in range(np.uint64(width)):
                    near[x] = line[x] <= limit
            _count(labels[z, y], near, counts)
            if _keep(labels[z, y], near, seen[z, y]):
                _widen(seen[z, y], y, extents[z])
    return counts
