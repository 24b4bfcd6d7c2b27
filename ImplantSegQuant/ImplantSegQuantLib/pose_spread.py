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
from ImplantSegQuantLib.align import final_stages, refine
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
    scan = scan_of(segmentation, fov or FieldOfView.of(segmentation))
    pair = Pair(scan, reference.field)
    points = scan.points_mm[:POINTS]
    patches = _patches(points)
    best = _refined(pair, points, pose.matrix, np.ones(len(points)))
    rng = np.random.default_rng(seed)
    back = np.linalg.inv(best)
    result = []
    for _ in range(draws):
        weights = rng.exponential(size=patches.max() + 1)[patches]
        drawn = _refined(pair, points, best, weights)
        result.append(Pose(drawn @ back @ pose.matrix))
    return result


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
    stages = final_stages(pair.scan.node_mm)[0][-3:]
    return refine(pair.field, points, matrix, stages, weights).matrix


def _patches(points: Array) -> Array:
    """Give each point the number (N,) of its cube of ``PATCH_MM``, from 0 without gaps."""
    cubes = np.floor(points / PATCH_MM).astype(np.int64)
    return np.asarray(np.unique(cubes, axis=0, return_inverse=True)[1]).ravel()
