"""Voxel kernels of the bone–implant contact; import late, they need numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]

_REACHED = 64


@njit(nogil=True, cache=True, inline="always")
def _is_implant(label: int) -> bool:
    return label == 1 or label == 2


@njit(nogil=True, cache=True, inline="always")
def _slope(field: Array, labels: Array, at: tuple[int, int, int], axis: int) -> float:
    """Central difference of the field along an axis, one-sided at the border and beside voxels of no label."""
    z, y, x = at
    step_z, step_y, step_x = int(axis == 0), int(axis == 1), int(axis == 2)
    low, high, width = at, at, 0
    if at[axis] > 0 and labels[z - step_z, y - step_y, x - step_x] < 4:
        low, width = (z - step_z, y - step_y, x - step_x), width + 1
    if at[axis] < field.shape[axis] - 1 and labels[z + step_z, y + step_y, x + step_x] < 4:
        high, width = (z + step_z, y + step_y, x + step_x), width + 1
    return (field[high] - field[low]) / width if width else 0.0


@njit(nogil=True, cache=True)
def weighted_faces(labels: Array, field: Array, spacing: Array, inner: tuple[int, int]) -> Array:
    """Area between implant and bone, and between implant and background, slice by slice.

    Parameters
    ----------
    labels : uint8, shape (Z, Y, X)
        Labels; values from 4 on do not exist.
    field : float32, shape (Z, Y, X)
        Smooth indicator of the implant: its gradient is the surface's normal.
    spacing : float64, shape (3,)
        Voxel size (z, y, x) in mm.
    inner : tuple of int
        First and last + 1 of the slices to answer for: the faces to their lower neighbours.

    Returns
    -------
    float64, shape (slices, 2)
        Area in mm² to bone and to background.
    """
    _, height, width = labels.shape
    result = np.zeros((inner[1] - inner[0], 2))
    for z in range(inner[0], inner[1]):
        for y in range(height):
            for x in range(width):
                label = labels[z, y, x]
                if label > 3:
                    continue
                here = (z, y, x)
                for axis in range(3):
                    if here[axis] == 0:
                        continue
                    there = (z - int(axis == 0), y - int(axis == 1), x - int(axis == 2))
                    other = labels[there]
                    if other > 3 or _is_implant(label) == _is_implant(other):
                        continue
                    square = 0.0
                    along = 0.0
                    for k in range(3):
                        if k == axis:
                            slope = (field[here] - field[there]) / spacing[k]
                            along = abs(slope)
                        else:
                            slope = _slope(field, labels, here, k) + _slope(field, labels, there, k)
                            slope *= 0.5 / spacing[k]
                        square += slope * slope
                    cosine = along / np.sqrt(square) if square > 0.0 else 1.0
                    side = 0 if label == 3 or other == 3 else 1
                    result[z - inner[0], side] += cosine * spacing[0] * spacing[1] * spacing[2] / spacing[axis]
    return result


@njit(nogil=True, cache=True, inline="always")
def _reach(labels: Array, z: int, y: int, x: int) -> bool:
    """Mark a voxel of the complement that borders on a marked one; tell whether it is new."""
    label = labels[z, y, x]
    if label >= _REACHED or _is_implant(label):
        return False
    depth, height, width = labels.shape
    if (
        z == 0
        or y == 0
        or x == 0
        or z == depth - 1
        or y == height - 1
        or x == width - 1
        or labels[z - 1, y, x] >= _REACHED
        or labels[z + 1, y, x] >= _REACHED
        or labels[z, y - 1, x] >= _REACHED
        or labels[z, y + 1, x] >= _REACHED
        or labels[z, y, x - 1] >= _REACHED
        or labels[z, y, x + 1] >= _REACHED
    ):
        labels[z, y, x] = label + _REACHED
        return True
    return False


@njit(nogil=True, cache=True)
def remove_pores(labels: Array) -> int:
    """Give the enclosed parts of the implant's complement the value 254, in place; return their voxels.

    The complement is flooded from the border of the array and from the voxels of no label, in sweeps forth
    and back, until nothing changes: one byte per voxel is all the memory there is.

    Parameters
    ----------
    labels : uint8, shape (Z, Y, X)
        Labels 0 to 3, and 254 for voxels that do not exist.
    """
    depth, height, width = labels.shape
    changed = True
    while changed:
        changed = False
        for z in range(depth):
            for y in range(height):
                for x in range(width):
                    changed |= _reach(labels, z, y, x)
        for z in range(depth - 1, -1, -1):
            for y in range(height - 1, -1, -1):
                for x in range(width - 1, -1, -1):
                    changed |= _reach(labels, z, y, x)
    pores = 0
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                label = labels[z, y, x]
                if label == 0 or label == 3:
                    labels[z, y, x] = 254
                    pores += 1
                elif _REACHED <= label < _REACHED + 4:
                    labels[z, y, x] = label - _REACHED
    return pores
