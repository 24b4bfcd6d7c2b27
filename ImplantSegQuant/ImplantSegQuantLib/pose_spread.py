"""How sure a pose is: other poses that the same labels would support as well.

What disturbs the fit (corrosion, swelling, wrong labels) is correlated along the surface, so that single points say
little: whole patches of the surface are weighted anew at random, and the pose is refined again (Bayesian bootstrap,
Rubin 1981, doi:10.1214/aos/1176345338, of blocks as in Künsch 1989, doi:10.1214/aos/1176347265).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ImplantSegLib.volumes import FieldOfView
from ImplantSegQuantLib.align import final_stages, refine, sharpened
from ImplantSegQuantLib.fit import Pair, volumes
from ImplantSegQuantLib.pose import Pose
from ImplantSegQuantLib.surface import scan_of

if TYPE_CHECKING:
    from ImplantSegLib.volumes import Volume
    from ImplantSegQuantLib.reference import Reference

Array = np.ndarray[Any, Any]

PATCH_MM = 0.6
"""Edge of the patches: more than the length over which the depth of corrosion is correlated (about 0.45 mm)."""

POINTS = 6000
"""Surface points refined in every draw."""

VOLUME_DRAWS = 12
"""Draws behind the spread of the volume among the figures of a fit."""


def plausible_poses(
    segmentation: Volume, reference: Reference, pose: Pose, fov: FieldOfView | None, draws: int, seed: int
) -> list[Pose]:
    """Draw poses as plausible as the found one.

    Parameters
    ----------
    segmentation : Volume
        Labels, as for :func:`ImplantSegQuantLib.register.register`.
    reference : Reference
        The implant before it degraded.
    pose : Pose
        From the scan to the reference: found, or given by hand. The poses lie round it.
    fov : FieldOfView, optional
        Where the segmentation is valid; by default what its metadata says.
    draws : int
        Poses wanted.
    seed : int
        Same seed, same poses.

    Returns
    -------
    list of Pose
        Scan to reference, without figures of quality.
    """
    pair = Pair(scan_of(segmentation, fov or FieldOfView.of(segmentation)), reference.field)
    return [Pose(matrix) for matrix in spread(pair, pose.matrix, draws, seed)]


def spread(pair: Pair, matrix: Array, draws: int, seed: int) -> list[Array]:
    """Draw matrices (4, 4) round one, as :func:`plausible_poses` does."""
    points = pair.scan.points_mm[:POINTS]
    patches = _patches(points)
    best = _refined(pair, points, matrix, np.ones(len(points)))
    back, rng = np.linalg.inv(best), np.random.default_rng(seed)
    weights = (rng.exponential(size=patches.max() + 1)[patches] for _ in range(draws))
    return [_refined(pair, points, best, own) @ back @ matrix for own in weights]


def volume_spread_percent(pair: Pair, matrix: Array) -> float:
    """Give the standard deviation, in percent, of the reference's volume in the field of view over plausible poses."""
    first, *others = volumes(pair, [matrix, *spread(pair, matrix, VOLUME_DRAWS, seed=0)])
    return 100 * float(np.std(others)) / max(first, 1e-9)


def volume_changes_percent(
    segmentation: Volume, reference: Reference, pose: Pose, others: Sequence[Pose], fov: FieldOfView | None = None
) -> Array:
    """By how much the volume of the reference in the field of view differs in other poses, without a full pass.

    Parameters
    ----------
    segmentation, reference, pose, fov
        As for :func:`plausible_poses`.
    others : sequence of Pose
        Poses that are compared with ``pose``.

    Returns
    -------
    float64, shape (len(others),)
        100 · (V_i in that pose / V_i in ``pose`` − 1), right to about 0.01 where poses differ by a fraction of a
        voxel: from nodes of about 60 µm, the same for all poses.
    """
    pair = Pair(scan_of(segmentation, fov or FieldOfView.of(segmentation)), reference.field)
    first, *rest = volumes(pair, [pose.matrix, *(other.matrix for other in others)])
    return 100 * (np.array(rest) / first - 1)


def _refined(pair: Pair, points: Array, matrix: Array, weights: Array) -> Array:
    node_mm = pair.scan.node_mm
    start = refine(pair.field, points, matrix, final_stages(node_mm)[0][-2:], weights)
    return sharpened(pair.field, points, start, node_mm, weights).matrix


def _patches(points: Array) -> Array:
    """Give each point the number (N,) of its cube of ``PATCH_MM``, from 0 without gaps."""
    cubes = np.floor(points / PATCH_MM).astype(np.int64)
    return np.asarray(np.unique(cubes, axis=0, return_inverse=True)[1]).ravel()
