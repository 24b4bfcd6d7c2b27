"""Rigid fit of surface points to a distance field: Gauss–Newton with robust, one-sided weights.

The weights are those of Geman and McClure, 1/(1 + (r/s)²)² (see Black & Rangarajan 1996,
doi:10.1007/BF00131148). While the pose is rough they are wider outside the reference: corrosion only takes
material away, so that a point inside may be corrosion, but one outside is an error of the pose. In the last
stages they are narrower than a node, so that the fit rests on the sound flanks alone, and narrower outside,
where the layer swells in patches. Labels may also be a little too thick or too thin all over, which would
press a screw of which only the tip is seen along its axis: this offset is fitted together with the pose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ImplantSegQuantLib.field import DistanceField

Array = np.ndarray[Any, Any]

DAMPING = 1e-4
"""Levenberg's damping relative to the mean curvature: a shank cannot slide along its own helix."""

MAX_STEP_MM = 0.3
"""Largest motion of a point in one step."""

LAST_NODES = 0.4
"""Scale of the last stage, in nodes."""

SHARP = ((0.3, 0.5), (0.15, 0.5))
"""Scale in nodes, and how much larger it is outside, of the stages that look for sound flanks among swollen ones."""

SHARP_NODE_MM = 0.04
"""They need nodes that are not larger than what the layer swells: else sound and swollen flanks are one peak."""

SHARP_LIMIT_NODES = 0.5
"""They are believed when the offset changes by less than this: else they have found no sound flanks."""

OFFSET_LIMIT_NODES = 1.5
"""How thick or thin the labels may be all over, in nodes."""

SMALLEST_STEP = 1e-6
"""A stage ends when no number of the matrix changes by more in a step."""


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
    offset_limit_mm : float
        How thick or thin the labels may be all over; 0 keeps the offset as it is.
    """

    scale_mm: float
    outside: float = 1.0
    steps: int = 6
    offset_limit_mm: float = 0.0

    def weights(self, residual_mm: Array) -> Array:
        """Weight of each point by its residual (N,), positive outside."""
        scale = np.where(residual_mm > 0, self.outside * self.scale_mm, self.scale_mm)
        return np.asarray(1 / (1 + (residual_mm / scale) ** 2) ** 2)

    def limited(self, offset_mm: float) -> float:
        """Give an offset within the limit."""
        return min(max(offset_mm, -self.offset_limit_mm), self.offset_limit_mm)


class Alignment(NamedTuple):
    """A fitted pose."""

    matrix: Array
    """Scan to reference, shape (4, 4)."""
    offset_mm: float = 0.0
    """How far the scan's sound surface lies outside the reference all over."""


def refine(
    field: DistanceField, points_mm: Array, matrix: Array, stages: Sequence[Stage], weights: Array | None = None
) -> Alignment:
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
    weights : array, shape (N,), optional
        How much each point counts besides; by default all alike.
    """
    result = Alignment(matrix)
    for stage in stages:
        for _ in range(stage.steps):
            previous, result = result, _step(field, points_mm, result, stage, weights)
            if np.abs(result.matrix - previous.matrix).max() < SMALLEST_STEP:
                break
    return result


def offset_at(field: DistanceField, points_mm: Array, matrix: Array, stages: Sequence[Stage]) -> float:
    """Offset in mm of :class:`Alignment` for a pose that stays as it is."""
    distance, offset = field.sample(points_mm @ matrix[:3, :3].T + matrix[:3, 3]), 0.0
    for stage in stages:
        for _ in range(stage.steps if stage.offset_limit_mm else 0):
            offset = stage.limited(float(np.average(distance, weights=stage.weights(distance - offset))))
    return offset


def _step(
    field: DistanceField, points: Array, start: Alignment, stage: Stage, weights: Array | None = None
) -> Alignment:
    """One Gauss–Newton step of the motion in the reference's world and, where wanted, of the offset."""
    moved = points @ start.matrix[:3, :3].T + start.matrix[:3, 3]
    distance, gradient = field.sample_with_gradient(moved)
    residual = distance - start.offset_mm
    centre = moved.mean(axis=0)
    arm = moved - centre
    length = max(float(np.sqrt((arm**2).sum(axis=1).mean())), 1e-6)
    # columns: rotation (as the motion at the arm's length, mm), translation (mm), offset (mm)
    columns = [np.cross(arm, gradient) / length, gradient]
    if stage.offset_limit_mm:
        columns.append(np.full((len(points), 1), -1.0))
    jacobian = np.hstack(columns)
    robust = stage.weights(residual) if weights is None else weights * stage.weights(residual)
    weighted = jacobian * robust[:, None]
    normal = weighted.T @ jacobian
    normal += np.eye(len(normal)) * (DAMPING * np.trace(normal) / len(normal) + 1e-12)
    change = -np.linalg.solve(normal, weighted.T @ residual)
    twist = change[:6] * min(1.0, MAX_STEP_MM / max(float(np.abs(change[:6]).max()), 1e-12))
    matrix = motion(twist[:3] / length, twist[3:], centre) @ start.matrix
    offset = stage.limited(start.offset_mm + float(change[6])) if stage.offset_limit_mm else start.offset_mm
    return Alignment(matrix, offset)


def refine_finely(field: DistanceField, points_mm: Array, matrix: Array, node_mm: float) -> Alignment:
    """Refine a pose that is right to a few nodes to a fraction of one.

    Two ways lead there, and the one that ends with more of the surface on the reference is taken. The
    first serves a layer that swells in patches; the second, which believes points outside much longer, an
    implant that has lost so much that its corroded surface draws the pose inwards.
    """
    found = [refine(field, points_mm, matrix, stages) for stages in final_stages(node_mm)]
    best = min(found, key=lambda alignment: _cost(field, points_mm, alignment, LAST_NODES * node_mm))
    return sharpened(field, points_mm, best, node_mm)


def sharpened(
    field: DistanceField, points_mm: Array, start: Alignment, node_mm: float, weights: Array | None = None
) -> Alignment:
    """Refine what the other stages leave, so that it rests on sound flanks alone.

    Swelling makes the distances of the surface lopsided: a peak of sound flanks and a skirt outside of it. A
    symmetric scale would follow the skirt, and push the tip of a screw along its axis by some hundredths of a voxel
    for every percent of the surface that swells; one that is narrower outside stays on the peak.
    """
    if node_mm > SHARP_NODE_MM:
        return start
    limit = OFFSET_LIMIT_NODES * node_mm
    stages = [Stage(scale * node_mm, outside, steps=15, offset_limit_mm=limit) for scale, outside in SHARP]
    sharp = refine(field, points_mm, start.matrix, stages, weights)
    return sharp if abs(sharp.offset_mm - start.offset_mm) < SHARP_LIMIT_NODES * node_mm else start


def final_stages(node_mm: float) -> tuple[tuple[Stage, ...], tuple[Stage, ...]]:
    """Stages of the two ways of :func:`refine_finely`, for surface points known to a fraction of a node."""
    limit = OFFSET_LIMIT_NODES * node_mm
    last = Stage(LAST_NODES * node_mm, outside=0.75, steps=12, offset_limit_mm=limit)
    middle = (node_mm, 0.6 * node_mm)
    swollen = [Stage(scale, outside=0.75, steps=8, offset_limit_mm=limit) for scale in middle]
    corroded = [Stage(middle[0], outside=3.0, offset_limit_mm=limit), Stage(middle[1], 1.5, 8, limit)]
    wide = [max(scale, node_mm) for scale in (0.08, 0.06, 0.045)]
    return (
        (*(Stage(scale, outside=3.0) for scale in wide), *swollen, last),
        (*(Stage(scale, outside=6.0) for scale in wide), *corroded, last),
    )


def _cost(field: DistanceField, points: Array, alignment: Alignment, scale_mm: float) -> float:
    """Mean Geman–McClure cost in [0, 1] of the residuals."""
    matrix, offset = alignment
    square = (field.sample(points @ matrix[:3, :3].T + matrix[:3, 3]) - offset) ** 2
    return float(np.mean(square / (square + scale_mm**2)))


def motion(rotation: Array, translation: Array, centre: Array) -> Array:
    """Rigid matrix (4, 4): a rotation vector about a centre, then a translation."""
    from scipy.spatial.transform import Rotation

    result = np.eye(4)
    result[:3, :3] = Rotation.from_rotvec(rotation).as_matrix()
    result[:3, 3] = centre + translation - result[:3, :3] @ centre
    return result
