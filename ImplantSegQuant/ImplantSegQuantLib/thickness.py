"""Local thickness of the degradation layer: the diameter of the largest sphere that covers a voxel and fits in.

Definition: Hildebrand & Rüegsegger 1997, doi:10.1046/j.1365-2818.1997.1340694.x. Memory: nine bytes per voxel of
the box round the implant, of which there are at most :data:`MAX_VOXELS`; a larger box is coarsened.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ImplantSegLib import threads
from ImplantSegQuantLib.measurement import Measurement
from ImplantSegQuantLib.sample import SLAB, windows

Array = np.ndarray[Any, Any]
Triple = tuple[float, float, float]

MAX_VOXELS = 64_000_000
"""Voxels that are looked at; above, blocks of 2³, 3³, ... voxels become one."""

HALF_GAP = 0.25
"""How far, in voxels, the boundary lies before the centre of the nearest voxel of another class, on average over
positions and directions of the surface: half a voxel at most, nothing where the surface is oblique."""

PRUNING = 0.05
"""By how much of a voxel a sphere may stick out of a neighbour's and still be left out."""

PERCENTILES = (5, 25, 50, 75, 95)
"""What is told of the distribution."""

BINS = 20
"""Bins of its histogram, from 0 to the largest value."""

_OTHER, _LAYER, _UNKNOWN = 0, 1, 2


class Thickness(NamedTuple):
    """Local thickness of a layer."""

    mean_um: float | None
    """Mean over the layer's voxels; None without a layer."""
    coarsened: int
    """Edge of the blocks of voxels that were taken as one."""
    distribution: dict[str, Any] | None = None
    """What :func:`distribution` says of all voxels; None without a layer."""


def layer_thickness(labels: Any, spacing_mm: Triple, slab: int = SLAB) -> tuple[Measurement, dict[str, Any] | None]:
    """Mean local thickness of the degradation layer as a measurement, and the distribution over its voxels.

    Parameters
    ----------
    labels : array of uint8, shape (Z, Y, X), or what can be sliced along z like one
        Labels; OUTSIDE where nothing is known.
    spacing_mm : tuple of float
        Voxel size (z, y, x) in mm.
    slab : int
        Slices to read at a time; the result does not depend on it.
    """
    thickness = mean_thickness(labels, spacing_mm, slab=slab)
    note = "mean local thickness (largest inscribed sphere) of label 2"
    if thickness.coarsened > 1:
        note += f", on blocks of {thickness.coarsened}³ voxels"
    warning = "" if thickness.mean_um is not None else "no degradation layer: its thickness is undefined"
    mean = Measurement("degradation_layer_thickness", thickness.mean_um, "µm", note=note, warning=warning)
    return mean, thickness.distribution


def mean_thickness(labels: Any, spacing_mm: Triple, max_voxels: int = MAX_VOXELS, slab: int = SLAB) -> Thickness:
    """Mean local thickness of label 2 over its voxels.

    The surface is where the layer meets another class: cut planes, and whatever else is unknown, do not
    bound a sphere.

    Parameters
    ----------
    labels : array of uint8, shape (Z, Y, X), or what can be sliced along z like one
        Labels; OUTSIDE where nothing is known.
    spacing_mm : tuple of float
        Voxel size (z, y, x) in mm.
    max_voxels : int
        Above this size of the array, blocks of voxels are taken as one.
    slab : int
        Slices to read at a time; the result does not depend on it.
    """
    factor = 1
    while labels.size / factor**3 > max_voxels:
        factor += 1
    classes = _classes(labels, factor, slab)
    z, y, x = (step * factor for step in spacing_mm)
    layer = classes == _LAYER
    if not layer.any():
        return Thickness(None, factor)
    if not (classes == _OTHER).any():
        return Thickness(None, factor)  # a layer without a surface has no thickness
    thickness_um = 1000.0 * local_thickness(classes, (z, y, x))[layer].astype(np.float64)
    return Thickness(float(thickness_um.mean()), factor, distribution(thickness_um))


def distribution(values_um: Array) -> dict[str, Any]:
    """Describe how local thicknesses spread, every voxel weighing alike.

    Parameters
    ----------
    values_um : float64, shape (N,)
        At least one.

    Returns
    -------
    dict
        ``sd_um``; ``percentiles_um``, a mapping of :data:`PERCENTILES` as text; and a histogram of equal bins:
        ``edges_um``, one more than ``percent``.
    """
    counts, edges = np.histogram(values_um, bins=BINS, range=(0.0, float(values_um.max())))
    return {
        "sd_um": float(values_um.std()),
        "percentiles_um": {str(p): float(np.percentile(values_um, p)) for p in PERCENTILES},
        "edges_um": edges.tolist(),
        "percent": (100.0 * counts / values_um.size).tolist(),
    }


def local_thickness(classes: Array, spacing_mm: Triple) -> Array:
    """Local thickness in mm of every voxel of value 1, float32 (Z, Y, X); other values: 0 bounds it, 2 does not.

    Parameters
    ----------
    classes : uint8, shape (Z, Y, X)
        0 outside the layer, 1 inside, 2 unknown.
    spacing_mm : tuple of float
        Voxel size (z, y, x) in mm.
    """
    import edt

    from ImplantSegQuantLib import thickness_kernels

    bounded = (classes != _OTHER).view(np.uint8)
    radius = edt.edt(bounded, anisotropy=spacing_mm, black_border=False, parallel=threads.count())
    radius[classes != _LAYER] = 0
    steps, spacing, depth = _steps(spacing_mm), np.array(spacing_mm), len(classes)
    centres = np.concatenate(
        threads.each_range(lambda low, high: thickness_kernels.ridge(radius, steps, (low, high)), 0, depth)
    )
    thickness = np.zeros_like(radius)
    threads.each_range(
        lambda low, high: thickness_kernels.paint(radius, centres, spacing, (low, high), thickness), 0, depth
    )
    np.maximum(thickness, radius, out=thickness)
    # no nearer than half the shortest side is a boundary: flat voxels must not get a thickness below 0
    thickness -= np.float32(min(HALF_GAP * float(np.mean(spacing_mm)), min(spacing_mm) / 2))
    thickness *= 2
    thickness[classes != _LAYER] = 0
    return thickness


def _steps(spacing_mm: Triple) -> Array:
    """Neighbours (z, y, x) of a voxel, and by how much their spheres must be larger to contain its own."""
    offsets = np.argwhere(np.ones((3, 3, 3))) - 1
    offsets = offsets[np.any(offsets != 0, axis=1)]
    lengths = np.linalg.norm(offsets * np.array(spacing_mm), axis=1) - PRUNING * min(spacing_mm)
    return np.column_stack([offsets, lengths])


def _classes(labels: Any, factor: int, slab: int) -> Array:
    """Layer, other or unknown, by majority in blocks of ``factor``³ voxels; what makes no whole block is left out."""
    from ImplantSegQuantLib.thickness_kernels import majority

    depth, height, width = (n // factor for n in labels.shape)
    classes = np.empty((depth, height, width), np.uint8)
    for window in windows(depth, max(1, slab // factor)):
        part = np.ascontiguousarray(labels[factor * window.z.start : factor * window.z.stop])
        start = window.z.start
        threads.each_range(
            lambda low, high, part=part, start=start: majority(  # type: ignore[misc]
                part, factor, (low - start, high - start), classes[start:]
            ),
            start,
            window.z.stop,
        )
    return classes
