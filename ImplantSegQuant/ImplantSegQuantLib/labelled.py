"""A distance field from a label volume: where the surface runs between its voxels."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Volume
from ImplantSegQuantLib.field import DistanceField
from ImplantSegQuantLib.implicit import MARGIN_MM
from ImplantSegQuantLib.occupancy import SLAB_SLICES, Blocks, occupancy
from ImplantSegQuantLib.redistance import signed_distance, volume_and_area

Array = np.ndarray[Any, Any]

MAX_NODES = 50_000_000
"""Nodes of a distance field; 200 MB as float32. Averaging goes in whole voxels, so most fields are smaller."""

SMOOTHING_NODES = 0.8
"""Standard deviation of the Gaussian that takes the stair steps from binary voxels, in nodes."""

CUT_SHARE = 0.15
"""A face of the volume cuts the implant when the section there exceeds this share of the largest one."""

CONTINUED_NODES = 4
"""Nodes by which the implant is continued beyond a cut, so that smoothing sees no end."""

_log = logging.getLogger(__name__)


def field_of_labels(volume: Volume) -> DistanceField:
    """Signed distance from the surface of the non-zero voxels.

    The volume is cropped to the implant with a margin, averaged down to at most ``MAX_NODES`` nodes and
    smoothed a little; the level is then shifted until the volume equals that of the voxels. Where the
    implant is cut by the volume's border there is no surface.

    Raises
    ------
    InputError
        When no voxel is set.
    """
    sections = _sections(volume)
    box = np.array([_first_and_last(section) for section in sections])
    cut = _cut_faces(sections)
    blocks = _blocks(volume, box, cut)
    share = occupancy(volume, blocks, lambda slab, _: slab != 0)
    spacing_mm = blocks.spacing_mm(volume)
    wanted_mm3 = float(share.sum(dtype=np.float64)) * float(np.prod(spacing_mm))
    values = signed_distance(_level(share), spacing_mm)
    got_mm3, area_mm2 = volume_and_area(values, spacing_mm)
    if not area_mm2 > 0:
        size = " × ".join(str(last - first + 1) for first, last in box)
        raise InputError(
            f"the reference is too small: nothing of its {size} voxels (z, y, x) is left when single ones are smoothed "
            "away",
            "pass a label volume with smaller voxels, a mesh or screw:KEY=VALUE,...",
        )
    values -= np.float32((wanted_mm3 - got_mm3) / area_mm2)
    limits = np.where(cut, blocks.node_of_face(volume.shape), [-1e9, 1e9])
    return DistanceField(values, spacing_mm, np.linalg.inv(blocks.world_from_index(volume)), limits)


def _sections(volume: Volume) -> list[Array]:
    """Count the set voxels in every slice across (z, y, x)."""
    counts = [np.zeros(n, np.int64) for n in volume.shape]
    for z, slab in volume.slabs(SLAB_SLICES):
        inside = slab != 0
        counts[0][z] = inside.sum(axis=(1, 2))
        plane = inside.sum(axis=0)
        counts[1] += plane.sum(axis=1)
        counts[2] += plane.sum(axis=0)
    if not counts[0].any():
        raise InputError(
            f"the reference is empty: no voxel is set in {volume.describe_grid()}",
            "pass a label volume whose non-zero voxels are the screw",
        )
    return counts


def _first_and_last(section: Array) -> tuple[int, int]:
    set_slices = np.flatnonzero(section)
    return int(set_slices[0]), int(set_slices[-1])


def _cut_faces(sections: list[Array]) -> Array:
    """Which faces (3, 2) of the volume cut the implant, rather than just touch it."""
    cut = np.array([[section[0], section[-1]] > CUT_SHARE * section.max() for section in sections])
    for axis, side in np.argwhere(cut):
        _log.warning(
            "the reference is cut off at its %s face along %s: no surface there (if it ends there, leave a margin)",
            ("first", "last")[side],
            "zyx"[axis],
        )
    return cut


def _blocks(volume: Volume, box: Array, cut: Array) -> Blocks:
    """Grid over the implant with a margin, of as many voxels per node as its size asks for."""
    spacing = np.array(volume.spacing_mm)
    size_mm = (box[:, 1] - box[:, 0] + 1) * spacing
    margin_mm = min(MARGIN_MM, float(size_mm.max()))
    nodes = np.prod((size_mm + 2 * margin_mm) / spacing)
    factor = max(1, int(np.ceil((nodes / MAX_NODES) ** (1 / 3))))
    margin = np.where(cut, CONTINUED_NODES * factor, np.ceil(margin_mm / spacing).astype(int)[:, None])
    first = box[:, 0] - margin[:, 0]
    count = -(-(box[:, 1] + margin[:, 1] + 1 - first) // factor)
    start, shape = (tuple(int(n) for n in numbers) for numbers in (first, count))
    return Blocks(factor, start, shape, cut)  # type: ignore[arg-type]


def _level(share: Array) -> Array:
    """Turn a share into values that are negative where the smoothed share is above one half; it is overwritten."""
    from scipy.ndimage import gaussian_filter

    gaussian_filter(share, SMOOTHING_NODES, mode="nearest", truncate=3.0, output=share)
    return np.subtract(np.float32(0.5), share, out=share)
