"""Voxel kernels: one pass over the bytes, no copy of the volume, the GIL released.

Labels change at few places, so the kernels look at blocks of voxels first and at single voxels only in the
blocks where something changes; the block test compiles to vector instructions. Import this file late: it
imports numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Counts = np.ndarray[Any, np.dtype[np.int64]]

_BLOCK = 64


@njit(nogil=True, cache=True)
def _count_row(lower: Bytes, upper: Bytes, table: Counts) -> None:
    """Add to ``table[a, b]`` how often ``lower[i] == a`` and ``upper[i] == b`` differ."""
    size = lower.size
    start = 0
    while start < size:
        stop = min(start + _BLOCK, size)
        different = np.uint8(0)
        for i in range(start, stop):
            different |= lower[i] ^ upper[i]
        if different != 0:
            for i in range(start, stop):
                if lower[i] != upper[i]:
                    table[lower[i], upper[i]] += 1
        start = stop


@njit(nogil=True, cache=True)
def count_faces(slab: Bytes, before: Bytes, tables: Counts) -> None:
    """Count the faces between voxels of different values.

    Parameters
    ----------
    slab : uint8, shape (Z, Y, X)
        Slices one after the other.
    before : uint8, shape (0 or 1, Y, X)
        The slice before the slab, none at the start of a volume.
    tables : int64, shape (3, 256, 256)
        Added to: ``tables[axis, a, b]`` faces with value a on the lower side and b on the upper.
    """
    depth, height, _ = slab.shape
    for z in range(depth):
        for y in range(height):
            row = slab[z, y]
            if z > 0:
                _count_row(slab[z - 1, y], row, tables[0])
            elif before.shape[0] > 0:
                _count_row(before[0, y], row, tables[0])
            if y > 0:
                _count_row(slab[z, y - 1], row, tables[1])
            _count_row(row[:-1], row[1:], tables[2])


@njit(nogil=True, cache=True)
def count_pairs(first: Bytes, second: Bytes, table: Counts) -> None:
    """Add to ``table[a, b]`` (256 × 256) how often ``first[i] == a`` and ``second[i] == b``."""
    size = first.size
    start = 0
    while start < size:
        stop = min(start + _BLOCK, size)
        value = first[start]
        different = np.uint8(0)
        for i in range(start, stop):
            different |= (first[i] ^ value) | (second[i] ^ value)
        if different == 0:
            table[value, value] += stop - start
        else:
            for i in range(start, stop):
                table[first[i], second[i]] += 1
        start = stop


@njit(nogil=True, cache=True)
def neighbour_bits(labels: Bytes, first: int, last: int) -> Bytes:
    """Tell for every voxel which labels its six neighbours have: bit c is set for label c < 8.

    Neighbours beyond the array and of value 8 and above set nothing.

    Parameters
    ----------
    labels : uint8, shape (Z, Y, X)
        Labels; slices outside ``first:last`` serve as neighbours only.
    first, last : int
        The slices to answer for.

    Returns
    -------
    uint8, shape (last - first, Y, X)
    """
    depth, height, width = labels.shape
    bit = np.zeros(256, np.uint8)
    for label in range(8):
        bit[label] = 1 << label
    result = np.zeros((last - first, height, width), np.uint8)
    for z in range(first, last):
        for y in range(height):
            out = result[z - first, y]
            row = labels[z, y]
            for x in range(1, width):
                out[x] |= bit[row[x - 1]]
                out[x - 1] |= bit[row[x]]
            if y > 0:
                _add_bits(labels[z, y - 1], bit, out)
            if y < height - 1:
                _add_bits(labels[z, y + 1], bit, out)
            if z > 0:
                _add_bits(labels[z - 1, y], bit, out)
            if z < depth - 1:
                _add_bits(labels[z + 1, y], bit, out)
    return result


@njit(nogil=True, cache=True)
def _add_bits(row: Bytes, bit: Bytes, out: Bytes) -> None:
    for x in range(row.size):
        out[x] |= bit[row[x]]
