"""Voxel kernels: one pass over the bytes, no copy of the volume, the GIL released.

The loops over single rows compile to vector instructions on bytes; for that, indices are unsigned and sums are kept
in bytes over a block. Import this file late: it imports numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Counts = np.ndarray[Any, np.dtype[np.int64]]

PAIRS = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
"""Pairs of labels, in the order in which faces are counted."""

_BLOCK = 128
_u8 = np.uint8


@njit(nogil=True, cache=True)
def _encode(labels: Bytes, codes: Bytes) -> None:
    """Give every label a bit of its own, and values from 4 on none."""
    for i in range(np.uint64(labels.size)):
        v = labels[i]
        codes[i] = (
            _u8(v == _u8(0)) | _u8(v == _u8(1)) << _u8(1) | _u8(v == _u8(2)) << _u8(2) | _u8(v == _u8(3)) << _u8(3)
        )


@njit(nogil=True, cache=True)
def _count_row(lower: Bytes, upper: Bytes, counts: Counts) -> None:
    """Count where two rows of codes hold each pair of labels: both bits together tell the pair."""
    size, start = np.uint64(lower.size), np.uint64(0)
    while start < size:
        stop = min(start + np.uint64(_BLOCK), size)
        n01, n02, n03, n12, n13, n23 = _u8(0), _u8(0), _u8(0), _u8(0), _u8(0), _u8(0)
        for i in range(start, stop):
            both = _u8(lower[i] | upper[i])
            n01 = _u8(n01 + _u8(both == _u8(0b0011)))
            n02 = _u8(n02 + _u8(both == _u8(0b0101)))
            n03 = _u8(n03 + _u8(both == _u8(0b1001)))
            n12 = _u8(n12 + _u8(both == _u8(0b0110)))
            n13 = _u8(n13 + _u8(both == _u8(0b1010)))
            n23 = _u8(n23 + _u8(both == _u8(0b1100)))
        counts[0] += n01
        counts[1] += n02
        counts[2] += n03
        counts[3] += n12
        counts[4] += n13
        counts[5] += n23
        start = stop


@njit(nogil=True, cache=True)
def encode_slice(labels: Bytes, codes: Bytes) -> None:
    """Give the labels of a slice (Y, X) a bit each, in ``codes`` (Y, X)."""
    for y in range(labels.shape[0]):
        _encode(labels[y], codes[y])


@njit(nogil=True, cache=True)
def count_faces(slab: Bytes, below: Bytes, first: int, last: int, counts: Counts) -> None:
    """Count the faces between voxels of different labels.

    Parameters
    ----------
    slab : uint8, shape (Z, Y, X)
        Slices one after the other; values from 4 on never count.
    below : uint8, shape (Y, X)
        Codes of the slice before the slab; 0 where there is none.
    first, last : int
        The slices to answer for: their own faces, and those to the slice before.
    counts : int64, shape (3, 6)
        Added to: faces normal to the axis (z, y, x) for each of :data:`PAIRS`, in either order.
    """
    height, width = below.shape
    codes = np.empty((2, height, width), np.uint8)
    if first == 0:
        codes[0] = below
    else:
        encode_slice(slab[first - 1], codes[0])
    for z in range(first, last):
        lower, upper = codes[(z - first) % 2], codes[(z - first + 1) % 2]
        for y in range(height):
            row = upper[y]
            _encode(slab[z, y], row)
            _count_row(lower[y], row, counts[0])
            if y > 0:
                _count_row(upper[y - 1], row, counts[1])
            _count_row(row[:-1], row[1:], counts[2])


@njit(nogil=True, cache=True)
def _count_codes(first: Bytes, second: Bytes, table: Counts) -> None:
    """Add to ``table`` how often the pairs of labels below 4 occur in a block of less than 256 voxels."""
    for a in range(4):
        n0, n1, n2, n3 = _u8(0), _u8(0), _u8(0), _u8(0)
        label = _u8(a)
        for i in range(np.uint64(first.size)):
            here, other = _u8(first[i] == label), second[i]
            n0 = _u8(n0 + (here & _u8(other == _u8(0))))
            n1 = _u8(n1 + (here & _u8(other == _u8(1))))
            n2 = _u8(n2 + (here & _u8(other == _u8(2))))
            n3 = _u8(n3 + (here & _u8(other == _u8(3))))
        table[a, 0] += n0
        table[a, 1] += n1
        table[a, 2] += n2
        table[a, 3] += n3


@njit(nogil=True, cache=True)
def count_pairs(first: Bytes, second: Bytes, table: Counts) -> None:
    """Add to ``table[a, b]`` (256 × 256) how often ``first[i] == a`` and ``second[i] == b``.

    Blocks of one label are told by a look, blocks of labels below 4 counted by vector code.
    """
    size, start = np.uint64(first.size), np.uint64(0)
    while start < size:
        stop = min(start + np.uint64(_BLOCK), size)
        value, different, largest = first[start], _u8(0), _u8(0)
        for i in range(start, stop):
            different |= _u8((first[i] ^ value) | (second[i] ^ value))
            largest |= _u8(first[i] | second[i])
        if different == 0:
            table[value, value] += np.int64(stop - start)
        elif largest < 4:
            _count_codes(first[start:stop], second[start:stop], table)
        else:
            for i in range(start, stop):
                table[first[i], second[i]] += 1
        start = stop


@njit(nogil=True, cache=True)
def neighbour_bits(labels: Bytes, first: int, last: int) -> Bytes:
    """Tell for every voxel which labels its six neighbours have: bit c is set for label c < 4.

    Neighbours beyond the array and of value 4 and above set nothing.

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
    codes = np.empty((depth, height, width), np.uint8)
    for z in range(max(first - 1, 0), min(last + 1, depth)):
        for y in range(height):
            _encode(labels[z, y], codes[z, y])
    result = np.zeros((last - first, height, width), np.uint8)
    for z in range(first, last):
        for y in range(height):
            out = result[z - first, y]
            _or_row(codes[z, y, :-1], out[1:])
            _or_row(codes[z, y, 1:], out[:-1])
            if y > 0:
                _or_row(codes[z, y - 1], out)
            if y < height - 1:
                _or_row(codes[z, y + 1], out)
            if z > 0:
                _or_row(codes[z - 1, y], out)
            if z < depth - 1:
                _or_row(codes[z + 1, y], out)
    return result


@njit(nogil=True, cache=True)
def _or_row(codes: Bytes, out: Bytes) -> None:
    for i in range(np.uint64(out.size)):
        out[i] |= codes[i]
