"""Union-find of the implant's complement across slabs; import late, it needs numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ImplantSegQuantLib.contact_kernels import Box, Ends, is_implant, mark_neighbours

Array = np.ndarray[Any, Any]

OPEN = 0
"""Component of all that reaches the border of the field of view."""

NONE = -1
"""Component of the implant's voxels."""

_STEPS = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]])


@njit(nogil=True, cache=True, inline="always")
def _root(parents: Array, one: int) -> int:
    while parents[one] != one:
        parents[one] = parents[parents[one]]
        one = parents[one]
    return one


@njit(nogil=True, cache=True)
def _join(parents: Array, one: int, other: int) -> None:
    """Make one of two components; the lower number stays, so that what is open stays open."""
    one, other = _root(parents, one), _root(parents, other)
    if one < other:
        parents[other] = one
    else:
        parents[one] = other


@njit(nogil=True, cache=True)
def complement(labels: Array, ends: Ends, box: Box) -> Array:
    """Bone and background of some slices inside a box of rows and columns: bool (Z, Y, X)."""
    result = np.empty((ends[1] - ends[0], box[1] - box[0], box[3] - box[2]), np.bool_)
    for k in range(result.shape[0]):
        for j in range(result.shape[1]):
            for i in range(result.shape[2]):
                label = labels[ends[0] + k, box[0] + j, box[2] + i]
                result[k, j, i] = label == 0 or label == 3
    return result


@njit(nogil=True, cache=True)
def join_across(labels: Array, z: int, box: Box, below: Array, first: Array, parents: Array, new: int) -> None:
    """Join the components of the last slice of a slab with those of the first slice of the next one.

    Parameters
    ----------
    labels : uint8, shape (Z, Y, X)
        Labels; values from 4 on do not exist.
    z : int
        The first slice of the next slab.
    box : tuple of int
        Rows and columns beyond which the next slab holds no implant: there, what exists is open.
    below : int32, shape (Y, X)
        Components of the last slice: :data:`OPEN`, :data:`NONE`, or a number.
    first : int, shape of the box
        Components of the first slice inside the box, 0 for none.
    parents : int32
        Union-find; what is :data:`NONE` has no place in it.
    new : int
        What the numbers in ``first`` are raised by.
    """
    for y in range(below.shape[0]):
        for x in range(below.shape[1]):
            under = below[y, x]
            in_box = box[0] <= y < box[1] and box[2] <= x < box[3]
            if in_box and first[y - box[0], x - box[2]] > 0:
                if under != NONE:
                    _join(parents, under, new + first[y - box[0], x - box[2]])
            elif under > OPEN and not (in_box and is_implant(labels[z, y, x])):
                _join(parents, under, OPEN)


@njit(nogil=True, cache=True)
def open_and_count(labels: Array, ends: Ends, box: Box, parts: Array, parents: Array, new: int, faces: Array) -> None:
    """Join with :data:`OPEN` what reaches the border of the field of view, and count the faces to the implant.

    Parameters
    ----------
    labels, ends, box
        See :mod:`~ImplantSegQuantLib.contact_kernels`.
    parts : int, shape (Z, Y, X)
        Components of the complement inside the box, 0 for none.
    parents : int32
        Union-find.
    new : int
        What the numbers in ``parts`` are raised by.
    faces : int64, shape (components, 3, 2)
        Added to: faces per axis from bone (0) and from background (1) to the implant.
    """
    depth, height, width = labels.shape
    marks = np.empty(box[3] - box[2], np.uint8)
    for z in range(ends[0], ends[1]):
        for y in range(box[0], box[1]):
            mark_neighbours(labels, z, y, box[2:], marks)
            if y == box[0] or y == box[1] - 1:
                marks |= np.uint8(2)
            marks[0] |= np.uint8(2)
            marks[-1] |= np.uint8(2)
            for x in range(box[2], box[3]):
                part = parts[z - ends[0], y - box[0], x - box[2]]
                if part == 0 or marks[x - box[2]] == 0:
                    continue
                part += new
                is_open = marks[x - box[2]] & 2 > 0
                kind = 0 if labels[z, y, x] == 3 else 1
                for side in range(6):
                    k, j, i = z + _STEPS[side, 0], y + _STEPS[side, 1], x + _STEPS[side, 2]
                    if 0 <= k < depth and 0 <= j < height and 0 <= i < width and is_implant(labels[k, j, i]):
                        faces[part, side // 2, kind] += 1
                if is_open and parents[part] != OPEN:
                    _join(parents, part, OPEN)


@njit(nogil=True, cache=True)
def add_up(parents: Array, faces: Array) -> None:
    """Point every component to its root, and give the root the faces of all of them."""
    for one in range(len(parents) - 1, -1, -1):
        root = _root(parents, one)
        parents[one] = root
        if root != one:
            faces[root] += faces[one]


@njit(nogil=True, cache=True)
def renumber(last: Array, box: Box, parents: Array, new: int, labels: Array, below: Array) -> Array:
    """Give new numbers to the components of a slab's last slice, and the roots that they had in that order.

    Parameters
    ----------
    last : int, shape of the box
        Components of the slice inside the box, 0 for none.
    box : tuple of int
        Rows and columns of the box.
    parents : int32
        Roots of all components.
    new : int
        What the numbers in ``last`` are raised by.
    labels : uint8, shape (Y, X)
        Labels of the slice.
    below : int32, shape (Y, X)
        Filled: :data:`OPEN`, :data:`NONE`, or the new number.
    """
    numbers = np.zeros(len(parents), np.int32)
    roots = np.empty(last.size, np.int32)
    alive = 0
    below[:] = OPEN
    for y in range(box[0], box[1]):
        for x in range(box[2], box[3]):
            if is_implant(labels[y, x]):
                below[y, x] = NONE
                continue
            part = last[y - box[0], x - box[2]]
            root = parents[part + new] if part > 0 else OPEN
            if root != OPEN and numbers[root] == 0:
                roots[alive] = root
                alive += 1
                numbers[root] = alive
            below[y, x] = numbers[root] if root != OPEN else OPEN
    return roots[:alive].copy()
