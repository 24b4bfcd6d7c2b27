"""Voxel kernel of the non-local means: tiles that stay in the cache, one pass over them per shift."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange

_TILE = (8, 16, 128)


def filter_slab(
    previous: npt.NDArray[np.float32],
    raw: npt.NDArray[np.float32],
    radii: tuple[int, int, int],
    sigma: float,
) -> npt.NDArray[np.float32]:
    """Average raw voxels, weighted by how alike their surroundings are in the previous iterate.

    Parameters
    ----------
    previous : ndarray of float32, shape (Z + 2·(rz + 1), Y + 2·(ry + 1), X + 2·(rx + 1))
        Previous iterate, padded by the search radius and one voxel more.
    raw : ndarray of float32, same shape
        Raw scan, padded alike.
    radii : tuple of int
        Search radius (rz, ry, rx); the search region is the ellipsoid of these half axes.
    sigma : float
        Noise level: a mean squared difference of sigma² weighs exp(-1).

    Returns
    -------
    ndarray of float32, shape (Z, Y, X)
        Next iterate, without padding. Each voxel depends on its surroundings only, not on the slab.
    """
    halo = [radius + 1 for radius in radii]
    shape = tuple(size - 2 * pad for size, pad in zip(previous.shape, halo, strict=True))
    out = np.empty(shape, np.float32)
    _filter(
        np.ascontiguousarray(previous, np.float32),
        np.ascontiguousarray(raw, np.float32),
        shifts(radii),
        np.asarray(halo),
        np.float32(1.0 / (7.0 * sigma * sigma)),
        out,
    )
    return out


def shifts(radii: tuple[int, int, int]) -> npt.NDArray[np.int64]:
    """Shifts (dz, dy, dx) to the neighbours inside the ellipsoid of half axes ``radii``, without the centre."""
    axes = np.meshgrid(*(np.arange(-radius, radius + 1) for radius in radii), indexing="ij")
    distance = sum((axis / (radius + 0.5)) ** 2 for axis, radius in zip(axes, radii, strict=True))
    keep = np.asarray(distance <= 1) & (np.asarray(distance) > 0)
    return np.stack([axis[keep] for axis in axes], axis=1).astype(np.int64)


@njit(parallel=True, cache=True, fastmath={"contract"}, error_model="numpy")
def _filter(previous: Any, raw: Any, moves: Any, halo: Any, factor: Any, out: Any) -> None:
    depth, height, width = out.shape
    tiles_z = (depth + _TILE[0] - 1) // _TILE[0]
    tiles_y = (height + _TILE[1] - 1) // _TILE[1]
    tiles_x = (width + _TILE[2] - 1) // _TILE[2]
    for tile in prange(tiles_z * tiles_y * tiles_x):
        z0 = tile // (tiles_y * tiles_x) * _TILE[0]
        y0 = tile // tiles_x % tiles_y * _TILE[1]
        x0 = tile % tiles_x * _TILE[2]
        size = (min(_TILE[0], depth - z0), min(_TILE[1], height - y0), min(_TILE[2], width - x0))
        weighted = np.zeros(size, np.float32)
        weights = np.zeros(size, np.float32)
        largest = np.zeros(size, np.float32)
        squares = np.empty((size[0] + 2, size[1] + 2, size[2] + 2), np.float32)
        corner = (z0 + halo[0], y0 + halo[1], x0 + halo[2])
        for index in range(len(moves)):
            move = (moves[index, 0], moves[index, 1], moves[index, 2])
            _square_differences(previous, corner, move, squares)
            _add_neighbour(raw, corner, move, squares, factor, (weighted, weights, largest))
        _average(raw, corner, (weighted, weights, largest), out, halo)


# the whole arrays are handed on, not parts of them: of a part the compiler does not know that its rows are
# contiguous, and leaves the vector registers unused


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _square_differences(previous: Any, corner: Any, move: Any, squares: Any) -> None:
    z0, y0, x0 = corner[0] - 1, corner[1] - 1, corner[2] - 1
    dz, dy, dx = move
    depth, height, width = squares.shape
    for z in range(depth):
        for y in range(height):
            here = previous[z0 + z, y0 + y, x0 : x0 + width]
            there = previous[z0 + z + dz, y0 + y + dy, x0 + dx : x0 + dx + width]
            row = squares[z, y]
            for x in range(width):
                difference = here[x] - there[x]
                row[x] = difference * difference


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _add_neighbour(raw: Any, corner: Any, move: Any, squares: Any, factor: Any, totals: Any) -> None:
    weighted, weights, largest = totals
    depth, height, width = weights.shape
    x0 = corner[2] + move[2]
    for z in range(depth):
        for y in range(height):
            middle = squares[z + 1, y + 1]
            above, below = squares[z, y + 1], squares[z + 2, y + 1]
            front, back = squares[z + 1, y], squares[z + 1, y + 2]
            values = raw[corner[0] + z + move[0], corner[1] + y + move[1], x0 : x0 + width]
            sums, norms, tops = weighted[z, y], weights[z, y], largest[z, y]
            for x in range(width):
                distance = middle[x] + middle[x + 1] + middle[x + 2]
                distance += above[x + 1] + below[x + 1] + front[x + 1] + back[x + 1]
                weight = _exp_minus(distance * factor)
                sums[x] += weight * values[x]
                norms[x] += weight
                tops[x] = max(tops[x], weight)


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _average(raw: Any, corner: Any, totals: Any, out: Any, halo: Any) -> None:
    weighted, weights, largest = totals
    depth, height, width = weights.shape
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                top = largest[z, y, x]
                top = top if top > np.float32(0) else np.float32(1)
                at = (corner[0] + z, corner[1] + y, corner[2] + x)
                mean = (weighted[z, y, x] + top * raw[at]) / (weights[z, y, x] + top)
                out[at[0] - halo[0], at[1] - halo[1], at[2] - halo[2]] = mean


@njit(cache=True, fastmath={"contract"}, error_model="numpy", inline="always")
def _exp_minus(value: Any) -> Any:
    # exp(-t) = exp(-t/64)^64 with three terms of the series: within 0.4 % where the weight is above 0.02,
    # and unlike a call of exp it runs in vector registers
    small = min(value, np.float32(32)) * np.float32(1 / 64)
    power = np.float32(1) - small + np.float32(0.5) * small * small
    power *= power
    power *= power
    power *= power
    power *= power
    power *= power
    power *= power
    return power
