"""From any function whose zero level is a surface to the signed distance from that surface.

The surface is where the function changes sign between neighbouring nodes (linear interpolation). The
nearest surface point of every node is then handed on from neighbour to neighbour in eight sweeps, one
for each direction of travel (vector distance transform: Danielsson 1980, doi:10.1016/0146-664X(80)90054-4;
sweeping order: Zhao 2005, doi:10.1090/S0025-5718-04-01678-3).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]

SUBSAMPLES = 4
"""Sub-samples along each edge of a voxel when the volume inside a field is counted."""


def signed_distance(values: Array, spacing_mm: tuple[float, float, float]) -> Array:
    """Signed distance from the zero level of a function.

    Parameters
    ----------
    values : float32, shape (Z, Y, X)
        Negative inside; right in sign everywhere, near to linear next to the surface. Overwritten.
    spacing_mm : tuple of float
        Distance of nodes along (z, y, x), in mm.

    Returns
    -------
    float32, shape (Z, Y, X)
        Signed distance in mm: the array that was passed. Without any surface, plus or minus infinity.
    """
    spacing = np.array(spacing_mm)
    feet = np.full(values.shape, -1, np.int32)
    points = _surface_feet(values, spacing, feet)
    distance = np.full(values.shape, np.inf, np.float32)
    _start(distance, feet, points, spacing)
    for direction in np.ndindex(2, 2, 2):
        _sweep(distance, feet, points, spacing, np.array(direction))
    return np.copysign(distance, values, out=values)


@njit(nogil=True, cache=True)
def _crossing(here: float, there: float) -> float:
    """Where the sign changes on the way to a neighbour, as a fraction of the way; infinite if it does not."""
    if (here < 0.0) == (there < 0.0):
        return np.inf
    return max(here / (here - there), 1e-3)


@njit(nogil=True, cache=True)
def _surface_feet(values: Array, spacing: Array, feet: Array) -> Array:
    """Nearest surface points (N, 3), (z, y, x) in mm, of the nodes next to the surface; ``feet`` gets their numbers."""
    depth, rows, columns = values.shape
    count = 0
    points = np.empty((1024, 3), np.float32)
    normal = np.empty(3)
    for z in range(depth):
        for y in range(rows):
            for x in range(columns):
                here = values[z, y, x]
                square = 0.0
                for axis in range(3):
                    dz, dy, dx = (1, 0, 0) if axis == 0 else ((0, 1, 0) if axis == 1 else (0, 0, 1))
                    ahead = behind = np.inf
                    if z + dz < depth and y + dy < rows and x + dx < columns:
                        ahead = _crossing(here, values[z + dz, y + dy, x + dx])
                    if z >= dz and y >= dy and x >= dx:
                        behind = _crossing(here, values[z - dz, y - dy, x - dx])
                    normal[axis] = 1.0 / (ahead * spacing[axis]) if ahead <= behind else -1.0 / (behind * spacing[axis])
                    square += normal[axis] ** 2
                if square == 0.0:
                    continue
                if count == points.shape[0]:
                    grown = np.empty((2 * count, 3), np.float32)
                    grown[:count] = points
                    points = grown
                # the plane through the crossings on the axes: its foot lies at normal / |normal|²
                points[count, 0] = z * spacing[0] + normal[0] / square
                points[count, 1] = y * spacing[1] + normal[1] / square
                points[count, 2] = x * spacing[2] + normal[2] / square
                feet[z, y, x] = count
                count += 1
    return points[:count].copy()


@njit(nogil=True, cache=True, fastmath=True, inline="always")
def _squared_distance(points: Array, foot: int, z: float, y: float, x: float) -> float:
    return (points[foot, 0] - z) ** 2 + (points[foot, 1] - y) ** 2 + (points[foot, 2] - x) ** 2


@njit(nogil=True, cache=True)
def _start(distance: Array, feet: Array, points: Array, spacing: Array) -> None:
    for z in range(distance.shape[0]):
        for y in range(distance.shape[1]):
            for x in range(distance.shape[2]):
                foot = feet[z, y, x]
                if foot >= 0:
                    square = _squared_distance(points, foot, z * spacing[0], y * spacing[1], x * spacing[2])
                    distance[z, y, x] = np.sqrt(square)


@njit(nogil=True, cache=True, inline="always")
def _bounds(forward: int, count: int) -> tuple[int, int, int]:
    return (0, count, 1) if forward else (count - 1, -1, -1)


@njit(nogil=True, cache=True)
def _sweep(distance: Array, feet: Array, points: Array, spacing: Array, direction: Array) -> None:
    z0, z1, dz = _bounds(direction[0], distance.shape[0])
    y0, y1, dy = _bounds(direction[1], distance.shape[1])
    x0, x1, dx = _bounds(direction[2], distance.shape[2])
    for z in range(z0, z1, dz):
        for y in range(y0, y1, dy):
            for x in range(x0, x1, dx):
                best = distance[z, y, x] ** 2
                foot = feet[z, y, x]
                pz, py, px = z * spacing[0], y * spacing[1], x * spacing[2]
                for axis in range(3):
                    if axis == 0:
                        other = feet[z - dz, y, x] if z != z0 else -1
                    elif axis == 1:
                        other = feet[z, y - dy, x] if y != y0 else -1
                    else:
                        other = feet[z, y, x - dx] if x != x0 else -1
                    if other >= 0 and other != foot:
                        square = _squared_distance(points, other, pz, py, px)
                        if square < best:
                            best = square
                            foot = other
                if foot != feet[z, y, x]:
                    feet[z, y, x] = foot
                    distance[z, y, x] = np.sqrt(best)


def volume_and_area(distance: Array, spacing_mm: tuple[float, float, float]) -> tuple[float, float]:
    """Volume in mm³ where a distance field, linearly interpolated, is negative, and the area of its surface in mm².

    Voxels are centred on the nodes; those next to the surface are divided into 4³. The area is the
    change of the volume with the level.
    """
    step_mm = 0.05 * min(spacing_mm)
    below, level, above = _count_inside(distance, float(np.linalg.norm(spacing_mm)), step_mm)
    voxel_mm3 = float(np.prod(spacing_mm))
    return level * voxel_mm3, (above - below) * voxel_mm3 / (2 * step_mm)


@njit(nogil=True, cache=True)
def _count_inside(distance: Array, reach: float, step: float) -> tuple[float, float, float]:
    depth, rows, columns = distance.shape
    below = level = above = 0.0
    weight = 1.0 / SUBSAMPLES**3
    for z in range(depth):
        for y in range(rows):
            for x in range(columns):
                here = distance[z, y, x]
                if abs(here) > reach:
                    whole = 1.0 if here < 0.0 else 0.0
                    below += whole
                    level += whole
                    above += whole
                    continue
                for part in range(SUBSAMPLES**3):
                    value = _inside_voxel(distance, z, y, x, part)
                    below += weight * (value < -step)
                    level += weight * (value < 0.0)
                    above += weight * (value < step)
    return below, level, above


@njit(nogil=True, cache=True)
def _inside_voxel(distance: Array, z: int, y: int, x: int, part: int) -> float:
    """Linear interpolation at one of the sub-samples of a voxel."""
    depth, rows, columns = distance.shape
    offset_z = (part // SUBSAMPLES**2 + 0.5) / SUBSAMPLES - 0.5
    offset_y = (part // SUBSAMPLES % SUBSAMPLES + 0.5) / SUBSAMPLES - 0.5
    offset_x = (part % SUBSAMPLES + 0.5) / SUBSAMPLES - 0.5
    z1 = min(max(z + (1 if offset_z > 0 else -1), 0), depth - 1)
    y1 = min(max(y + (1 if offset_y > 0 else -1), 0), rows - 1)
    x1 = min(max(x + (1 if offset_x > 0 else -1), 0), columns - 1)
    fz, fy, fx = abs(offset_z), abs(offset_y), abs(offset_x)
    near = (1 - fy) * ((1 - fx) * distance[z, y, x] + fx * distance[z, y, x1]) + fy * (
        (1 - fx) * distance[z, y1, x] + fx * distance[z, y1, x1]
    )
    far = (1 - fy) * ((1 - fx) * distance[z1, y, x] + fx * distance[z1, y, x1]) + fy * (
        (1 - fx) * distance[z1, y1, x] + fx * distance[z1, y1, x1]
    )
    return (1 - fz) * near + fz * far
