"""Finds rough poses without a start: along and about every axis that the screw may have, both ways up.

With the axes of scan and reference laid on each other, two numbers are left, the height and the angle.
The surface of the scan is compared with the reference's distance field at all of them: the correlation
of the unrolled surfaces, but with the true distance, so that neither a partial view, nor a head, nor a
tip has to be unrolled.

Axes are guessed from the shape of the implant (:mod:`.axis`), and besides taken in every direction: in a slab
thinner than a turn of the thread no guess can be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ImplantSegQuantLib.axis import Axis, frame
from ImplantSegQuantLib.field import DistanceField

Array = np.ndarray[Any, Any]

POINTS = 200
"""Surface points compared at every height and angle."""

FIELD_MM = 0.08
"""Node distance of the field that they are compared with: fine enough for ``SCALE_MM``, and in the cache."""

DIRECTIONS = 92
"""Axes in all directions, 15° apart: half of that is what the refinement corrects."""

HEIGHT_STEP_MM = 0.14
"""About a ninth of a thread's pitch."""

ANGLE_STEPS = 12
"""On a thread 30° is as much as a twelfth of the pitch."""

SCALE_MM = 0.15
"""Scale of the robust cost while the axis is known to a few degrees only."""


def coarsened(field: DistanceField) -> DistanceField:
    """Give every n-th node of a field, so that they are about ``FIELD_MM`` apart."""
    step = max(1, round(FIELD_MM / max(field.spacing_mm)))
    z, y, x = (step * size for size in field.spacing_mm)
    values = np.ascontiguousarray(field.values[::step, ::step, ::step])
    index_from_world = np.diag([1 / step] * 3 + [1.0]) @ field.index_from_world
    return DistanceField(values, (z, y, x), index_from_world, field.limits / step)


@dataclass(frozen=True)
class Placement:
    """A rough pose and its mean robust cost in [0, 1]."""

    cost: float
    matrix: Array


def placements(
    field: DistanceField, points_mm: Array, axis: Axis, target: tuple[Axis, float, float], keep: int
) -> list[Placement]:
    """Best rough poses with the scan's axis on the reference's.

    Parameters
    ----------
    field : DistanceField
        The reference.
    points_mm : array, shape (N, 3)
        Surface points of the scan in a mixed order.
    axis : Axis
        Candidate in the scan.
    target : (Axis, float, float)
        The reference's axis, and the lowest and highest position on it in mm.
    keep : int
        Poses kept for each way up.
    """
    points = points_mm[:POINTS]
    back = np.linalg.inv(frame(target[0]))
    found = []
    for way in (1.0, -1.0):
        scan_frame = frame(Axis(axis.point_mm, way * axis.direction))
        local = points @ scan_frame[:3, :3].T + scan_frame[:3, 3]
        found += _best_of_grid(field, local, _heights(local[:, 2], target), scan_frame, back)[:keep]
    return found


def _heights(along: Array, target: tuple[Axis, float, float]) -> Array:
    """Shifts along the axis at which scan and reference overlap by half of the shorter one."""
    _, low, high = target
    half = 0.5 * min(float(np.ptp(along)), high - low)
    return np.arange(low + half - along.max(), high - half - along.min() + HEIGHT_STEP_MM, HEIGHT_STEP_MM)


def _best_of_grid(field: DistanceField, local: Array, heights: Array, first: Array, last: Array) -> list[Placement]:
    """Local minima over height and angle, the lowest first."""
    from ImplantSegQuantLib.search_kernels import grid_costs

    angles = np.arange(ANGLE_STEPS) * 2 * np.pi / ANGLE_STEPS
    costs = grid_costs(field.values, local, angles, heights, field.index_from_world @ last, SCALE_MM)
    # on a thread the costs run in valleys along the helix: one minimum for every height and angle nearby
    padded = np.pad(np.pad(costs, ((0, 0), (1, 1)), mode="wrap"), ((1, 1), (0, 0)), constant_values=np.inf)
    around = [padded[i : i + len(heights), j : j + ANGLE_STEPS] for i in range(3) for j in range(3)]
    lowest = np.argwhere(costs <= np.min(around, axis=0))
    ranked = sorted((float(costs[i, j]), i, j) for i, j in lowest)
    return [Placement(cost, last @ _screwed(heights[i], angles[j]) @ first) for cost, i, j in ranked]


def _screwed(height: float, angle: float) -> Array:
    """Turn about and shift along the z axis."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0, 0], [sin, cos, 0, 0], [0, 0, 1, height], [0, 0, 0, 1]])
