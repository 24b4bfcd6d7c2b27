"""Registration: where the reference screw lies in a scan, found without a manual start.

Candidate axes (:mod:`.axis`) → rough poses along and about each of them (:mod:`.search`) → robust
Gauss–Newton on the reference's distance field (:mod:`.align`), the best chosen by a two-way score
(:mod:`.fit`). Everything is deterministic: the same input gives the same pose.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from ImplantSegLib import progress
from ImplantSegLib.volumes import FieldOfView, Volume
from ImplantSegQuantLib.align import Stage, refine, refine_finely
from ImplantSegQuantLib.axis import Axis, axis_along, axis_of, candidates, directions
from ImplantSegQuantLib.checks import check_size
from ImplantSegQuantLib.fit import Pair, check, quality, volumes
from ImplantSegQuantLib.pose import Pose, load_pose, save_pose
from ImplantSegQuantLib.pose_spread import volume_spread_percent
from ImplantSegQuantLib.reference import Reference
from ImplantSegQuantLib.search import DIRECTIONS, Placement, coarsened, placements
from ImplantSegQuantLib.surface import scan_of

__all__ = ["Pose", "assess", "load_pose", "register", "save_pose"]

Array = np.ndarray[Any, Any]

_log = logging.getLogger(__name__)

KEPT_PLACEMENTS = 4
"""Rough poses refined further, for each axis and way up."""

KEPT_ROUGH = 80
"""Rough poses refined on a few points."""

KEPT_REFINED = 4
"""Refined poses that compete by the score at the end."""

AXIS_POINTS, ROUGH_POINTS, MIDDLE_POINTS, FINE_POINTS = 600, 700, 6000, 20_000
"""Surface points that an axis is fitted to; of the rough, the middle and the last refinement."""

RIVAL_SCORE = 0.02
"""A pose whose score is worse by less than this is a rival of the best (wrong poses in thin slabs: 0.1 and more)."""

ROUGH_STAGES = (Stage(0.3, outside=2.0), Stage(0.15, outside=2.0), Stage(0.08, outside=2.0))
"""From a rough pose; about half of the thread's depth at first."""

SCORE_SCALES_MM = (0.08, 0.06)
"""Scales of the score that chooses among roughly refined poses, and at the end."""


def register(
    segmentation: Volume,
    reference: Reference,
    fov: FieldOfView | None = None,
    initial: Pose | None = None,
    near: Pose | None = None,
) -> Pose:
    """Find the pose of the reference in a segmentation.

    Parameters
    ----------
    segmentation : Volume
        Labels; the implant is residual material and degradation layer (1 and 2) together.
    reference : Reference
        The implant before it degraded.
    fov : FieldOfView, optional
        Where the segmentation is valid; by default what its metadata says.
    initial : Pose, optional
        A manual start: then nothing is searched, only refined.
    near : Pose, optional
        A pose of the same screw in the same scan, found on other labels. The search goes on as without it; but of poses
        that these labels cannot tell apart, such as those along the helix of a bare shank, the one from there is taken,
        so that both tell of the same place on the screw.

    Returns
    -------
    Pose
        Scan to reference, with the figures of :func:`ImplantSegQuantLib.fit.quality`, ``volume_spread_percent``
        (standard deviation of the initial volume over poses as plausible as this one, see :mod:`.pose_spread`) and
        ``rival_volume_percent`` (range of the initial volume over this and other poses that fit nearly as well).

    Raises
    ------
    InputError
        When there is no implant, the units differ, or no pose fits.
    """
    with progress.stage("register", 4) as advance:
        scan = scan_of(segmentation, fov or FieldOfView.of(segmentation))
        check_size(scan.size_mm, reference)
        pair = Pair(scan, reference.field)
        if initial is None:
            advance(note="searching")
            rough = _searched(pair, segmentation)
        else:
            _log.info("nothing is searched: the pose is refined from the given start")
            rough = [np.asarray(initial.matrix, float)]
            advance(note="start given, nothing searched")
        advance(note="refining")
        matrix, rivals = _refined(pair, rough)
        if near is not None:
            matrix, rivals = _nearest(pair, matrix, near), [matrix, *rivals]
        advance(note="checking")
        figures = _figures(pair, matrix) | {"rival_volume_percent": _volume_range(pair, [matrix, *rivals])}
        advance()
    check(figures, reference.source, scan.node_mm)
    return Pose(matrix, figures)


def assess(segmentation: Volume, reference: Reference, pose: Pose, fov: FieldOfView | None = None) -> dict[str, float]:
    """Figures of :func:`register` for a pose that was not found here; rivals are unknown then."""
    scan = scan_of(segmentation, fov or FieldOfView.of(segmentation))
    return _figures(Pair(scan, reference.field), pose.matrix)


def _figures(pair: Pair, matrix: Array) -> dict[str, float]:
    return quality(pair, matrix) | {"volume_spread_percent": volume_spread_percent(pair, matrix)}


def _volume_range(pair: Pair, matrices: list[Array]) -> float:
    """Range of the reference's volume in the field of view over poses, in percent of the first."""
    found = volumes(pair, matrices)
    return 100 * float(np.ptp(found)) / max(found[0], 1e-9)


def _searched(pair: Pair, segmentation: Volume) -> list[Array]:
    """Rough poses from every axis, refined on a few points; the best by the two-way score first."""
    grid_axes = np.asarray(segmentation.direction).T[::-1]
    scan, target, rough = pair.scan, _reference_axis(pair), coarsened(pair.field)
    axes = candidates(scan.points_mm, scan.inside_mm, grid_axes)
    axes += [axis_along(scan.points_mm[:AXIS_POINTS], direction) for direction in directions(DIRECTIONS)]
    found: list[Placement] = []
    for axis in axes:
        found += placements(rough, scan.points_mm, axis, target, KEPT_PLACEMENTS)
    found.sort(key=lambda placement: placement.cost)
    points = scan.points_mm[:ROUGH_POINTS]
    refined = [refine(pair.field, points, start.matrix, ROUGH_STAGES).matrix for start in found[:KEPT_ROUGH]]
    refined.sort(key=lambda matrix: pair.score(matrix, SCORE_SCALES_MM[0]))
    return refined[:KEPT_REFINED]


def _refined(pair: Pair, rough: list[Array]) -> tuple[Array, list[Array]]:
    """Refine rough poses on more points, choose one by the score, and refine it to a fraction of a voxel.

    The others come with it as rivals where their score is hardly worse.
    """
    points = pair.scan.points_mm
    stages = (*ROUGH_STAGES, Stage(0.06))
    close = [refine(pair.field, points[:MIDDLE_POINTS], matrix, stages).matrix for matrix in rough]
    scores = [pair.score(matrix, SCORE_SCALES_MM[1]) for matrix in close]
    best = int(np.argmin(scores))
    found = refine_finely(pair.field, points[:FINE_POINTS], close[best], pair.scan.node_mm).matrix
    near = [i for i, score in enumerate(scores) if i != best and score < scores[best] + RIVAL_SCORE]
    rivals = [refine_finely(pair.field, points[:MIDDLE_POINTS], close[i], pair.scan.node_mm).matrix for i in near]
    return found, rivals


def _nearest(pair: Pair, found: Array, near: Pose) -> Array:
    """Refine a pose from other labels, and take it where it is a rival of the found one."""
    points = pair.scan.points_mm[:FINE_POINTS]
    other = refine_finely(pair.field, points, np.asarray(near.matrix, float), pair.scan.node_mm).matrix
    scores = [pair.score(matrix, SCORE_SCALES_MM[1]) for matrix in (found, other)]
    return other if scores[1] <= scores[0] + RIVAL_SCORE else found


def _reference_axis(pair: Pair) -> tuple[Axis, float, float]:
    """Axis of the reference, and its lowest and highest position on it."""
    points = pair.reference_points
    axis = axis_of(pair.field, points)
    along = (points - axis.point_mm) @ axis.direction
    return axis, float(along.min()), float(along.max())
