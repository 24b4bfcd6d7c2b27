"""Rigid fit of surface points to a distance field: Gauss–Newton with robust, one-sided weights.

Corrosion only takes material away, so a point inside the reference may be corrosion and loses its weight
fast; a point outside is an error of the pose, apart from a layer that swells a little. The weights are
those of Geman and McClure, 1/(1 + (r/s)²)² (see Black & Rangarajan 1996, doi:10.1007/BF00131148), with a
scale s that shrinks from step to step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ImplantSegQuantLib.field import DistanceField

Array = np.ndarray[Any, Any]

OUTSIDE = 2.0
"""The scale outside the reference is so much larger than inside: errors there are believed longer."""

DAMPING = 1e-4
"""Levenberg's damping relative to the mean curvature: a shank cannot slide along its own helix."""

MAX_STEP_MM = 0.3
"""Largest motion of a point in one step."""


def refine(
    field: DistanceField, points_mm: Array, matrix: Array, scales_mm: tuple[float, ...], steps: int = 6
) -> Array:
    """Move points onto the surface of a field.

    Parameters
    ----------
    field : DistanceField
        The reference.
    points_mm : array, shape (N, 3)
        Surface points (x, y, z) of the scan.
    matrix : array, shape (4, 4)
        Where to start: scan to reference.
    scales_mm : tuple of float
        Scale of the robust weights, stage after stage.
    steps : int
        Steps in every stage.

    Returns
    -------
    array, shape (4, 4)
        The fitted rigid matrix.
    """
    result = matrix
    for scale_mm in scales_mm:
        for _ in range(steps):
            motion = _step(field, points_mm, result, scale_mm)
            result = motion @ result
            if np.abs(motion - np.eye(4)).max() < 1e-6:
                break
    return result


def weights(distance_mm: Array, scale_mm: float) -> Array:
    """Weight of each point by its signed distance: falls fast inside the reference, slowly outside."""
    scale = np.where(distance_mm > 0, OUTSIDE * scale_mm, scale_mm)
    return np.asarray(1 / (1 + (distance_mm / scale) ** 2) ** 2)


def _step(field: DistanceField, points: Array, matrix: Array, scale_mm: float) -> Array:
    """One Gauss–Newton motion (4, 4) in the reference's world."""
    moved = points @ matrix[:3, :3].T + matrix[:3, 3]
    distance, gradient = field.sample_with_gradient(moved)
    centre = moved.mean(axis=0)
    arm = moved - centre
    length = max(float(np.sqrt((arm**2).sum(axis=1).mean())), 1e-6)
    # columns: rotation (as the motion at the arm's length, mm) and translation (mm)
    jacobian = np.hstack([np.cross(arm, gradient) / length, gradient])
    weighted = jacobian * weights(distance, scale_mm)[:, None]
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
