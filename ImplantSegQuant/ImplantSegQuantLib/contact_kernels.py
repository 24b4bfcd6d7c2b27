"""Voxel kernels of the bone–implant contact; import late, they need numba.

All take labels with neighbours, uint8 (Z, Y, X), of which values from 4 on do not exist; ``ends``, the first and
last + 1 of the slices to answer for; and ``box``, the rows and columns that hold the implant and what touches it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]
Ends = tuple[int, int]
Box = tuple[int, int, int, int]

_STEPS = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]])


@njit(nogil=True, cache=True, inline="always")
def is_implant(label: int) -> bool:
    """Whether a label is the implant's."""
    return label == 1 or label == 2


@njit(nogil=True, cache=True)
def count_contacts(labels: Array, ends: Ends, box: Box) -> tuple[Array, Array]:
    """Faces of the implant, int64 (3, 2): per axis to bone and to background; and its surface voxels, int64 (2,).

    The surface voxels are those that touch bone, and those that touch bone or background.
    """
    depth, height, width = labels.shape
    faces, voxels = np.zeros((3, 2), np.int64), np.zeros(2, np.int64)
    for z in range(ends[0], ends[1]):
        for y in range(box[0], box[1]):
            for x in range(box[2], box[3]):
                if not is_implant(labels[z, y, x]):
                    continue
                bone = rest = 0
                for side in range(6):
                    k, j, i = z + _STEPS[side, 0], y + _STEPS[side, 1], x + _STEPS[side, 2]
                    if not (0 <= k < depth and 0 <= j < height and 0 <= i < width):
                        continue
                    other = labels[k, j, i]
                    if other == 3:
                        faces[side // 2, 0] += 1
                        bone += 1
                    elif other == 0:
                        faces[side // 2, 1] += 1
                        rest += 1
                voxels[0] += bone > 0
                voxels[1] += bone + rest > 0
    return faces, voxels


@njit(nogil=True, cache=True, inline="always")
def _touches(labels: Array, z: int, y: int, x: int) -> int:
    depth, height, width = labels.shape
    return int(0 <= z < depth and 0 <= y < height and 0 <= x < width and is_implant(labels[z, y, x]))


@njit(nogil=True, cache=True)
def bridged_faces(labels: Array, ends: Ends, box: Box, offsets: Array, gaps: int) -> Array:
    """Faces from implant to background by the gap that bridges them to bone, int64 (3, gaps + 1).

    Parameters
    ----------
    offsets : int64, shape (N, 4)
        Steps (z, y, x) to the voxels round one, the nearest first, and the number of the gap that reaches there.
    gaps : int
        How many gaps there are; the last column counts faces with no bone within any.
    """
    depth, height, width = labels.shape
    result = np.zeros((3, gaps + 1), np.int64)
    for z in range(ends[0], ends[1]):
        for y in range(box[0], box[1]):
            for x in range(box[2], box[3]):
                if labels[z, y, x] != 0:
                    continue
                along_z = _touches(labels, z - 1, y, x) + _touches(labels, z + 1, y, x)
                along_y = _touches(labels, z, y - 1, x) + _touches(labels, z, y + 1, x)
                along_x = _touches(labels, z, y, x - 1) + _touches(labels, z, y, x + 1)
                if along_z + along_y + along_x == 0:
                    continue
                found = gaps
                for n in range(len(offsets)):
                    k, j, i = z + offsets[n, 0], y + offsets[n, 1], x + offsets[n, 2]
                    if 0 <= k < depth and 0 <= j < height and 0 <= i < width and labels[k, j, i] == 3:
                        found = offsets[n, 3]
                        break
                result[0, found] += along_z
                result[1, found] += along_y
                result[2, found] += along_x
    return result
