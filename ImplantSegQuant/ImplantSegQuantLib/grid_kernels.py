"""Kernels that read a distance field at the voxels of another grid; import late, they need numba.

They calculate strictly (no ``fastmath``): the value of a voxel is the same to the last bit whatever is read with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ImplantSegQuantLib.interpolation import read

Array = np.ndarray[Any, Any]

BLOCK = 8
"""Edge, in rows and columns, of the blocks of voxels that one value may decide."""

ROUNDING_MM = 1e-4
"""How near a block's bound may come to the limit before its voxels are looked at: much more than float32 rounds."""


@njit(nogil=True, cache=True)
def _safe_columns(a: Array, limits: Array, shape: tuple[int, int, int], columns: int) -> tuple[int, int]:
    """First and last + 1 of the columns of a row whose index ``a[:, 0] + a[:, 1] · i`` is well inside the nodes."""
    first, last = 0.0, float(columns)
    for axis in range(3):
        start, step = a[axis, 0], a[axis, 1]
        low, high = max(0.0, limits[axis, 0]), min(shape[axis] - 1.0, limits[axis, 1])
        if abs(step) < 1e-9:
            if not (low + 1e-3 < start < high - 1e-3):
                return 0, 0
            continue
        one, other = (low - start) / step, (high - start) / step
        first = max(first, min(one, other) + 1.0)
        last = min(last, max(one, other) - 1.0)
    if not first + 1.0 < last:
        return 0, 0
    return int(np.ceil(first)), int(np.floor(last))


@njit(nogil=True, cache=True, inline="always")
def _row(affine: Array, z: int, y: int, a: Array) -> None:
    for axis in range(3):
        a[axis, 0] = affine[axis, 0] * z + affine[axis, 1] * y + affine[axis, 3]
        a[axis, 1] = affine[axis, 2]


@njit(nogil=True, cache=True)
def _read_row(flat: Array, strides: tuple[np.uint64, np.uint64], a: Array, first: int, out: Array) -> None:
    """Linear interpolation where eight nodes are known to be there; unsigned indices make it vector code."""
    z0, y0, x0, dz, dy, dx = a[0, 0], a[1, 0], a[2, 0], a[0, 1], a[1, 1], a[2, 1]
    sz, sy = strides
    one = np.uint64(1)
    for n in range(out.size):
        i = first + n
        z, y, x = z0 + dz * i, y0 + dy * i, x0 + dx * i
        iz, iy, ix = np.uint32(np.int32(z)), np.uint32(np.int32(y)), np.uint32(np.int32(x))
        fz, fy, fx = np.float32(z - iz), np.float32(y - iy), np.float32(x - ix)
        p = np.uint64(iz) * sz + np.uint64(iy) * sy + np.uint64(ix)
        low, high = flat[p], flat[p + one]
        v00 = low + fx * (high - low)
        low, high = flat[p + sy], flat[p + sy + one]
        v01 = low + fx * (high - low)
        low, high = flat[p + sz], flat[p + sz + one]
        v10 = low + fx * (high - low)
        low, high = flat[p + sz + sy], flat[p + sz + sy + one]
        v11 = low + fx * (high - low)
        v0 = v00 + fy * (v01 - v00)
        v1 = v10 + fy * (v11 - v10)
        out[n] = v0 + fz * (v1 - v0)


@njit(nogil=True, cache=True)
def _read_slowly(values: Array, spacing: Array, limits: Array, a: Array, columns: tuple[int, int], out: Array) -> None:
    for i in range(columns[0], columns[1]):
        z, y, x = a[0, 0] + a[0, 1] * i, a[1, 0] + a[1, 1] * i, a[2, 0] + a[2, 1] * i
        out[i - columns[0]] = read(values, spacing, limits, z, y, x)


@njit(nogil=True, cache=True)
def _read_part(
    values: Array,
    place: tuple[Array, Array, Array],
    safe: tuple[int, int],
    part: tuple[int, int],
    out: Array,
) -> None:
    """Signed distance of the columns ``part`` of a row; what is safe is the row's, so no part changes a value."""
    spacing, limits, a = place
    first, last = part
    low = min(max(safe[0], first), last)
    high = max(min(safe[1], last), low)
    _read_slowly(values, spacing, limits, a, (first, low), out[: low - first])
    strides = (np.uint64(values.shape[1] * values.shape[2]), np.uint64(values.shape[2]))
    _read_row(values.reshape(-1), strides, a, low, out[low - first : high - first])
    _read_slowly(values, spacing, limits, a, (high, last), out[high - first :])


@njit(nogil=True, cache=True)
def sample_slices(values: Array, spacing: Array, limits: Array, affine: Array, start: int, out: Array) -> None:
    """Signed distance at the voxels of some slices.

    Parameters
    ----------
    values, spacing, limits
        Of the distance field.
    affine : float64, shape (4, 4)
        Takes an index (z, y, x, 1) of the other grid to one of the field's nodes.
    start : int
        First slice.
    out : float32, shape (Z, Y, X)
        Filled with the distance in mm.
    """
    depth, rows, columns = out.shape
    a = np.empty((3, 2))
    for k in range(depth):
        for j in range(rows):
            _row(affine, start + k, j, a)
            safe = _safe_columns(a, limits, values.shape, columns)
            _read_part(values, (spacing, limits, a), safe, (0, columns), out[k, j])


@njit(nogil=True, cache=True)
def _decides(a: Array, half: Array, limits: Array) -> bool:
    """Whether no end of the reference, beyond which nothing is known, runs through a block round an index."""
    for axis in range(3):
        for side in range(2):
            if abs(limits[axis, side] - a[axis]) <= half[axis]:
                return False
    return True


@njit(nogil=True, cache=True)
def within_slices(
    values: Array, place: tuple[Array, Array, Array], start: int, limit: tuple[np.float32, float], out: Array
) -> None:
    """Tell which voxels of some slices are within a signed distance.

    Parameters
    ----------
    values : float32, shape (Z, Y, X)
        Of the distance field.
    place : tuple of array
        Its spacing and limits, and the affine of :func:`sample_slices`.
    start : int
        First slice.
    limit : tuple of float
        Signed distance in mm (float32), and how much the distance changes per mm at most.
    out : bool, shape (Z, Y, X)
        Filled.
    """
    spacing, limits, affine = place
    depth, rows, columns = out.shape
    half = 0.5 * (BLOCK - 1) * (np.abs(affine[:3, 1]) + np.abs(affine[:3, 2]))
    reach = limit[1] * np.sqrt(np.sum((half * spacing) ** 2)) + ROUNDING_MM
    rows_of_block = np.empty((BLOCK, 3, 2))
    safe = np.empty((BLOCK, 2), np.int64)
    line = np.empty(BLOCK, np.float32)
    middle = 0.5 * (BLOCK - 1)
    at = np.empty(3)
    for k in range(depth):
        for y in range(0, rows, BLOCK):
            high = min(y + BLOCK, rows)
            ready = False
            for x in range(0, columns, BLOCK):
                wide = min(x + BLOCK, columns)
                for axis in range(3):
                    across = affine[axis, 1] * (y + middle) + affine[axis, 2] * (x + middle)
                    at[axis] = affine[axis, 0] * (start + k) + across + affine[axis, 3]
                distance = read(values, spacing, limits, at[0], at[1], at[2])
                if abs(distance - limit[0]) > reach and _decides(at, half, limits):
                    for j in range(y, high):
                        for i in range(x, wide):
                            out[k, j, i] = distance < limit[0]
                    continue
                if not ready:
                    for j in range(y, high):
                        _row(affine, start + k, j, rows_of_block[j - y])
                        safe[j - y] = _safe_columns(rows_of_block[j - y], limits, values.shape, columns)
                    ready = True
                for j in range(y, high):
                    own = (safe[j - y, 0], safe[j - y, 1])
                    part = line[: wide - x]
                    _read_part(values, (spacing, limits, rows_of_block[j - y]), own, (x, wide), part)
                    for i in range(x, wide):
                        out[k, j, i] = part[i - x] <= limit[0]


@njit(nogil=True, cache=True)
def largest_steps(values: Array, first: int, last: int) -> Array:
    """Largest absolute difference of neighbouring nodes along (z, y, x), float64 (3,), from some slices upwards."""
    depth, rows, columns = values.shape
    result = np.zeros(3)
    for k in range(first, last):
        for j in range(rows):
            for i in range(columns):
                here = values[k, j, i]
                if k + 1 < depth:
                    result[0] = max(result[0], abs(values[k + 1, j, i] - here))
                if j + 1 < rows:
                    result[1] = max(result[1], abs(values[k, j + 1, i] - here))
                if i + 1 < columns:
                    result[2] = max(result[2], abs(values[k, j, i + 1] - here))
    return result
