"""Bone–implant contact: how much of the implant's surface touches bone, counted in four ways.

The implant is the residual material and the degradation layer together. Only implant voxels inside the region
of interest count; what lies outside the field of view is neither bone nor background.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ImplantSegLib.labels import IMPLANT, Label
from ImplantSegLib.metrics import OUTSIDE, FaceCounter, contact_faces, face_areas_mm2
from ImplantSegQuantLib.sample import SLAB, Box, Sample, windows

Array = np.ndarray[Any, Any]
Triple = tuple[float, float, float]

SMOOTHING_VOXELS = 1.5
"""Standard deviation of the Gaussian that gives the surface its normal, in voxels of the coarsest axis."""

MARGIN = 7
"""Voxels round the implant that its measures may look at, at least: more than the reach of that Gaussian."""

GAP_MM = 0.02
"""The widest gap between implant and bone that a measure looks across."""

_REACH = 4.0


@dataclass(frozen=True)
class Implant:
    """The implant and what touches it, cut out of the segmentation.

    Parameters
    ----------
    labels : uint8, shape (Z, Y, X)
        Labels; OUTSIDE beyond the field of view and for implant voxels outside the region of interest.
    box : tuple of slice
        Where this is in the segmentation, (z, y, x).
    spacing_mm : tuple of float
        Voxel size (z, y, x) in mm.
    """

    labels: Array
    box: Box
    spacing_mm: Triple

    @property
    def depth(self) -> int:
        """Number of slices."""
        return int(self.labels.shape[0])


def cut_out(sample: Sample, in_roi: Callable[[slice], Array], box: Box) -> Implant:
    """Cut the implant and a margin round it out of a segmentation, one byte per voxel.

    Parameters
    ----------
    sample : Sample
        Segmentation and field of view.
    in_roi : callable
        Gives the region of interest of some slices, bool (Z, Y, X).
    box : tuple of slice
        Smallest box round the implant inside the region of interest.
    """
    shape = sample.segmentation.shape
    margins = [max(MARGIN, math.ceil(GAP_MM / step) + 1) for step in sample.segmentation.spacing_mm]
    z, y, x = (
        slice(max(0, side.start - margin), min(n, side.stop + margin))
        for side, margin, n in zip(box, margins, shape, strict=True)
    )
    cut = np.empty((z.stop - z.start, y.stop - y.start, x.stop - x.start), np.uint8)
    for window in windows(cut.shape[0], sample.slab):
        read = slice(z.start + window.z.start, z.start + window.z.stop)
        labels, inside = sample.labels(read)[:, y, x], in_roi(read)[:, y, x]
        cut[window.z] = np.where(np.isin(labels, IMPLANT) & ~inside, np.uint8(OUTSIDE), labels)
    return Implant(cut, (z, y, x), sample.segmentation.spacing_mm)


def contact_by_faces(implant: Implant, slab: int = SLAB) -> float | None:
    """BIC in %: faces implant–bone over faces implant–bone and implant–background, weighted with their area.

    Equation 5 of doi:10.3389/fphy.2024.1257512; None when the implant has no surface.
    """
    counter = FaceCounter()
    for window in windows(implant.depth, slab):
        counter.add(implant.labels[window.z])
    areas, table = face_areas_mm2(implant.spacing_mm), counter.table()
    bone = float(contact_faces(table, IMPLANT, {Label.BONE}) @ areas)
    return percent(bone, bone + float(contact_faces(table, IMPLANT, {Label.BACKGROUND}) @ areas))


def contact_by_voxels(implant: Implant, slab: int = SLAB) -> float | None:
    """BIC in %: implant voxels that share a face with bone over those that share one with bone or background."""
    from ImplantSegLib.metrics import kernels

    bone = surface = 0
    for window in windows(implant.depth, slab, halo=1):
        labels = implant.labels[window.read]
        touched = kernels.neighbour_bits(labels, window.inner.start, window.inner.stop)
        touched = touched[np.isin(labels[window.inner], IMPLANT)]
        bone += int(np.count_nonzero(touched & (1 << Label.BONE)))
        surface += int(np.count_nonzero(touched & (1 << Label.BONE | 1 << Label.BACKGROUND)))
    return percent(bone, surface)


def contact_by_normals(implant: Implant, slab: int = SLAB) -> float | None:
    """BIC in % with every face weighted by the cosine between it and the surface.

    A plane has as many faces along an axis as its projection, so that faces × area × |cosine| is its area
    whatever its orientation. The normal is the gradient of the implant's indicator, smoothed with a Gaussian
    over the voxels that exist.
    """
    from ImplantSegQuantLib import contact_kernels

    sigma = [SMOOTHING_VOXELS * max(implant.spacing_mm) / step for step in implant.spacing_mm]
    halo = math.ceil(_REACH * sigma[0]) + 2
    spacing, slices = np.array(implant.spacing_mm), []
    for window in windows(implant.depth, slab, halo):
        labels = implant.labels[window.read]
        indicator = smooth_indicator(labels, sigma)
        ends = (window.inner.start, window.inner.stop)
        slices.append(contact_kernels.weighted_faces(labels, indicator, spacing, ends))
    bone, background = (math.fsum(side) for side in np.concatenate(slices).T)
    return percent(bone, bone + background)


def contact_without_pores(implant: Implant, slab: int = SLAB) -> float | None:
    """BIC in % by faces, without the faces of pores; this takes the pores out of ``implant.labels``.

    A pore is a part of the implant's complement (bone ∪ background, connected through faces) that reaches
    neither the border of the field of view nor, through voxels that do not exist, what lies beyond.
    """
    from ImplantSegQuantLib import contact_kernels

    contact_kernels.remove_pores(implant.labels)
    return contact_by_faces(implant, slab)


def smooth_indicator(labels: Array, sigma_voxels: list[float]) -> Array:
    """Share of implant round every voxel, float32: Gaussian means over the voxels that exist."""
    from scipy.ndimage import gaussian_filter

    exists = labels != OUTSIDE
    parts = (
        gaussian_filter(part.astype(np.float32), sigma_voxels, mode="constant", truncate=_REACH)
        for part in (np.isin(labels, IMPLANT) & exists, exists)
    )
    implant, known = parts
    return np.divide(implant, known, out=np.zeros_like(implant), where=known > 0)


def percent(part: float, whole: float) -> float | None:
    """``part / whole`` in %; None when there is no whole."""
    return 100.0 * (part / whole) if whole > 0 else None
