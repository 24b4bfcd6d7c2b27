"""Degradation by region of a screw, and along its axis, in one pass over the distance to the reference."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ImplantSegLib import progress, threads
from ImplantSegQuantLib.degradation import degradation_rate, volume_loss_percent
from ImplantSegQuantLib.regions import NAMES, Regions

if TYPE_CHECKING:
    from ImplantSegQuantLib.region_kernels import Layout
    from ImplantSegQuantLib.sample import Sample

Array = np.ndarray[Any, Any]
Figures = dict[str, float | None]

STEP_MM = 0.25
"""Thickness of the slices across the axis in which degradation is told along it, where voxels are fine enough."""

STEP_VOXELS = 2.0
"""Their thickness at least, in the longest sides of voxels."""

LEAST_SHARE = 0.05
"""Slices with less of the reference than this share of the fullest one are left undefined: their rate is noise."""


def degradation_by_region(
    sample: Sample, distance: Callable[[slice], Array], regions: Regions, weeks: float
) -> dict[str, Any]:
    """Volume loss and degradation rate of every region, and in slices across the axis.

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
        ``degradation_by_region``: by region ``initial_volume_mm3``, ``residual_volume_mm3``,
        ``volume_loss_percent``, ``initial_surface_mm2`` (unbiased; where regions meet there is no surface) and
        ``degradation_rate_mm_per_year``. What is undefined is None; regions outside the field of view are absent.
        ``degradation_along_axis``: ``edges_mm`` of the slices, heights from the tip, and the same figures as lists.
    """
    grid, spacing = sample.segmentation, np.array(sample.segmentation.spacing_mm)
    sums: list[Array] = []
    for window in progress.track(sample.windows(halo=1), "regions", sample.steps, "slab"):
        layout = _layout(sample, regions, window.read.start)
        field, labels = distance(window.read), sample.labels(window.read)
        sums += threads.each_range(
            partial(_by_part, field, labels, spacing, layout), window.inner.start, window.inner.stop
        )
    totals = np.array([[math.fsum(values) for values in part.T] for part in np.concatenate(sums).transpose(1, 0, 2)])
    totals[:, [0, 2]] *= grid.voxel_volume_mm3
    parts = [_figures(part, weeks) for part in totals]
    return {
        "degradation_by_region": {
            name: part for name, part in zip(NAMES, parts, strict=False) if part["initial_volume_mm3"]
        },
        "degradation_along_axis": _along(totals[len(NAMES) :], parts[len(NAMES) :], regions, layout),
    }


def _by_part(field: Array, labels: Array, spacing: Array, layout: Layout, low: int, high: int) -> Array:
    from ImplantSegQuantLib.region_kernels import by_part

    return np.asarray(by_part(field, labels, (low, high), spacing, layout))


def _layout(sample: Sample, regions: Regions, first: int) -> Layout:
    """Where the regions lie for a block of slices that begins with slice ``first``."""
    from ImplantSegQuantLib.region_kernels import Layout

    grid = sample.segmentation
    affine = regions.frame @ grid.index_to_world
    affine[:, 3] += affine[:, 0] * first
    step = max(STEP_MM, STEP_VOXELS * max(grid.spacing_mm))
    low, high = (end if math.isfinite(end) else 0.0 for end in regions.ends_mm)
    count = max(1, math.ceil((high - low) / step))
    return Layout(affine, regions.core_radius_mm, *regions.head_mm, low, step, count)


def _figures(total: Array, weeks: float) -> Figures:
    initial_mm3, area_mm2, residual_mm3 = (float(number) for number in total)
    return {
        "initial_volume_mm3": initial_mm3,
        "residual_volume_mm3": residual_mm3,
        "volume_loss_percent": volume_loss_percent(initial_mm3, residual_mm3),
        "initial_surface_mm2": area_mm2,
        "degradation_rate_mm_per_year": degradation_rate(initial_mm3 - residual_mm3, area_mm2, weeks),
    }


def _along(totals: Array, parts: list[Figures], regions: Regions, layout: Layout) -> dict[str, Any]:
    """Figures of the slices that the field of view shows, as lists; None where there is too little of the reference."""
    volumes = totals[:, 0]
    seen = np.flatnonzero(volumes > 0)
    first, last = (int(seen[0]), int(seen[-1]) + 1) if seen.size else (0, 0)
    enough = volumes >= LEAST_SHARE * volumes.max(initial=0.0)
    result: dict[str, Any] = {
        "tip_known": regions.tip_known,
        "edges_mm": [layout.step * number for number in range(first, last + 1)],
    }
    for name in parts[0]:
        result[name] = [parts[k][name] if enough[k] else None for k in range(first, last)]
    return result
