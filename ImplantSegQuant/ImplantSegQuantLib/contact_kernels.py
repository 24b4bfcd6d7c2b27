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


@njit(nogil=True, cache=True)
def _mark(labels: Array, marks: Array) -> None:
    for i in range(np.uint64(marks.size)):
        label = labels[i]
        implant = np.uint8(label == np.uint8(1)) | np.uint8(label == np.uint8(2))
        marks[i] |= np.uint8(implant | np.uint8(label > np.uint8(3)) << np.uint8(1))


@njit(nogil=True, cache=True)
def mark_neighbours(labels: Array, z: int, y: int, columns: Ends, marks: Array) -> None:
    """Tell of the neighbours of some voxels of a row whether one is implant (1), and whether one does not exist (2).

    By vector code, so that only the voxels that are marked need a closer look. ``marks`` is uint8 (columns).
    """
    depth, height, width = labels.shape
    first, last = columns
    marks[:] = 0
    for k, j in ((z - 1, y), (z + 1, y), (z, y - 1), (z, y + 1)):
        if 0 <= k < depth and 0 <= j < height:
            _mark(labels[k, j, first:last], marks)
        else:
            marks |= np.uint8(2)
    if first > 0:
        _mark(labels[z, y, first - 1 : last - 1], marks)
    else:
        _mark(labels[z, y, : last - 1], marks[1:])
        marks[0] |= np.uint8(2)
    if last < width:
        _mark(labels[z, y, first + 1 : last + 1], marks)
    else:
        _mark(labels[z, y, first + 1 :], marks[:-1])
        marks[-1] |= np.uint8(2)


@njit(nogil=True, cache=True, inline="always")
def _touches(labels: Array, z: int, y: int, x: int) -> int:
    depth, height, width = labels.shape
    return int(0 <= z < depth and 0 <= y < height and 0 <= x < width and is_implant(labels[z, y, x]))


@njit(nogil=True, cache=True)
def _step(labels: Array, nearest: Array) -> None:
    """Go one row on: count the steps to the nearest bone behind, up to 255."""
    for i in range(np.uint64(nearest.size)):
        farther = np.uint8(nearest[i] + np.uint8(nearest[i] < np.uint8(255)))
        nearest[i] = np.uint8(0) if labels[i] == np.uint8(3) else farther


@njit(nogil=True, cache=True)
def _keep_nearest(nearest: Array, steps: Array) -> None:
    for i in range(np.uint64(nearest.size)):
        steps[i] = min(steps[i], nearest[i])


@njit(nogil=True, cache=True)
def bone_along_columns(labels: Array, ends: Ends, box: Box, steps: Array) -> None:
    """Count the steps along y to the nearest bone in the slices ``ends`` of a box; 255 are as many or more.

    Parameters
    ----------
    steps : uint8, shape (Z, rows of the box, columns of the box)
        Filled.
    """
    height, first, last = labels.shape[1], box[0], box[1]
    nearest = np.empty(box[3] - box[2], np.uint8)
    for z in range(ends[0], ends[1]):
        nearest[:] = 255
        for y in range(max(first - 254, 0), last):
            _step(labels[z, y, box[2] : box[3]], nearest)
            if y >= first:
                steps[z, y - first] = nearest
        nearest[:] = 255
        for y in range(min(last + 254, height) - 1, first - 1, -1):
            _step(labels[z, y, box[2] : box[3]], nearest)
            if y < last:
                _keep_nearest(nearest, steps[z, y - first])


@njit(nogil=True, cache=True)
def bridged_faces(
    labels: Array, ends: Ends, box: Box, nearest_bone: tuple[Array, int], columns: Array, gaps: tuple[Array, float]
) -> Array:
    """Faces from implant to background by the gap that bridges them to bone, int64 (3, gaps + 1).

    Parameters
    ----------
    nearest_bone : uint8, shape (Z, rows of the box, columns), and int
        What :func:`bone_along_columns` gives, and its first column.
    columns : float64, shape (N, 3)
        The columns round a voxel, steps along (z, x) and the square of their distance in µm², the nearest first.
    gaps : float64, shape (gaps,), and float
        Squares of the gaps in µm², rising, and of the voxel size along y. The last column of the result counts faces
        with no bone within any gap.
    """
    steps, left = nearest_bone
    squares, step_square = gaps
    result = np.zeros((3, squares.size + 1), np.int64)
    marks = np.empty(box[3] - box[2], np.uint8)
    for z in range(ends[0], ends[1]):
        for y in range(box[0], box[1]):
            mark_neighbours(labels, z, y, box[2:], marks)
            for x in range(box[2], box[3]):
                if labels[z, y, x] != 0 or marks[x - box[2]] & 1 == 0:
                    continue
                along_z = _touches(labels, z - 1, y, x) + _touches(labels, z + 1, y, x)
                along_y = _touches(labels, z, y - 1, x) + _touches(labels, z, y + 1, x)
                along_x = _touches(labels, z, y, x - 1) + _touches(labels, z, y, x + 1)
                nearest = np.inf
                for n in range(len(columns)):
                    if columns[n, 2] >= nearest:
                        break
                    k, i = z + int(columns[n, 0]), x + int(columns[n, 1]) - left
                    if 0 <= k < steps.shape[0] and 0 <= i < steps.shape[2] and steps[k, y - box[0], i] < 255:
                        away = float(steps[k, y - box[0], i])
                        nearest = min(nearest, columns[n, 2] + step_square * away * away)
                gap = 0
                while gap < squares.size and squares[gap] < nearest:
                    gap += 1
                result[0, gap] += along_z
                result[1, gap] += along_y
                result[2, gap] += along_x
    return result
