"""Voxel kernels on a signed distance field; import late, they need numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]

BEYOND_MM = 500.0
"""A distance from here on is none: the reference itself is cut off there, and nothing is known."""

NEAR_VOXELS = 3.0
"""Farther from the surface than this, in edges of the widest voxel side, a voxel is wholly inside or outside."""

_BEYOND, _ZERO = np.float32(BEYOND_MM), np.float32(0.0)
_STEPS = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]])


@njit(nogil=True, cache=True, inline="always")
def _differences(before: float, here: float, after: float) -> tuple[float, float]:
    """First and second difference along an axis; beyond a cut end the field goes on as a straight line."""
    if before < BEYOND_MM and after < BEYOND_MM:
        return 0.5 * (after - before), after - 2.0 * here + before
    if after < BEYOND_MM:
        return after - here, 0.0
    if before < BEYOND_MM:
        return here - before, 0.0
    return 0.0, 0.0


@njit(nogil=True, cache=True, inline="always")
def _cube(value: float) -> float:
    return value * value * value if value > 0.0 else 0.0


@njit(nogil=True, cache=True)
def _fraction_inside(centre: float, a: float, b: float, c: float) -> float:
    """Part of a unit cube where ``centre + a·x + b·y + c·z < 0``, x, y, z from -1/2 to 1/2 and a, b, c not negative.

    Scardovelli & Zaleski 2000, doi:10.1006/jcph.1999.6341, equation 5.
    """
    least = 1e-3 * max(a, b, c)  # the formula divides by each; so small a slope changes nothing
    a, b, c = max(a, least), max(b, least), max(c, least)
    level = 0.5 * (a + b + c) - centre
    if level <= 0.0:
        return 0.0
    if level >= a + b + c:
        return 1.0
    corners = _cube(level) - _cube(level - a) - _cube(level - b) - _cube(level - c)
    corners += _cube(level - a - b) + _cube(level - a - c) + _cube(level - b - c)
    return corners / (6.0 * a * b * c)


@njit(nogil=True, cache=True)
def at_surface(distance: Array, z: int, y: int, x: int, spacing: Array) -> tuple[float, float]:
    """Part of a voxel that is inside, and area of the surface in it in mm²; see :class:`.morphometry.ShapeMeter`."""
    depth, height, width = distance.shape
    here, none = distance[z, y, x], 2.0 * BEYOND_MM
    first_z, second_z = _differences(
        distance[z - 1, y, x] if z > 0 else none, here, distance[z + 1, y, x] if z < depth - 1 else none
    )
    first_y, second_y = _differences(
        distance[z, y - 1, x] if y > 0 else none, here, distance[z, y + 1, x] if y < height - 1 else none
    )
    first_x, second_x = _differences(
        distance[z, y, x - 1] if x > 0 else none, here, distance[z, y, x + 1] if x < width - 1 else none
    )
    mean = here + (second_z + second_y + second_x) / 24.0
    part = _fraction_inside(mean, abs(first_z), abs(first_y), abs(first_x))
    reach = abs(first_z) + abs(first_y) + abs(first_x)
    if not abs(here) < reach:
        return part, 0.0
    slope = np.sqrt((first_z / spacing[0]) ** 2 + (first_y / spacing[1]) ** 2 + (first_x / spacing[2]) ** 2)
    return part, (1.0 - abs(here) / reach) / reach * slope * spacing[0] * spacing[1] * spacing[2]


@njit(nogil=True, cache=True)
def integrate(distance: Array, inside: Array, inner: tuple[int, int], spacing: Array) -> Array:
    """Volume and surface of a body, slice by slice, from its distance field.

    Parameters
    ----------
    distance : float32, shape (Z, Y, X)
        Signed distance in mm at the voxel centres.
    inside : bool, shape (Z, Y, X)
        The field of view.
    inner : tuple of int
        First and last + 1 of the slices to answer for; the others serve as neighbours.
    spacing : float64, shape (3,)
        Voxel size (z, y, x) in mm.

    Returns
    -------
    float64, shape (slices, 2)
        Volume in voxels and area in mm² of the surface.
    """
    _, height, width = distance.shape
    near = NEAR_VOXELS * spacing.max()
    result = np.zeros((inner[1] - inner[0], 2))
    for z in range(inner[0], inner[1]):
        volume = 0.0
        area = 0.0
        for y in range(height):
            for x in range(width):
                here = distance[z, y, x]
                if here > near or not inside[z, y, x]:
                    continue
                if here < -near:
                    volume += 1.0
                    continue
                part, mm2 = at_surface(distance, z, y, x, spacing)
                volume += part
                area += mm2
        result[z - inner[0], 0] = volume
        result[z - inner[0], 1] = area
    return result


@njit(nogil=True, cache=True)
def surface_distances(labels: Array, distance: Array, inner: tuple[int, int], label: int, most: np.float32) -> Array:
    """Distance at the surface of one label, slice by slice.

    The surface of a voxel lies at its faces to other labels below 4: there the distance is the mean of
    the two voxels, and the voxel's is the mean over those faces.

    Parameters
    ----------
    labels : uint8, shape (Z, Y, X)
        Labels; values from 4 on do not exist.
    distance : float32, shape (Z, Y, X)
        Signed distance in mm.
    inner : tuple of int
        First and last + 1 of the slices to answer for.
    label : int
        Whose surface.
    most : float
        Voxels of the label at a larger distance do not exist.

    Returns
    -------
    float64, shape (slices, 2)
        Sum of the distances in mm, and surface voxels.
    """
    result = np.zeros((inner[1] - inner[0], 2))
    depth, height, width = labels.shape
    for z in range(inner[0], inner[1]):
        for y in range(height):
            for x in range(width):
                if labels[z, y, x] != label or distance[z, y, x] > most:
                    continue
                total = 0.0
                faces = 0
                for side in range(6):
                    k, j, i = z + _STEPS[side, 0], y + _STEPS[side, 1], x + _STEPS[side, 2]
                    if not (0 <= k < depth and 0 <= j < height and 0 <= i < width):
                        continue
                    if labels[k, j, i] < 4 and labels[k, j, i] != label and distance[k, j, i] < BEYOND_MM:
                        total += distance[k, j, i]
                        faces += 1
                if faces > 0:
                    result[z - inner[0], 0] += 0.5 * (distance[z, y, x] + total / faces)
                    result[z - inner[0], 1] += 1.0
    return result


@njit(nogil=True, cache=True)
def _encode_row(distance: Array, inside: Array, codes: Array) -> None:
    """1 where there is body, 2 where there is none, 0 where nothing is known."""
    for i in range(np.uint64(codes.size)):
        value = np.uint8(2) - np.uint8(distance[i] < _ZERO)
        codes[i] = value if inside[i] and distance[i] < _BEYOND else np.uint8(0)


@njit(nogil=True, cache=True)
def _count_row(one: Array, other: Array) -> int:
    """Where two rows of codes differ between body and none."""
    total, size, start = np.int64(0), np.uint64(one.size), np.uint64(0)
    while start < size:
        stop = min(start + np.uint64(128), size)
        count = np.uint8(0)
        for i in range(start, stop):
            count = np.uint8(count + np.uint8(np.uint8(one[i] | other[i]) == np.uint8(3)))
        total += np.int64(count)
        start = stop
    return int(total)


@njit(nogil=True, cache=True)
def _touch_row(codes: Array, touched: Array) -> None:
    for i in range(np.uint64(touched.size)):
        touched[i] |= codes[i]


@njit(nogil=True, cache=True)
def count_surface(distance: Array, inside: Array, inner: tuple[int, int]) -> Array:
    """Voxel faces of a body per axis, and the voxels of it that have such faces: int64 (4,).

    Parameters
    ----------
    distance : float32, shape (Z, Y, X)
        Signed distance in mm at the voxel centres; from 500 mm on nothing is known.
    inside : bool, shape (Z, Y, X)
        The field of view.
    inner : tuple of int
        First and last + 1 of the slices to answer for: their own faces, and those to the slice below.
    """
    depth, height, width = distance.shape
    result = np.zeros(4, np.int64)
    low, high = max(inner[0] - 1, 0), min(inner[1] + 1, depth)
    codes = np.empty((high - low, height, width), np.uint8)
    for z in range(low, high):
        for y in range(height):
            _encode_row(distance[z, y], inside[z, y], codes[z - low, y])
    touched = np.empty(width, np.uint8)
    for z in range(inner[0] - low, inner[1] - low):
        for y in range(height):
            row = codes[z, y]
            touched[:] = 0
            _touch_row(row[1:], touched[:-1])
            _touch_row(row[:-1], touched[1:])
            result[2] += _count_row(row[1:], row[:-1])
            if y > 0:
                result[1] += _count_row(row, codes[z, y - 1])
                _touch_row(codes[z, y - 1], touched)
            if y < height - 1:
                _touch_row(codes[z, y + 1], touched)
            if z > 0:
                result[0] += _count_row(row, codes[z - 1, y])
                _touch_row(codes[z - 1, y], touched)
            if z < codes.shape[0] - 1:
                _touch_row(codes[z + 1, y], touched)
            for x in range(width):
                result[3] += row[x] == 1 and touched[x] & np.uint8(2) > 0
    return result
