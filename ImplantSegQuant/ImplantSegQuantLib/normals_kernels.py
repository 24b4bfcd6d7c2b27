"""Kernel of the contact weighted by the surface's normal; import late, it needs numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ImplantSegQuantLib.contact_kernels import Ends, is_implant

Array = np.ndarray[Any, Any]

TILE = 32
"""Rows and columns of a tile. Tiles lie at multiples of it in the slices, and sums are taken tile by tile."""

_f4 = np.float32


@njit(nogil=True, cache=True, inline="always")
def _there(at: tuple[int, int, int], axis: int, step: int) -> tuple[int, int, int]:
    return at[0] + step * int(axis == 0), at[1] + step * int(axis == 1), at[2] + step * int(axis == 2)


@njit(nogil=True, cache=True)
def _has_surface(labels: Array, ends: Ends, rows: Ends, columns: Ends) -> bool:
    """Whether a voxel of some slices of a tile and its lower neighbour are on both sides of the implant's surface."""
    for z in range(ends[0], ends[1]):
        for y in range(rows[0], rows[1]):
            for x in range(columns[0], columns[1]):
                label = labels[z, y, x]
                if label > 3:
                    continue
                inside = is_implant(label)
                for axis in range(3):
                    k, j, i = _there((z, y, x), axis, -1)
                    if k < 0 or j < 0 or i < 0:
                        continue
                    other = labels[k, j, i]
                    if other < 4 and is_implant(other) != inside:
                        return True
    return False


@njit(nogil=True, cache=True)
def _cut(labels: Array, start: tuple[int, int, int], implant: Array, known: Array) -> bool:
    """Fill a tile and its surroundings with 1 for implant and for what exists; tell whether all of it exists."""
    whole = True
    depth, height, width = labels.shape
    for k in range(implant.shape[0]):
        for j in range(implant.shape[1]):
            z, y = start[0] + k, start[1] + j
            for i in range(implant.shape[2]):
                x = start[2] + i
                label = 254
                if 0 <= z < depth and 0 <= y < height and 0 <= x < width:
                    label = labels[z, y, x]
                implant[k, j, i] = _f4(1.0) if is_implant(label) else _f4(0.0)
                known[k, j, i] = _f4(1.0) if label < 4 else _f4(0.0)
                whole &= label < 4
    return whole


@njit(nogil=True, cache=True)
def _add_row(weight: float, source: Array, out: Array) -> None:
    for i in range(np.uint64(out.size)):
        out[i] += weight * source[i]


@njit(nogil=True, cache=True)
def _smooth(values: Array, weights: tuple[Array, Array, Array], a: Array, b: Array, c: Array) -> None:
    """Weighted sums along z into ``a``, of those along y into ``b``, of those along x into ``c``."""
    along_z, along_y, along_x = weights
    a[:], b[:], c[:] = _f4(0.0), _f4(0.0), _f4(0.0)
    for k in range(a.shape[0]):
        for t in range(along_z.size):
            for j in range(a.shape[1]):
                _add_row(along_z[t], values[k + t, j], a[k, j])
        for j in range(b.shape[1]):
            for t in range(along_y.size):
                _add_row(along_y[t], a[k, j + t], b[k, j])
            for t in range(along_x.size):
                _add_row(along_x[t], b[k, j, t : t + c.shape[2]], c[k, j])


@njit(nogil=True, cache=True)
def _slope(field: Array, labels: Array, at: tuple[int, int, int], start: tuple[int, int, int], axis: int) -> float:
    """Central difference of the field along an axis, one-sided at the border and beside voxels of no label."""
    low, high = _there(at, axis, -1), _there(at, axis, 1)
    lower, upper, width = at, at, 0
    if low[axis] >= 0 and labels[low] < 4:
        lower, width = low, width + 1
    if high[axis] < labels.shape[axis] and labels[high] < 4:
        upper, width = high, width + 1
    if width == 0:
        return 0.0
    one = field[upper[0] - start[0], upper[1] - start[1], upper[2] - start[2]]
    other = field[lower[0] - start[0], lower[1] - start[1], lower[2] - start[2]]
    return (one - other) / width


@njit(nogil=True, cache=True)
def _weigh(
    labels: Array, field: Array, start: tuple[int, int, int], spacing: Array, tile: tuple[Ends, Ends, Ends], out: Array
) -> None:
    """Add the area of the faces to lower neighbours, weighted by the cosine between face and surface."""
    voxel = spacing[0] * spacing[1] * spacing[2]
    for z in range(tile[0][0], tile[0][1]):
        for y in range(tile[1][0], tile[1][1]):
            for x in range(tile[2][0], tile[2][1]):
                label, here = labels[z, y, x], (z, y, x)
                if label > 3:
                    continue
                for axis in range(3):
                    there = _there(here, axis, -1)
                    if there[axis] < 0:
                        continue
                    other = labels[there]
                    if other > 3 or is_implant(label) == is_implant(other):
                        continue
                    square = along = 0.0
                    for k in range(3):
                        if k == axis:
                            one = field[z - start[0], y - start[1], x - start[2]]
                            two = field[there[0] - start[0], there[1] - start[1], there[2] - start[2]]
                            slope = np.float64(one - two) / spacing[k]
                            along = abs(slope)
                        else:
                            slope = _slope(field, labels, here, start, k) + _slope(field, labels, there, start, k)
                            slope *= 0.5 / spacing[k]
                        square += slope * slope
                    cosine = along / np.sqrt(square) if square > 0.0 else 1.0
                    out[z - tile[0][0], 0 if label == 3 or other == 3 else 1] += cosine * voxel / spacing[axis]


@njit(nogil=True, cache=True)
def weighted_tiles(
    labels: Array, ends: Ends, tiles: Array, weights: tuple[Array, Array, Array], spacing: Array
) -> Array:
    """Area between implant and bone, and between implant and background, for every tile and slice.

    The surface's normal is the gradient of the implant's indicator, smoothed over the voxels that exist.

    Parameters
    ----------
    labels : uint8, shape (Z, Y, X)
        Labels; values from 4 on do not exist.
    ends : tuple of int
        First and last + 1 of the slices to answer for: the faces to their lower neighbours.
    tiles : int64, shape (N, 2)
        First row and column of each tile.
    weights : 3 arrays of float32
        What the voxels round one weigh along (z, y, x); odd in number.
    spacing : float64, shape (3,)
        Voxel size (z, y, x) in mm.

    Returns
    -------
    float64, shape (N, slices, 2)
        Area in mm² to bone and to background.
    """
    _, height, width = labels.shape
    depth = ends[1] - ends[0]
    result = np.zeros((len(tiles), depth, 2))
    reach_z, reach_y, reach_x = weights[0].size // 2, weights[1].size // 2, weights[2].size // 2
    edge = TILE + 2  # the slopes at a tile's border look one voxel farther
    a = np.empty((depth + 2, edge + 2 * reach_y, edge + 2 * reach_x), np.float32)
    b = np.empty((depth + 2, edge, edge + 2 * reach_x), np.float32)
    share, exists = np.empty((depth + 2, edge, edge), np.float32), np.empty((depth + 2, edge, edge), np.float32)
    implant = np.empty((depth + 2 + 2 * reach_z, edge + 2 * reach_y, edge + 2 * reach_x), np.float32)
    known = np.empty_like(implant)
    everywhere = np.float32(0.0)
    for n in range(len(tiles)):
        y, x = tiles[n]
        tile = (ends, (y, min(y + TILE, height)), (x, min(x + TILE, width)))
        if not _has_surface(labels, tile[0], tile[1], tile[2]):
            continue
        start = (ends[0] - 1, y - 1, x - 1)
        whole = _cut(labels, (start[0] - reach_z, start[1] - reach_y, start[2] - reach_x), implant, known)
        _smooth(implant, weights, a, b, share)
        if not whole:
            _smooth(known, weights, a, b, exists)
        elif everywhere == 0:  # the same sums as above, once for all
            _smooth(known, weights, a, b, exists)
            everywhere = exists[0, 0, 0]
        if whole:
            exists[:] = everywhere
        for k in range(depth + 2):
            for j in range(edge):
                for i in range(edge):
                    weight = exists[k, j, i]
                    share[k, j, i] = share[k, j, i] / weight if weight > 0 else _f4(0.0)
        _weigh(labels, share, start, spacing, tile, result[n])
    return result
