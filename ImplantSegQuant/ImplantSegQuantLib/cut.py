"""The implant and what touches it, cut out of a segmentation slab by slab whenever a measure asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ImplantSegLib.labels import IMPLANT
from ImplantSegLib.metrics import OUTSIDE
from ImplantSegQuantLib.sample import Box, Sample

Array = np.ndarray[Any, Any]
Triple = tuple[float, float, float]

MARGIN = 2
"""Voxels round the implant that its measures may look at, at least."""


@dataclass(frozen=True)
class Implant:
    """The implant and what touches it.

    Parameters
    ----------
    labels : array of uint8, shape (Z, Y, X), or what can be sliced along z like one
        Labels; OUTSIDE beyond the field of view and for implant voxels outside the region of interest.
    box : tuple of slice
        Where this is in the segmentation, (z, y, x).
    spacing_mm : tuple of float
        Voxel size (z, y, x) in mm.
    """

    labels: Any
    box: Box
    spacing_mm: Triple

    @property
    def depth(self) -> int:
        """Number of slices."""
        return int(self.labels.shape[0])


class Cut:
    """Labels of a box of a segmentation that are read when they are asked for: nothing is kept.

    Parameters
    ----------
    sample : Sample
        Segmentation and field of view.
    in_roi : callable
        Gives the region of interest of some slices, bool (Z, Y, X).
    box : tuple of slice
        The box, (z, y, x).
    """

    def __init__(self, sample: Sample, in_roi: Callable[[slice], Array], box: Box) -> None:
        self._sample, self._in_roi, self._box = sample, in_roi, box
        self.shape = tuple(side.stop - side.start for side in box)

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __getitem__(self, z: slice) -> Array:
        """Labels of some slices, uint8 (Z, Y, X); OUTSIDE also for implant voxels outside the region of interest."""
        first, y, x = self._box
        slices = range(first.start, first.stop)[z]
        read = slice(slices.start, slices.stop)
        labels, inside = self._sample.labels(read)[:, y, x], self._in_roi(read)[:, y, x]
        return np.where(np.isin(labels, IMPLANT) & ~inside, np.uint8(OUTSIDE), labels)


def cut_out(sample: Sample, in_roi: Callable[[slice], Array], box: Box) -> Implant:
    """Cut the implant and a margin round it out of a segmentation.

    Parameters
    ----------
    sample : Sample
        Segmentation and field of view.
    in_roi : callable
        Gives the region of interest of some slices, bool (Z, Y, X).
    box : tuple of slice
        Smallest box round the implant inside the region of interest.
    """
    z, y, x = (
        slice(max(0, side.start - MARGIN), min(n, side.stop + MARGIN))
        for side, n in zip(box, sample.segmentation.shape, strict=True)
    )
    return Implant(Cut(sample, in_roi, (z, y, x)), (z, y, x), sample.segmentation.spacing_mm)
