"""Degradation by region of a screw: its head, its thread, and the core that the thread is wound on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ImplantSegLib import progress
from ImplantSegLib.labels import Label
from ImplantSegQuantLib.axis import axis_of, frame
from ImplantSegQuantLib.degradation import degradation_rate, volume_loss_percent
from ImplantSegQuantLib.morphometry import Shape, ShapeMeter
from ImplantSegQuantLib.surface import surface_points

if TYPE_CHECKING:
    from ImplantSegQuantLib.field import DistanceField
    from ImplantSegQuantLib.sample import Sample

Array = np.ndarray[Any, Any]

NAMES = ("core", "thread", "head")

ANGLES = 24
"""Sectors in which the outline of the screw is looked at."""

HEIGHT_MM = 0.1
"""Slices across the axis in which it is looked at."""

LEAST_THREAD_MM = 0.1
"""A section is threaded when its outline is farther from round than this."""

LEAST_SHARE = 0.1
"""A screw is threaded when this share of its length is."""

ROOT_SHARE = 0.15
"""Share of the thread's depth that is left to the core, so that the surface at the thread's root is the core's."""

NEAR_VOXELS = 3.0
"""Metal farther than this outside the reference belongs to no region: it is no part of the screw."""


class Regions(NamedTuple):
    """Where the regions of a screw lie."""

    frame: Array
    """Takes the world of the scan to (x, y, height) about the axis of the screw, in mm: float64 (4, 4)."""
    core_radius_mm: float
    """Distance from the axis that parts the core from the thread."""
    head_mm: tuple[float, float]
    """Lowest and highest height of the head; (inf, inf) where there is none."""

    def of(self, points_mm: Array) -> Array:
        """Tell the regions of points (N, 3), (x, y, z) of the scan's world, as numbers in ``NAMES``: uint8 (N,)."""
        x, y, height = (points_mm @ self.frame[:3, :3].T + self.frame[:3, 3]).T
        result = (np.hypot(x, y) > self.core_radius_mm).astype(np.uint8)
        result[(height >= self.head_mm[0]) & (height <= self.head_mm[1])] = NAMES.index("head")
        return result


def regions_of(field: DistanceField, pose_matrix: Array) -> Regions | None:
    """Find the regions of a screw from its outline, seen along the axis in sectors.

    At every height the outline has a narrowest and a widest sector. Where they differ there is a thread: the median of
    the narrowest is the radius at the thread's root, that of the widest the radius of the thread. The core ends a
    little outside the root. The head is where even the narrowest sector is wider than the thread, to the end of the
    screw on that side.

    Parameters
    ----------
    field : DistanceField
        The reference.
    pose_matrix : float64, shape (4, 4)
        From the scan to the reference.

    Returns
    -------
    Regions or None
        None when the reference has no thread.
    """
    points = surface_points(field)
    about_axis = frame(axis_of(field, points))
    x, y, height = (points @ about_axis[:3, :3].T + about_axis[:3, 3]).T
    narrow, wide, middle = _outline(np.hypot(x, y), np.arctan2(y, x), height)
    threaded = wide - narrow > LEAST_THREAD_MM
    if not threaded.any() or threaded.mean() < LEAST_SHARE:
        return None
    root, thread = float(np.median(narrow[threaded])), float(np.median(wide[threaded]))
    head = middle[narrow > thread]
    ends = (np.inf, np.inf)
    if head.size:
        upwards = head.mean() > np.median(middle)
        ends = (float(head.min()) - HEIGHT_MM / 2, np.inf) if upwards else (-np.inf, float(head.max()) + HEIGHT_MM / 2)
    return Regions(about_axis @ pose_matrix, root + ROOT_SHARE * (thread - root), ends)


def _outline(radius: Array, angle: Array, height: Array) -> tuple[Array, Array, Array]:
    """Radius of the narrowest and of the widest sector in every full slice, and the height of its middle."""
    low = float(height.min())
    slices = ((height - low) / HEIGHT_MM).astype(int)
    sectors = ((angle + np.pi) / (2 * np.pi) * ANGLES).astype(int) % ANGLES
    outline = np.full((slices.max() + 1, ANGLES), -np.inf)
    np.maximum.at(outline, (slices, sectors), radius)
    full = np.isfinite(outline).all(axis=1)
    middle = low + HEIGHT_MM * (np.arange(len(outline)) + 0.5)
    return outline[full].min(axis=1), outline[full].max(axis=1), middle[full]


def degradation_by_region(
    sample: Sample, distance: Callable[[slice], Array], regions: Regions, weeks: float
) -> dict[str, dict[str, float | None]]:
    """Volume loss and degradation rate of every region, in one pass over the distance to the reference.

    Parameters
    ----------
    sample : Sample
        Segmentation and field of view.
    distance : callable
        Gives the signed distance of slices to the registered reference, float32 (Z, Y, X).
    regions : Regions
        Where they lie.
    weeks : float
        Healing time.

    Returns
    -------
    dict
        By region ``initial_volume_mm3``, ``residual_volume_mm3``, ``volume_loss_percent``, ``initial_surface_mm2``
        (unbiased; where regions meet there is no surface) and ``degradation_rate_mm_per_year``. What is undefined is
        None; regions outside the field of view are absent.
    """
    meters = [ShapeMeter(sample.segmentation.spacing_mm) for _ in NAMES]
    residual = np.zeros(len(NAMES), np.int64)
    for window in progress.track(sample.windows(halo=1), "regions", sample.steps, "slab"):
        field, inside = distance(window.read), sample.inside(window.read)
        where = _region_map(sample, field, window.read, regions)
        for number, meter in enumerate(meters):
            meter.add(field, inside & (where == number), window.inner)
        metal = sample.labels(window.z) == Label.RESIDUAL_MATERIAL
        residual += np.bincount(where[window.inner][metal], minlength=256)[: len(NAMES)]
    volumes = residual * sample.segmentation.voxel_volume_mm3
    shapes = {name: meter.shape() for name, meter in zip(NAMES, meters, strict=True)}
    return {
        name: _rates(shape, float(volume), weeks)
        for (name, shape), volume in zip(shapes.items(), volumes, strict=True)
        if shape.volume_mm3 > 0
    }


def _region_map(sample: Sample, field: Array, z: slice, regions: Regions) -> Array:
    """Region of every voxel in or near the reference, uint8 (Z, Y, X); 255 elsewhere."""
    grid = sample.segmentation
    result = np.full(field.shape, 255, np.uint8)
    near = field < NEAR_VOXELS * max(grid.spacing_mm)
    index = np.argwhere(near) + np.array([z.start, 0, 0])
    result[near] = regions.of(index @ grid.index_to_world[:3, :3].T + grid.index_to_world[:3, 3])
    return result


def _rates(shape: Shape, residual_mm3: float, weeks: float) -> dict[str, float | None]:
    return {
        "initial_volume_mm3": shape.volume_mm3,
        "residual_volume_mm3": residual_mm3,
        "volume_loss_percent": volume_loss_percent(shape.volume_mm3, residual_mm3),
        "initial_surface_mm2": shape.area_mm2,
        "degradation_rate_mm_per_year": degradation_rate(shape.volume_mm3 - residual_mm3, shape.area_mm2, weeks),
    }
