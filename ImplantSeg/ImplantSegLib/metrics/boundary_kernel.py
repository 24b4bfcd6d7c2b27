"""The search for the nearest surface voxel. Import this file late: it imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]

BLOCK = 8
"""Edge, in voxels, of the blocks that tell at once that nothing is within reach."""

_NEAR = 1000
"""Steps that are looked at before the blocks are asked: nearly all surfaces are found within them."""


def block_bits(bits: Array) -> Array:
    """Give the bits that occur in every block of :data:`BLOCK`³ voxels, uint8."""
    edges = [np.arange(0, n, BLOCK) for n in bits.shape]
    for axis, starts in enumerate(edges):
        bits = np.bitwise_or.reduceat(bits, starts, axis=axis)
    return bits


@njit(nogil=True, cache=True)
def _within_reach(blocks: Array, z: int, y: int, x: int, wanted: int, reach: Array) -> bool:
    """Tell whether a block that the box of the reach touches holds the wanted bit."""
    depth, height, width = blocks.shape
    for k in range(max(z - reach[0], 0) // BLOCK, min((z + reach[0]) // BLOCK + 1, depth)):
        for j in range(max(y - reach[1], 0) // BLOCK, min((y + reach[1]) // BLOCK + 1, height)):
            for i in range(max(x - reach[2], 0) // BLOCK, min((x + reach[2]) // BLOCK + 1, width)):
                if blocks[k, j, i] & wanted:
                    return True
    return False


@njit(nogil=True, cache=True)
def _nearest(bits: Array, blocks: Array, at: tuple[int, int, int], wanted: int, steps: Array, reach: Array) -> int:
    """Give the first step that leads to a voxel with the wanted bit; the number of steps if none does."""
    depth, height, width = bits.shape
    z, y, x = at
    for i in range(steps.shape[0]):
        if i == _NEAR and not _within_reach(blocks, z, y, x, wanted, reach):
            break
        k, j, h = z + steps[i, 0], y + steps[i, 1], x + steps[i, 2]
        if 0 <= k < depth and 0 <= j < height and 0 <= h < width and bits[k, j, h] & wanted:
            return i
    return int(steps.shape[0])


@njit(nogil=True, cache=True)
def count_by_distance(
    bits: Array, blocks: Array, inner: tuple[int, int], steps: Array, shells: Array, counts: Array
) -> None:
    """Add the surface voxels of some slices to ``counts[class, shell]``; see :mod:`.boundary`."""
    _, height, width = bits.shape
    reach = np.array([steps[:, 0].max(), steps[:, 1].max(), steps[:, 2].max()])
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
                    found = _nearest(bits, blocks, (z, y, x), other, steps, reach)
                    shell = shells[found] if found < steps.shape[0] else missed
                    counts[bit % classes, shell] += 1
