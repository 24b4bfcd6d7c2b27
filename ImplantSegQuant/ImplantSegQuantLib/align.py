"""Rigid fit of surface points to a distance field: Gauss–Newton with robust, one-sided weights.

The weights are those of Geman and McClure, 1/(1 + (r/s)²)² (see Black & Rangarajan 1996,
doi:10.1007/BF00131148). While the pose is rough they are one-sided: corrosion only takes material away, so
that a point inside the reference may be corrosion, but one outside is an error of the pose. In the last
stages they are equal on both sides, because the layer also swells, and narrower than a node: the fit then
rests on the sound flanks alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ImplantSegQuantLib.field import DistanceField

Array = np.ndarray[Any, Any]

DAMPING = 1e-4
"""Levenberg's damping relative to the mean curvature: a shank cannot slide along its own helix."""

MAX_STEP_MM = 0.3
"""Largest motion of a point in one step."""

SMALLEST_STEP = 1e-6
"""A stage ends when no number of the motion's matrix (mm, radians) changes by more."""


@dataclass(frozen=True)
class Stage:
    """Weights and length of one stage of the fit.

    Parameters
    ----------
    scale_mm : float
        Distance at which a point inside the reference has lost three quarters of its weight.
    outside : float
        How much larger the scale is outside the reference.
    steps : int
        Gauss–Newton steps at most.
    """

    scale_mm: float
    outside: float = 1.0
    steps: int = 6

    def weights(self, distance_mm: Array) -> Array:
        """Weight of each point by its signed distance (N,)."""
        scale = np.where(distance_mm > 0, self.outside * self.scale_mm, self.scale_mm)
        return np.asarray(1 / (1 + (distance_mm / scale) ** 2) ** 2)


def refine(field: DistanceField, points_mm: Array, matrix: Array, stages: Sequence[Stage]) -> Array:
    """Move points onto the surface of a field.

    Parameters
    ----------
    field : DistanceField
        The reference.
    points_mm : array, shape (N, 3)
        Surface points (x, y, z) of the scan.
    matrix : array, shape (4, 4)
        Where to start: scan to reference.
    stages : sequence of Stage
        From wide to narrow weights.

    Returns
    -------
    array, shape (4, 4)
        The fitted rigid matrix.
    """
    result = matrix
    for stage in stages:
        for _ in range(stage.steps):
            step = _step(field, points_mm, result, stage)
            result = step @ result
            if np.abs(step - np.eye(4)).max() < SMALLEST_STEP:
                break
    return result


def _step(field: DistanceField, points: Array, matrix: Array, stage: Stage) -> Array:
    """One Gauss–Newton motion (4, 4) in the reference's world."""
    moved = points @ matrix[:3, :3].T + matrix[:3, 3]
    distance, gradient = field.sample_with_gradient(moved)
    centre = moved.mean(axis=0)
    arm = moved - centre
    length = max(float(np.sqrt((arm**2).sum(axis=1).mean())), 1e-6)
    # columns: rotation (as the motion at the arm's length, mm) and translation (mm)
    jacobian = np.hstack([np.cross(arm, gradient) / length, gradient])
    weighted = jacobian * stage.weights(distance)[:, None]
    normal = weighted.T @ jacobian
    normal += np.eye(6) * (DAMPING * np.trace(normal) / 6 + 1e-12)
    twist = -np.linalg.solve(normal, weighted.T @ distance)
    twist *= min(1.0, MAX_STEP_MM / max(float(np.abs(twist).max()), 1e-12))
    return motion(twist[:3] / length, twist[3:], centre)


def motion(rotation: Array, translation: Array, centre: Array) -> Array:
    """Rigid matrix (4, 4): a rotation vector about a centre, then a translation."""
    from scipy.spatial.transform import Rotation

    result = np.eye(4)
    result[:3, :3] = Rotation.from_rotvec(rotation).as_matrix()
    result[:3, 3] = centre + translation - result[:3, :3] @ centre
    return result
