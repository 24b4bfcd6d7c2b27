"""The implant's surface unrolled about the axis of the reference: what is seen on it, by angle and height."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ImplantSegQuantLib.axis import Axis, frame

if TYPE_CHECKING:
    from ImplantSegQuantLib.mesh_file import Surface
    from ImplantSegQuantLib.pose import Pose

Array = np.ndarray[Any, Any]

ANGLES = (36, 180)
"""Bins round the axis, at least and at most."""

POINTS_PER_BIN = 4
"""Bins are so wide that they hold about as many points where they are spread evenly."""

MAX_HEIGHTS = 400
"""Bins along the axis at most; bins are squares on the mean circumference where that allows."""


@dataclass(frozen=True)
class Unrolled:
    """Means of a number over the bins of an unrolled surface.

    Parameters
    ----------
    values : float64, shape (heights, angles)
        Mean in every bin; NaN where there is no surface.
    heights_mm : float64, shape (heights + 1,)
        Edges of the bins along the reference's axis.
    radius_mm : float
        Mean distance of the surface from the axis.
    """

    values: Array
    heights_mm: Array
    radius_mm: float


def unrolled(points_mm: Array, values: Array, weights: Array, axis: Axis) -> Unrolled:
    """Average numbers on a surface by angle about, and height along, an axis.

    Parameters
    ----------
    points_mm : float, shape (N, 3)
        Points (x, y, z) of the surface, at least one, in the world of the axis.
    values, weights : float, shape (N,)
        What is averaged, and how much each point counts: its area.
    axis : Axis
        What the surface is unrolled about; angles run counter-clockwise about its direction.
    """
    x, y, z = (points_mm @ frame(axis)[:3, :3].T + frame(axis)[:3, 3]).T
    radius_mm = max(float(np.average(np.hypot(x, y), weights=weights)), 1e-6)
    low, high = float(z.min()), max(float(z.max()), float(z.min()) + 1e-6)
    slimness = (high - low) / (2 * np.pi * radius_mm)
    angles = int(np.clip(np.sqrt(len(z) / POINTS_PER_BIN / slimness), *ANGLES))
    heights = int(np.clip(angles * slimness, 1, MAX_HEIGHTS))
    edges = (np.linspace(low, high, heights + 1), np.linspace(-np.pi, np.pi, angles + 1))
    at = z, np.arctan2(y, x)
    total, _, _ = np.histogram2d(*at, bins=edges, weights=weights * values)
    weight, _, _ = np.histogram2d(*at, bins=edges, weights=weights)
    means = np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0)
    return Unrolled(means, edges[0], radius_mm)


def unrolled_cells(surface: Surface, name: str, pose: Pose, axis: Axis) -> Unrolled | None:
    """Unroll a number of a surface's cells, weighted with their areas; None where there is no cell."""
    if not len(surface.cells):
        return None
    corners = pose.apply(surface.points_mm.astype(np.float64))[surface.cells]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, -1] - corners[:, 0]), axis=1)
    return unrolled(corners.mean(axis=1), surface.cell_data[name].astype(np.float64), areas, axis)


def unrolled_points(surface: Surface, name: str, pose: Pose, axis: Axis) -> Unrolled | None:
    """Unroll a number of a surface's points in the field of view; None where there is none, or no such number."""
    seen = surface.point_data["inside_fov"] == 1
    if name not in surface.point_data or not seen.any():
        return None
    points = pose.apply(surface.points_mm[seen].astype(np.float64))
    return unrolled(points, surface.point_data[name][seen].astype(np.float64), np.ones(len(points)), axis)
