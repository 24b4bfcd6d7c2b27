"""What a shift of every boundary by half a voxel would do: the bound that needs no model and no probabilities.

A segmentation places a boundary to half a voxel at best. Where all boundaries of a class move by that much in one
direction, its volume changes by its area times half a voxel: the worst case, not a likely one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ImplantSegLib import progress, threads
from ImplantSegLib.labels import IMPLANT, Label
from ImplantSegQuantLib.degradation import years

if TYPE_CHECKING:
    from ImplantSegLib.volumes.volume import Voxels
    from ImplantSegQuantLib.sample import Sample

Array = np.ndarray[Any, Any]
Bound = tuple[float, float]
Values = Mapping[str, float]

CONTACTS = (
    "bone_implant_contact",
    "bone_implant_contact_voxels",
    "bone_implant_contact_weighted",
    "bone_implant_contact_without_pores",
)
"""Measures of contact: shares of a surface, which a gap of any width makes or breaks."""

_NOT_NEGATIVE = (
    "residual_volume",
    "degradation_layer_volume",
    "degradation_layer_thickness",
    "bone_volume_fraction",
)


class Surfaces(NamedTuple):
    """Areas that volumes change by, and the tissue of the region of interest."""

    metal_mm2: float
    layer_mm2: float
    tissue_mm2: float
    """Between bone and background, in the region of interest."""
    tissue_mm3: float
    """Bone and background in the region of interest."""


def half_voxel_shifts(sample: Sample, surfaces: Surfaces, values: Values, weeks: float) -> dict[str, float]:
    """By how much each measure changes where all boundaries of its class move by half a voxel.

    Parameters
    ----------
    sample : Sample
        Segmentation and field of view.
    surfaces : Surfaces
        Of that sample.
    values : mapping of str to float
        What was measured, without what is undefined.
    weeks : float
        Healing time.

    Returns
    -------
    dict
        Change by name, in the measure's unit; contacts are absent, and so is what comes from the reference alone.
    """
    half_mm = float(sample.segmentation.voxel_volume_mm3 ** (1 / 3)) / 2
    metal_mm3 = half_mm * surfaces.metal_mm2
    rates = {"degradation_rate": "initial_surface", "degradation_rate_unbiased": "initial_surface_unbiased"}
    shifts = {
        "residual_volume": metal_mm3,
        "volume_loss": metal_mm3,
        "volume_loss_fraction": 100 * metal_mm3 / values["initial_volume"],
        "degradation_layer_volume": half_mm * surfaces.layer_mm2,
        **{rate: metal_mm3 / (values[area] * years(weeks)) for rate, area in rates.items() if rate in values},
        "corrosion_depth": 1000 * half_mm,
        "degradation_layer_thickness": 2000 * half_mm,  # it has a boundary on either side
    }
    if surfaces.tissue_mm3 > 0:
        shifts["bone_volume_fraction"] = 100 * half_mm * surfaces.tissue_mm2 / surfaces.tissue_mm3
    return {name: shift for name, shift in shifts.items() if name in values}


def half_voxel_bounds(values: Values, shifts: Values, closed: Values) -> dict[str, Bound]:
    """Bounds of every measure that depends on where the labels' boundaries lie; docs/measures.md defines each.

    Parameters
    ----------
    values : mapping of str to float
        What was measured, without what is undefined.
    shifts : mapping of str to float
        What :func:`half_voxel_shifts` gives.
    closed : mapping of str to float
        The same measures with all gaps of one voxel closed (:class:`Closed`).

    Returns
    -------
    dict
        ``(lowest, highest)`` by name, in the measure's unit.
    """
    bounds = {name: (values[name] - shift, values[name] + shift) for name, shift in shifts.items()}
    for name in bounds.keys() & _NOT_NEGATIVE:
        bounds[name] = max(bounds[name][0], 0.0), bounds[name][1]
    if (name := "bone_volume_fraction") in bounds:
        bounds[name] = bounds[name][0], min(bounds[name][1], 100.0)
    # contact is a gap of no width: where bone recedes by any part of a voxel, none is left
    return bounds | {name: (0.0, max(closed.get(name, 0.0), values[name])) for name in CONTACTS if name in values}


def surfaces_of(sample: Sample, in_roi: Callable[[slice], Array]) -> Surfaces:
    """Measure the surfaces of metal, layer and bone, slab by slab."""
    from ImplantSegQuantLib import bounds_kernels as kernels

    spacing, slices, tissue = np.array(sample.segmentation.spacing_mm), [], 0
    with progress.stage("bounds", sample.steps, "slab") as advance:
        for window in sample.windows(halo=kernels.REACH + 1):
            labels, near = sample.labels(window.read), in_roi(window.read)
            measured = partial(_areas, labels, near, spacing)
            slices += threads.each_range(measured, window.inner.start, window.inner.stop)
            inner = labels[window.inner][near[window.inner]]
            tissue += int(np.count_nonzero((inner == Label.BONE) | (inner == Label.BACKGROUND)))
            advance()
    metal, layer, bone = (float(np.sum(column)) for column in np.concatenate(slices).T)
    return Surfaces(metal, layer, bone, tissue * sample.segmentation.voxel_volume_mm3)


def _areas(labels: Array, near: Array, spacing: Array, first: int, last: int) -> Array:
    from ImplantSegQuantLib import bounds_kernels as kernels

    return np.asarray(kernels.areas(labels, near, spacing, (first, last)))


class Closed:
    """Labels with gaps of one voxel closed: background that touches both implant and bone is bone."""

    dtype = np.dtype(np.uint8)

    def __init__(self, labels: Voxels) -> None:
        self._labels = labels
        self.shape = labels.shape

    def __getitem__(self, z: Any, /) -> Array:
        """Slices ``z``, uint8 (Z, Y, X)."""
        from ImplantSegLib.metrics import kernels

        start, stop, _ = z.indices(self.shape[0])
        low, high = max(start - 1, 0), min(stop + 1, self.shape[0])
        labels = np.ascontiguousarray(self._labels[low:high], np.uint8)
        touched = kernels.neighbour_bits(labels, start - low, stop - low)
        inner = labels[start - low : stop - low]
        beside = sum(1 << label for label in IMPLANT)
        between = (inner == Label.BACKGROUND) & (touched & beside != 0) & (touched & (1 << Label.BONE) != 0)
        return np.where(between, np.uint8(Label.BONE), inner)
