"""What registration sees of a segmentation: its implant as a smooth share, surface points, and a distance field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegLib.labels import IMPLANT
from ImplantSegLib.volumes import FieldOfView, Volume
from ImplantSegQuantLib.field import NO_SURFACE_MM, DistanceField
from ImplantSegQuantLib.occupancy import Blocks, occupancy, whole
from ImplantSegQuantLib.redistance import signed_distance

Array = np.ndarray[Any, Any]

FINE_MM = 0.02
"""Voxels are averaged up to about this size: stair steps and single mislabelled voxels go, threads stay."""

MAX_FINE_NODES = 16_000_000
"""Upper limit for the averaged segmentation."""

COARSE_MM = 0.06
"""Node distance of the segmentation's own distance field."""

SMOOTHING_NODES = 0.9
"""Standard deviation of the Gaussian on the averaged voxels: a single mislabelled voxel stays below one half."""

FRAGMENT_SHARE = 0.05
"""Pieces smaller than this share of the largest one are mislabelled bone or debris, and are left out."""

LEAST_POINTS = 100
"""Points of the surface, and nodes inside, below which six numbers of a pose are a guess."""


@dataclass(frozen=True)
class Scan:
    """A segmentation as registration uses it.

    Parameters
    ----------
    points_mm : float64, shape (N, 3)
        Points (x, y, z) of the implant's surface in the world of the scan, in an order that mixes places,
        so that the first n are a sample of all. The faces of the field of view are no surface.
    field : DistanceField
        Signed distance from the implant's surface; 1000 mm outside the field of view.
    inside_mm : float64, shape (M, 3)
        A sample of points inside the implant, in the same kind of order.
    node_mm : float
        Node distance of the averaged voxels.
    size_mm : float
        Diagonal of the box round the implant.
    """

    points_mm: Array
    field: DistanceField
    inside_mm: Array
    node_mm: float
    size_mm: float


def scan_of(segmentation: Volume, fov: FieldOfView) -> Scan:
    """Average a segmentation and find the surface of its implant (labels 1 and 2).

    Raises
    ------
    InputError
        When no voxel in the field of view is implant, or too few of them to be located, or none borders on others.
    """
    nodes = averaged(segmentation, fov)
    if not (nodes.share > 0).any():
        raise InputError(
            "the segmentation has no implant (labels 1 and 2) in its field of view",
            "pass a segmentation with labels 0 background, 1 residual material, 2 degradation layer, 3 bone",
        )
    known, world = nodes.known, nodes.world_from_index
    share = _without_fragments(nodes.share, known)
    points = _mixed(_crossings(share, known))
    inside = _mixed(np.argwhere((share > 0.5) & known).astype(float))
    _check_enough(points, inside)
    inside_mm = inside @ world[:3, :3].T + world[:3, 3]
    return Scan(
        points_mm=points @ world[:3, :3].T + world[:3, 3],
        field=_field(share, known, nodes.spacing_mm, world),
        inside_mm=inside_mm,
        node_mm=max(nodes.spacing_mm),
        size_mm=float(np.linalg.norm(np.ptp(inside_mm, axis=0))),
    )


class Averaged(NamedTuple):
    """Some labels of a segmentation on a grid of nodes, each the mean of a block of voxels, smoothed."""

    share: Array
    """Share of the labels round every node, float32 (Z, Y, X), 0 to 1, from what lies in the field of view."""
    known: Array
    """Whether a node lies in the field of view, bool (Z, Y, X)."""
    spacing_mm: tuple[float, float, float]
    """Distance of the nodes along (z, y, x)."""
    world_from_index: Array
    """Takes a node (z, y, x, 1) to the world (x, y, z, 1), float64 (4, 4)."""


def averaged(segmentation: Volume, fov: FieldOfView, labels: Sequence[int] = IMPLANT) -> Averaged:
    """Average a segmentation over blocks of voxels of about ``FINE_MM``, and smooth it."""
    blocks, shape = whole(segmentation, _factor(segmentation)), segmentation.shape

    def chosen(slab: Array, z: slice) -> Array:
        mask = fov.slab_mask(z, shape)
        found = np.isin(slab, labels)
        return found if mask is None else found & mask

    seen = _seen(segmentation, blocks, fov)
    share = _smoothed(occupancy(segmentation, blocks, chosen), seen)
    return Averaged(share, seen > 0.5, blocks.spacing_mm(segmentation), blocks.world_from_index(segmentation))


def _check_enough(points: Array, inside: Array) -> None:
    if len(inside) < LEAST_POINTS:
        raise InputError(
            f"the implant (labels 1 and 2) in the field of view is too small to be located: {len(inside)} voxels "
            f"are left when single ones are smoothed away, wanted at least {LEAST_POINTS}",
            "check the labels, the field of view and the model",
        )
    if len(points) < LEAST_POINTS:
        raise InputError(
            f"the implant (labels 1 and 2) has no surface in the field of view: {len(points)} points of it, wanted at "
            f"least {LEAST_POINTS}",
            "pass a segmentation with labels 0 and 3 around the implant",
        )


def surface_points(field: DistanceField) -> Array:
    """Points (N, 3), (x, y, z) in mm, of the zero level of a field, in a mixed order."""
    world = np.linalg.inv(field.index_from_world)
    points = _mixed(_crossings(0.5 - field.values, np.ones(field.values.shape, bool)))
    known = ((points >= field.limits[:, 0]) & (points <= field.limits[:, 1])).all(axis=1)
    return np.asarray(points[known] @ world[:3, :3].T + world[:3, 3])


def _factor(volume: Volume) -> int:
    by_size = round(FINE_MM / min(volume.spacing_mm))
    by_memory = int(np.ceil((np.prod(volume.shape) / MAX_FINE_NODES) ** (1 / 3)))
    return max(1, by_size, by_memory)


def _seen(segmentation: Volume, blocks: Blocks, fov: FieldOfView) -> Array:
    """Share of every node that lies in the field of view."""
    shape = segmentation.shape
    if fov.slab_mask(slice(0, 1), shape) is None:
        return np.ones(blocks.count, np.float32)
    return occupancy(segmentation, blocks, lambda _, z: np.asarray(fov.slab_mask(z, shape)))


def _smoothed(share: Array, seen: Array) -> Array:
    """Gaussian mean over what is seen, so that the field of view's border is no edge."""
    from scipy.ndimage import gaussian_filter

    total = gaussian_filter(share, SMOOTHING_NODES, mode="nearest", truncate=3.0)
    if seen.min() == 1.0:
        return np.asarray(total)
    weight = gaussian_filter(seen, SMOOTHING_NODES, mode="nearest", truncate=3.0)
    return np.divide(total, weight, out=np.zeros_like(total), where=weight > 1e-3)


def _without_fragments(share: Array, known: Array) -> Array:
    """Push pieces of implant that are much smaller than the largest one below one half."""
    import cc3d

    pieces = cc3d.connected_components((share > 0.5) & known, connectivity=6)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    if not sizes.any():
        return share
    small = sizes < FRAGMENT_SHARE * sizes.max()
    small[0] = False
    return np.where(small[pieces], np.float32(0.49), share)


def _crossings(share: Array, known: Array) -> Array:
    """Points (N, 3), as node indices (z, y, x), where the share passes one half between two known nodes."""
    found = []
    for axis in range(3):
        here = share[_part(axis, None, -1)]
        there, both = share[_part(axis, 1, None)], known[_part(axis, None, -1)] & known[_part(axis, 1, None)]
        nodes = np.nonzero(((here > 0.5) != (there > 0.5)) & both)
        start, end = here[nodes], there[nodes]
        points = np.array(nodes, float).T
        points[:, axis] += (start - 0.5) / (start - end)
        found.append(points)
    return np.concatenate(found)


def _part(axis: int, start: int | None, stop: int | None) -> tuple[slice, ...]:
    part = [slice(None)] * 3
    part[axis] = slice(start, stop)
    return tuple(part)


def _mixed(points: Array) -> Array:
    """Put points into a fixed mixed order."""
    return points[np.random.default_rng(0).permutation(len(points))]


def continued(share: Array, known: Array) -> Array:
    """Continue a share beyond the field of view by what is nearest, so that its border is no surface."""
    from scipy.ndimage import distance_transform_edt

    if known.all():
        return share
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(share[tuple(nearest)])


def _field(share: Array, known: Array, spacing_mm: tuple[float, float, float], world: Array) -> DistanceField:
    """Distance field of the implant on a grid of about ``COARSE_MM``; far away outside the field of view."""
    step = max(1, round(COARSE_MM / max(spacing_mm)))
    middle = step // 2
    share, known = (values[middle::step, middle::step, middle::step] for values in (share, known))
    share = continued(share, known)
    coarse_mm = tuple(step * size for size in spacing_mm)
    values = signed_distance((0.5 - share).astype(np.float32), coarse_mm)  # type: ignore[arg-type]
    values[~known] = NO_SURFACE_MM
    fine_from_coarse = np.diag([step] * 3 + [1]).astype(float)
    fine_from_coarse[:3, 3] = middle
    limits = np.stack([np.full(3, -0.5), np.array(values.shape) - 0.5], axis=1)
    return DistanceField(values, coarse_mm, np.linalg.inv(world @ fine_from_coarse), limits)  # type: ignore[arg-type]
