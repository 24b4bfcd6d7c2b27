"""Where the axis of a screw may run, told from points of its surface: several candidates, pooled.

A line through slice centroids is right where the whole cross-section is seen; the cylinder with the least
spread of radii also where the field of view cuts the screw along its length; principal moments where the
screw is longer than wide. None is right always, so that all go into the search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ImplantSegQuantLib.field import DistanceField

Array = np.ndarray[Any, Any]

CYLINDER_POINTS = 600
"""Surface points used to fit a cylinder."""

STARTS = 12
"""Directions from which a cylinder is fitted: about 40° apart, well inside what the fit can turn."""

SAME_AXIS_DEG = 3.0
"""Axes nearer than this in direction (and ``SAME_AXIS_MM`` in place) are one candidate."""

SAME_AXIS_MM = 0.15


@dataclass(frozen=True)
class Axis:
    """A line in space: a point on it (x, y, z) in mm and a unit direction."""

    point_mm: Array
    direction: Array


def candidates(points_mm: Array, inside_mm: Array, grid_axes: Array) -> list[Axis]:
    """Axes that the implant may have, likeliest first, without repetitions.

    Parameters
    ----------
    points_mm, inside_mm : array, shapes (N, 3) and (M, 3)
        Points (x, y, z) on the surface and inside the implant.
    grid_axes : array, shape (3, 3)
        Row i is the world direction along which slices number i are stacked.
    """
    found = [_cylinder(points_mm[:CYLINDER_POINTS], start) for start in directions(STARTS)]
    found.sort(key=lambda fitted: fitted[0])
    pooled = [axis for _, axis in found[:6]]
    centre = inside_mm.mean(axis=0)
    moments = np.linalg.svd(inside_mm[:20_000] - centre, full_matrices=False)[2]
    for direction in (*grid_axes, moments[0], moments[2]):
        pooled.extend(_centroid_lines(inside_mm, direction))
        pooled.append(Axis(centre, direction))
    return _distinct(pooled, centre)


def axis_of(field: DistanceField, points_mm: Array) -> Axis:
    """Axis of a reference, the likeliest of its candidates, from its field and mixed points (N, 3) of its surface."""
    nodes = np.argwhere(field.values[::2, ::2, ::2] < 0) * 2.0
    world = np.linalg.inv(field.index_from_world)
    return candidates(points_mm, nodes @ world[:3, :3].T + world[:3, 3], np.eye(3)[::-1])[0]


def directions(count: int) -> Array:
    """Spread unit vectors (count, 3) evenly over a half-sphere (Fibonacci lattice)."""
    steps = np.arange(count) + 0.5
    height = steps / count
    angle = np.pi * (1 + np.sqrt(5)) * steps
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)


def frame(axis: Axis) -> Array:
    """Rigid matrix (4, 4) that takes the world to a frame whose z axis is the axis and whose origin is its point."""
    helper = np.eye(3)[np.argmin(np.abs(axis.direction))]
    first = np.cross(axis.direction, helper)
    first /= np.linalg.norm(first)
    rotation = np.array([first, np.cross(axis.direction, first), axis.direction])
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = -rotation @ axis.point_mm
    return matrix


def _cylinder(points: Array, start: Array) -> tuple[float, Axis]:
    """Spread of the radii, and axis, of the cylinder round points nearest to a starting direction."""
    from scipy.optimize import least_squares

    centre = points.mean(axis=0)
    local = (points - centre) @ frame(Axis(np.zeros(3), start))[:3, :3].T

    def radii(parameters: Array) -> Array:
        tilt_x, tilt_y, x, y = parameters
        direction = np.array([tilt_x, tilt_y, 1.0]) / np.sqrt(1 + tilt_x**2 + tilt_y**2)
        return np.asarray(np.linalg.norm(np.cross(local - [x, y, 0.0], direction), axis=1))

    def spread(parameters: Array) -> Array:
        radius = radii(parameters)
        return np.asarray(radius - np.median(radius))

    fit = least_squares(spread, np.zeros(4), loss="soft_l1", f_scale=0.2, max_nfev=25)
    direction = np.array([fit.x[0], fit.x[1], 1.0])
    back = frame(Axis(np.zeros(3), start))[:3, :3].T
    axis = Axis(centre + back @ [fit.x[2], fit.x[3], 0.0], _unit(back @ direction))
    return float(fit.cost), axis


def axis_along(points: Array, direction: Array) -> Axis:
    """Lay an axis along a direction through the middle of points (N, 3): Kåsa's circle, those far off weighted down."""
    rotation = frame(Axis(np.zeros(3), direction))[:3, :3]
    across = points @ rotation[:2].T
    columns = np.column_stack([2 * across, np.ones(len(points))])
    square, weights = (across**2).sum(axis=1), np.ones(len(points))
    for _ in range(5):
        weighted = columns * weights[:, None]
        *centre, _ = np.linalg.lstsq(weighted.T @ columns, weighted.T @ square)[0]
        radius = np.linalg.norm(across - centre, axis=1)
        off = np.abs(radius - np.median(radius))
        weights = 1 / (1 + (off / max(float(np.median(off)), 1e-6)) ** 2)
    foot = np.array(centre) @ rotation[:2] + np.median(points @ direction) * direction
    return Axis(foot, direction)


def _centroid_lines(inside: Array, direction: Array) -> list[Axis]:
    """Robust lines through the centroids of slices across a direction: of all slices, and of the narrow ones."""
    height = (inside - inside.mean(axis=0)) @ direction
    low, high = np.percentile(height, [1, 99])
    slices = np.clip(((height - low) / max(high - low, 1e-9) * 40).astype(int), 0, 39)
    counts = np.bincount(slices, minlength=40)
    sums = np.stack([np.bincount(slices, weights=inside[:, i], minlength=40) for i in range(3)], axis=1)
    centroids = sums / np.maximum(counts, 1)[:, None]
    full = counts > 0.3 * np.median(counts)
    narrow = full & (counts <= np.median(counts[full]))  # a head is wider than the shank
    return [_line(centroids[chosen]) for chosen in (full, narrow) if chosen.sum() >= 8]


def _line(points: Array) -> Axis:
    """Line through points, those far off weighted down again and again."""
    weights = np.ones(len(points))
    for _ in range(15):
        centre = np.average(points, axis=0, weights=weights)
        direction = np.linalg.svd((points - centre) * np.sqrt(weights)[:, None], full_matrices=False)[2][0]
        off = np.linalg.norm(np.cross(points - centre, direction), axis=1)
        weights = 1 / (1 + (off / max(float(np.median(off)), 1e-6)) ** 2)
    return Axis(centre, direction)


def _distinct(axes: list[Axis], centre: Array) -> list[Axis]:
    """Keep the first of those that are nearly the same line."""
    kept: list[Axis] = []
    for axis in axes:
        foot = axis.point_mm + axis.direction * ((centre - axis.point_mm) @ axis.direction)
        if not any(
            abs(other.direction @ axis.direction) > np.cos(np.radians(SAME_AXIS_DEG))
            and np.linalg.norm(other.point_mm - foot) < SAME_AXIS_MM
            for other in kept
        ):
            kept.append(Axis(foot, axis.direction))
    return kept


def _unit(vector: Array) -> Array:
    return np.asarray(vector / np.linalg.norm(vector))
