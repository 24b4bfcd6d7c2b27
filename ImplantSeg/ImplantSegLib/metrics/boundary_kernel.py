"""The search for the nearest surface voxel. Import this file late: it imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]


@njit(nogil=True, cache=True)
def _nearest(bits: Array, z: int, y: int, x: int, wanted: int, steps: Array) -> int:
    """Give the first step that leads to a voxel with the wanted bit; the number of steps if none does."""
    depth, height, width = bits.shape
    for i in range(steps.shape[0]):
        k, j, h = z + steps[i, 0], y + steps[i, 1], x + steps[i, 2]
        if 0 <= k < depth and 0 <= j < height and 0 <= h < width and bits[k, j, h] & wanted:
            return i
    return int(steps.shape[0])


@njit(nogil=True, cache=True)
def count_by_distance(bits: Array, inner: tuple[int, int], steps: Array, shells: Array, counts: Array) -> None:
    """Add the surface voxels of some slices to ``counts[class, shell]``; see :mod:`.boundary`."""
    _, height, width = bits.shape
    classes = counts.shape[0]
    missed = counts.shape[1] - 1
    for z in range(inner[0], inner[1]):
        for y in range(height):
            for x in range(width):
                here = bits[z, y, x]
                if here == 0:
                    continue
                for bit in range(2 * classes):
                    if not here & (1 << bit):
                        continue
                    other = 1 << ((bit + classes) % (2 * classes))
                    found = _nearest(bits, z, y, x, other, steps)
                    shell = shells[found] if found < steps.shape[0] else missed
                    counts[bit % classes, shell] += 1
