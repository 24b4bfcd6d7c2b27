"""From any function whose zero level is a surface to the signed distance from that surface.

The surface is where the function changes sign between neighbouring nodes (linear interpolation): every
node next to it has a small disc of it, the foot. The nearest foot of every other node is then handed on
from neighbour to neighbour in eight sweeps, one for each direction of travel. (Vector distance transform:
Danielsson 1980, doi:10.1016/0146-664X(80)90054-4; order of the sweeps: Zhao 2005,
doi:10.1090/S0025-5718-04-01678-3.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]

DISC = 0.5
"""Radius of a foot, in node distances: half the distance to the next foot."""

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
    discs = _surface_discs(values, spacing, feet)
    distance = np.full(values.shape, np.inf, np.float32)
    _start(distance, feet, discs, spacing)
    for direction in np.ndindex(2, 2, 2):
        _sweep(distance, feet, discs, spacing, np.array(direction))
    return np.copysign(distance, values, out=values)


@njit(nogil=True, cache=True)
def _crossing(here: float, there: float) -> float:
    """Where the sign changes on the way to a neighbour, as a fraction of the way; infinite if it does not."""
    if (here < 0.0) == (there < 0.0):
        return np.inf
    return max(here / (here - there), 1e-3)


@njit(nogil=True, cache=True)
def _surface_discs(values: Array, spacing: Array, feet: Array) -> Array:
    """Centres and unit normals (N, 6), (z, y, x) in mm, of the discs next to nodes; ``feet`` gets their numbers."""
    count = 0
    discs = np.empty((1024, 6), np.float32)
    way, slope = np.empty(3), np.empty(3)
    for z in range(values.shape[0]):
        for y in range(values.shape[1]):
            for x in range(values.shape[2]):
                if not _beside_surface(values, z, y, x):
                    continue
                _ways_to_surface(values, spacing, (z, y, x), way, slope)
                if count == discs.shape[0]:
                    grown = np.empty((2 * count, 6), np.float32)
                    grown[:count] = discs
                    discs = grown
                length = _distance_along(way, slope)
                node = (z, y, x)
                for axis in range(3):
                    discs[count, axis] = node[axis] * spacing[axis] + length * slope[axis]
                    discs[count, 3 + axis] = slope[axis]
                feet[z, y, x] = count
                count += 1
    return discs[:count].copy()


@njit(nogil=True, cache=True, inline="always")
def _beside_surface(values: Array, z: int, y: int, x: int) -> bool:
    """Whether a neighbour has the other sign."""
    depth, rows, columns = values.shape
    inside = values[z, y, x] < 0.0
    return (
        (x + 1 < columns and (values[z, y, x + 1] < 0.0) != inside)
        or (x > 0 and (values[z, y, x - 1] < 0.0) != inside)
        or (y + 1 < rows and (values[z, y + 1, x] < 0.0) != inside)
        or (y > 0 and (values[z, y - 1, x] < 0.0) != inside)
        or (z + 1 < depth and (values[z + 1, y, x] < 0.0) != inside)
        or (z > 0 and (values[z - 1, y, x] < 0.0) != inside)
    )


@njit(nogil=True, cache=True)
def _ways_to_surface(values: Array, spacing: Array, node: tuple[int, int, int], way: Array, slope: Array) -> None:
    """Find the signed mm to the surface along each axis (0: none), and the slope, a vector towards it."""
    z, y, x = node
    here = values[z, y, x]
    for axis in range(3):
        dz, dy, dx = (1, 0, 0) if axis == 0 else ((0, 1, 0) if axis == 1 else (0, 0, 1))
        after = before = here
        if node[axis] + 1 < values.shape[axis]:
            after = values[z + dz, y + dy, x + dx]
        if node[axis] > 0:
            before = values[z - dz, y - dy, x - dx]
        ahead, behind = _crossing(here, after), _crossing(here, before)
        way[axis] = 0.0
        if min(ahead, behind) < np.inf:
            way[axis] = spacing[axis] * (ahead if ahead <= behind else -behind)
        slope[axis] = (after - before) / spacing[axis] * (1.0 if here < 0.0 else -1.0)


@njit(nogil=True, cache=True)
def _distance_along(way: Array, slope: Array) -> float:
    """Distance of the plane across the slope through the crossings; the slope becomes a unit vector.

    Where the slope points away from the crossings, as it may at a sharp edge, the plane through the
    crossings themselves is taken.
    """
    length = np.sqrt((slope**2).sum())
    total = weight = 0.0
    for axis in range(3):
        if way[axis] != 0.0 and length > 0.0:
            share = (slope[axis] / length) ** 2
            total += share * way[axis] * slope[axis] / length
            weight += share
    if weight > 0.0 and total > 0.0:
        slope /= length
        return total / weight
    for axis in range(3):
        slope[axis] = 1.0 / way[axis] if way[axis] != 0.0 else 0.0
    length = np.sqrt((slope**2).sum())
    slope /= length
    return 1.0 / length


@njit(nogil=True, cache=True, fastmath=True, inline="always")
def _squared_distance(discs: Array, foot: int, point: tuple[float, float, float], radius: float) -> float:
    vz, vy, vx = point[0] - discs[foot, 0], point[1] - discs[foot, 1], point[2] - discs[foot, 2]
    along = vz * discs[foot, 3] + vy * discs[foot, 4] + vx * discs[foot, 5]
    aside = vz * vz + vy * vy + vx * vx - along * along
    if aside <= radius * radius:
        return along * along
    return along * along + (np.sqrt(aside) - radius) ** 2


@njit(nogil=True, cache=True)
def _start(distance: Array, feet: Array, discs: Array, spacing: Array) -> None:
    for z in range(distance.shape[0]):
        for y in range(distance.shape[1]):
            for x in range(distance.shape[2]):
                foot = feet[z, y, x]
                if foot >= 0:
                    square = _squared_distance(discs, foot, (z * spacing[0], y * spacing[1], x * spacing[2]), 0.0)
                    distance[z, y, x] = np.sqrt(square)


@njit(nogil=True, cache=True, inline="always")
def _bounds(forward: int, count: int) -> tuple[int, int, int]:
    return (0, count, 1) if forward else (count - 1, -1, -1)


@njit(nogil=True, cache=True)
def _sweep(distance: Array, feet: Array, discs: Array, spacing: Array, direction: Array) -> None:
    radius = DISC * spacing.mean()
    z0, z1, dz = _bounds(direction[0], distance.shape[0])
    y0, y1, dy = _bounds(direction[1], distance.shape[1])
    x0, x1, dx = _bounds(direction[2], distance.shape[2])
    for z in range(z0, z1, dz):
        for y in range(y0, y1, dy):
            for x in range(x0, x1, dx):
                point = (z * spacing[0], y * spacing[1], x * spacing[2])
                best, foot = distance[z, y, x], feet[z, y, x]
                # a foot is at most one step nearer here than there: most neighbours have nothing to offer
                if z != z0 and distance[z - dz, y, x] - spacing[0] < best:
                    best, foot = _nearer(discs, feet[z - dz, y, x], point, radius, best, foot)
                if y != y0 and distance[z, y - dy, x] - spacing[1] < best:
                    best, foot = _nearer(discs, feet[z, y - dy, x], point, radius, best, foot)
                if x != x0 and distance[z, y, x - dx] - spacing[2] < best:
                    best, foot = _nearer(discs, feet[z, y, x - dx], point, radius, best, foot)
                if foot != feet[z, y, x]:
                    feet[z, y, x] = foot
                    distance[z, y, x] = best


@njit(nogil=True, cache=True, inline="always")
def _nearer(
    discs: Array, other: int, point: tuple[float, float, float], radius: float, best: float, foot: int
) -> tuple[float, int]:
    """Distance and number of the nearer of two feet: the one so far, and another one."""
    if other < 0 or other == foot:
        return best, foot
    square = _squared_distance(discs, other, point, radius)
    return (np.sqrt(square), other) if square < best * best else (best, foot)


def volume_and_area(distance: Array, spacing_mm: tuple[float, float, float]) -> tuple[float, float]:
    """Volume in mm³ where a distance field, linearly interpolated, is negative, and the area of its surface in mm².

    Voxels are centred on the nodes; those next to the surface are divided into 4³ parts. What lies within the
    edge of a part from the surface has a share in both (linear ramp and hat), so that planes along the grid are
    exact, too.
    """
    width_mm = max(spacing_mm) / SUBSAMPLES
    volume, area = _integrate(distance, float(np.linalg.norm(spacing_mm)), width_mm)
    voxel_mm3 = float(np.prod(spacing_mm))
    return volume * voxel_mm3, area * voxel_mm3


@njit(nogil=True, cache=True)
def _integrate(distance: Array, reach: float, width: float) -> tuple[float, float]:
    """Volume in voxels, and area in voxels per mm."""
    depth, rows, columns = distance.shape
    volume = shell = 0.0
    for z in range(depth):
        for y in range(rows):
            for x in range(columns):
                here = distance[z, y, x]
                if abs(here) > reach:
                    volume += 1.0 if here < 0.0 else 0.0
                    continue
                for part in range(SUBSAMPLES**3):
                    value = _inside_voxel(distance, z, y, x, part)
                    volume += min(max(0.5 - value / width, 0.0), 1.0) / SUBSAMPLES**3
                    shell += max(1.0 - abs(value) / width, 0.0) / SUBSAMPLES**3
    return volume, shell / width


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
