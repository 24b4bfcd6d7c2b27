"""Finds the rough pose without a start: along and about every candidate axis, both ways up.

With the axes of scan and reference laid on each other, two numbers are left, the height and the angle.
The surface of the scan is compared with the reference's distance field at all of them: the correlation
of the unrolled surfaces, but with the true distance, so that neither a partial view, nor a head, nor a
tip has to be unrolled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ImplantSegQuantLib.axis import Axis, frame
from ImplantSegQuantLib.field import DistanceField

Array = np.ndarray[Any, Any]

POINTS = 400
"""Surface points compared at every height and angle."""

HEIGHT_STEP_MM = 0.14
"""About a ninth of a thread's pitch."""

ANGLE_STEPS = 12
"""On a thread 30° is as much as a twelfth of the pitch."""

SCALE_MM = 0.15
"""Scale of the robust cost while the axis is known to a few degrees only."""


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
    found = []
    for way in (1.0, -1.0):
        scan_frame = frame(Axis(axis.point_mm, way * axis.direction))
        heights = _heights(points @ scan_frame[2, :3] + scan_frame[2, 3], target)
        found += _best_of_grid(field, points, scan_frame, heights, np.linalg.inv(frame(target[0])))[:keep]
    return found


def _heights(along: Array, target: tuple[Axis, float, float]) -> Array:
    """Shifts along the axis at which scan and reference overlap by half of the shorter one."""
    _, low, high = target
    half = 0.5 * min(float(np.ptp(along)), high - low)
    return np.arange(low + half - along.max(), high - half - along.min() + HEIGHT_STEP_MM, HEIGHT_STEP_MM)


def _best_of_grid(field: DistanceField, points: Array, first: Array, heights: Array, last: Array) -> list[Placement]:
    """Local minima over height and angle, the lowest first."""
    angles = np.arange(ANGLE_STEPS) * 2 * np.pi / ANGLE_STEPS
    matrices = [[last @ _screwed(height, angle) @ first for angle in angles] for height in heights]
    costs = np.array([[field.rigid_cost(points, matrix, SCALE_MM) for matrix in row] for row in matrices])
    # on a thread the costs run in valleys along the helix: one minimum for every height and angle nearby
    padded = np.pad(np.pad(costs, ((0, 0), (1, 1)), mode="wrap"), ((1, 1), (0, 0)), constant_values=np.inf)
    around = [padded[i : i + len(heights), j : j + ANGLE_STEPS] for i in range(3) for j in range(3)]
    lowest = np.argwhere(costs <= np.min(around, axis=0))
    ranked = sorted((float(costs[i, j]), i, j) for i, j in lowest)
    return [Placement(cost, matrices[i][j]) for cost, i, j in ranked]


def _screwed(height: float, angle: float) -> Array:
    """Turn about and shift along the z axis."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0, 0], [sin, cos, 0, 0], [0, 0, 1, height], [0, 0, 0, 1]])
