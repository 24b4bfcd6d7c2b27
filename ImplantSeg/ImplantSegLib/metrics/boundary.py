"""Boundary error of a segmentation: how far the surface of every class lies from its true surface, in µm.

Counts per distance are integers, so those of slabs add up to those of the volume exactly, percentiles included.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ImplantSegLib.labels import IGNORE, Label
from ImplantSegLib.metrics.faces import OUTSIDE
from ImplantSegLib.metrics.overlap import Scores, as_scores, surface_labels

Array = np.ndarray[Any, Any]

CLASSES = len(Label)

SEARCH_VOXELS = 20.0
"""How far the other surface is searched for, in edges of a cube as large as a voxel."""


class Search(NamedTuple):
    """Where to look for the nearest surface, the nearest places first."""

    steps: Array
    """Steps (z, y, x) in voxels, sorted by their length: int32 (N, 3)."""
    shells: Array
    """Which length each step has, as an index of ``lengths_um``: int32 (N,)."""
    lengths_um: Array
    """Lengths in µm, rising, the reach of the search at the end: float64 (M,)."""

    @property
    def halo(self) -> int:
        """Slices that the search needs on both sides: its own reach, and one to know a surface by."""
        return int(self.steps[:, 0].max()) + 1


def search_steps(spacing_mm: tuple[float, float, float], voxels: float = SEARCH_VOXELS) -> Search:
    """List the steps of a search on a grid.

    Parameters
    ----------
    spacing_mm : tuple of float
        Voxel size (z, y, x) in mm.
    voxels : float
        Reach, in edges of a cube with the volume of a voxel.
    """
    spacing_um = 1000 * np.array(spacing_mm)
    reach_um = voxels * float(np.prod(spacing_um)) ** (1 / 3)
    most = [math.floor(reach_um / step) for step in spacing_um]
    steps = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in most), indexing="ij"), axis=-1).reshape(-1, 3)
    # a millionth of a µm tells lengths apart, rounding errors do not
    lengths_um = np.round(np.sqrt(((steps * spacing_um) ** 2).sum(axis=1)), 6)
    within = lengths_um <= reach_um
    order = np.argsort(lengths_um[within], kind="stable")
    different, shells = np.unique(lengths_um[within][order], return_inverse=True)
    return Search(
        np.ascontiguousarray(steps[within][order], np.int32),
        shells.reshape(-1).astype(np.int32),
        np.append(different, reach_um),
    )


def surface_bits(prediction: Array, truth: Array, mask: Array | None, inner: slice) -> Array:
    """Mark the surface voxels of both segmentations, as :func:`~ImplantSegLib.metrics.surface_matches` knows them.

    Parameters
    ----------
    prediction, truth : uint8, shape (Z, Y, X)
        Labels of the slices asked for and a slice on both sides where there is one.
    mask : bool, shape (Y, X) or (Z, Y, X), or None
        The field of view.
    inner : slice
        The slices asked for.

    Returns
    -------
    uint8, shape (slices, Y, X)
        Bit c where the prediction, bit 4 + c where the truth has a surface voxel of class c.
    """
    valid = truth != IGNORE if mask is None else (truth != IGNORE) & mask
    result = np.zeros(truth[inner].shape, np.uint8)
    for shift, labels in ((0, prediction), (CLASSES, truth)):
        surface = surface_labels(np.where(valid, labels, np.uint8(OUTSIDE)))[inner]
        on_surface = surface < CLASSES
        result[on_surface] |= np.left_shift(np.uint8(1), surface[on_surface] + np.uint8(shift))
    return result


def boundary_counts(bits: Array, inner: slice, where: Search) -> Array:
    """Count the surface voxels of either segmentation by the distance to the other's surface of the same class.

    Parameters
    ----------
    bits : uint8, shape (Z, Y, X)
        Of :func:`surface_bits`: the slices asked for, and ``where.halo`` - 1 on both sides where there are as many.
    inner : slice
        The slices asked for.
    where : Search
        Of :func:`search_steps`.

    Returns
    -------
    int64, shape (4, M)
        For every class and each of ``where.lengths_um``; the last counts what the search has not found.
    """
    from ImplantSegLib.metrics import boundary_kernel

    counts = np.zeros((CLASSES, len(where.lengths_um)), np.int64)
    ends = (inner.start, inner.stop)
    bits = np.ascontiguousarray(bits)
    blocks = boundary_kernel.block_bits(bits)
    boundary_kernel.count_by_distance(bits, blocks, ends, where.steps, where.shells, counts)
    return counts


def boundary_mean_um(counts: Array, where: Search, present: Array) -> Scores:
    """Mean symmetric surface distance of every class in µm; None for a class that one segmentation lacks.

    Average over the surface voxels of both segmentations of the distance to the nearest one of the other
    (Heimann et al. 2009, doi:10.1109/TMI.2009.2013851; Taha & Hanbury 2015, doi:10.1186/s12880-015-0068-x).

    Parameters
    ----------
    counts : int64, shape (4, M)
        Sum of :func:`boundary_counts`.
    where : Search
        What they were counted with.
    present : bool, shape (4,)
        Whether both segmentations have voxels of the class.
    """
    totals = counts.sum(axis=1)
    return as_scores(
        [
            math.fsum(row * where.lengths_um) / int(total) if total and both else None
            for row, total, both in zip(counts, totals, present, strict=True)
        ]
    )


def boundary_percentile_um(counts: Array, where: Search, present: Array, percent: int = 95) -> Scores:
    """Distance in µm within which that share of both surfaces lies; parameters as for :func:`boundary_mean_um`."""
    values = []
    for row, both in zip(counts, present, strict=True):
        total = int(row.sum())
        enough = np.flatnonzero(100 * np.cumsum(row) >= percent * total)
        values.append(float(where.lengths_um[enough[0]]) if total and both else None)
    return as_scores(values)


def boundary_beyond_percent(counts: Array, present: Array) -> Scores:
    """Share, in %, of both surfaces that has nothing of the other within reach; it counts with the reach."""
    totals = counts.sum(axis=1)
    return as_scores(
        [
            100 * int(row[-1]) / int(total) if total and both else None
            for row, total, both in zip(counts, totals, present, strict=True)
        ]
    )
