"""One walk over the slabs of a scan that feeds every measure: each slice is read once, each distance taken once.

Several segmentations of the same scan may be walked over together. What a measure keeps from slab to slab does not
grow with their number: the last few slices, and sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from ImplantSegLib import progress, threads
from ImplantSegLib.labels import Label
from ImplantSegQuantLib.contact import ContactMeter, contact_by_faces, contact_by_voxels
from ImplantSegQuantLib.degradation import DepthMeter
from ImplantSegQuantLib.gap import GapMeter
from ImplantSegQuantLib.morphometry import Shape, ShapeMeter
from ImplantSegQuantLib.normals import NormalMeter
from ImplantSegQuantLib.pores import PoreMeter
from ImplantSegQuantLib.roi import TOLERANCE_MM
from ImplantSegQuantLib.sample import Bounds, Box, Look, Sample, check_labels, look, windows
from ImplantSegQuantLib.trail import Trail, View

Array = np.ndarray[Any, Any]
Distance = Callable[[slice], Array]
"""Gives the signed distance in mm, float32 (Z, Y, X), of some slices to the registered reference."""

Job = Callable[[], None]


class Measures(NamedTuple):
    """What the walk finds in one segmentation."""

    shape: Shape
    """Size of the reference in the field of view: the same for all segmentations."""
    depth_um: float | None
    contact_percent: tuple[float | None, float | None, float | None, float | None]
    """BIC by faces, by voxels, weighted, and without pores."""
    gaps: dict[str, Any] | None
    """BIC by gap; None where it was not asked for, too."""
    voxels: dict[int, int]
    """Voxels of every label in the field of view."""
    roi_voxels: dict[int, int]
    """Voxels of every label in the region of interest."""
    implant: Box | None
    """Smallest box round the implant inside the region of interest."""


class _Meter(Protocol):
    """What measures the implant window by window."""

    @property
    def halo(self) -> int:
        """Slices that it looks at on both sides of those that are meant."""
        ...

    def add(self, view: View) -> None:
        """Take in the next slices."""
        ...


class _Meters:
    """The measures of one segmentation."""

    def __init__(self, sample: Sample, gaps: bool) -> None:
        self.sample = sample
        depth, spacing_mm = sample.segmentation.shape[0], sample.segmentation.spacing_mm
        self._counts, self._bounds, self._depth = np.zeros((2, 256), np.int64), Bounds(), DepthMeter()
        self._contact, self._pores, self._normals = ContactMeter(), PoreMeter(), NormalMeter(spacing_mm)
        self._gaps = GapMeter(spacing_mm) if gaps else None
        self._views: list[_Meter] = [self._contact, self._pores, self._normals, *([self._gaps] if self._gaps else [])]
        self._trail = Trail(depth, max(meter.halo for meter in self._views))
        self._near = Trail(depth, 1)

    def look(self, field: Array, limit_mm: float, z: slice) -> Look:
        """Read some slices."""
        looked = look(self.sample.labels(z), field, limit_mm)
        check_labels(looked.counts[0], self.sample.role)
        self._counts += looked.counts
        self._bounds.add(looked.extents, z.start)
        return looked

    def jobs(self, looked: Look, distances: Array | None) -> list[Job]:
        """Give what is to be done with the slices whose neighbours have come: each can be done at the same time.

        ``distances`` are those of the slices of which the next neighbours have come; None when there are none.
        """
        jobs: list[Job] = []
        if (given := self._near.add(looked.seen)) is not None and distances is not None:
            (seen,), inner = given
            jobs.append(partial(self._depth.add, seen, distances, inner))
        if (given := self._trail.add(looked.seen, looked.extents)) is not None:
            (seen, extents), inner = given
            jobs += [partial(meter.add, View(seen, extents, inner)) for meter in self._views]
        return jobs

    def measures(self, shape: Shape) -> Measures:
        contacts, spacing_mm = self._contact.contacts(), self.sample.segmentation.spacing_mm
        known, near = ({label.value: int(row[label]) for label in Label} for row in self._counts)
        return Measures(
            shape,
            self._depth.depth_um(),
            (
                contact_by_faces(contacts.faces, spacing_mm),
                contact_by_voxels(contacts.voxels),
                self._normals.percent(),
                contact_by_faces(contacts.faces - self._pores.faces(), spacing_mm),
            ),
            self._gaps.curve(contacts) if self._gaps else None,
            known,
            near,
            self._bounds.box,
        )


def walk(samples: Sequence[Sample], distance: Distance, roi_mm: float, gaps: bool = True) -> list[Measures]:
    """Measure segmentations of one scan, all in one walk over its slabs.

    Parameters
    ----------
    samples : sequence of Sample
        Segmentations on one grid, with one field of view.
    distance : callable
        Gives the signed distance of slices to the registered reference.
    roi_mm : float
        How far the region of interest reaches from the reference.
    gaps : bool
        Whether to measure the contact by gap.

    Raises
    ------
    InputError
        When a label outside the table is met.
    """
    first = samples[0]
    depth = first.segmentation.shape[0]
    shape, trail = ShapeMeter(first.segmentation.spacing_mm), Trail(depth, 1)
    meters = [_Meters(sample, gaps) for sample in samples]
    for window in progress.track(windows(depth, first.slab), "measure", first.steps, "slab"):
        field = np.ascontiguousarray(distance(window.z), np.float32)
        looks = threads.each(partial(_Meters.look, field=field, limit_mm=roi_mm + TOLERANCE_MM, z=window.z), meters)
        jobs: list[Job] = []
        distances = None
        if (given := trail.add(field, first.inside(window.z))) is not None:
            (distances, inside), inner = given
            jobs.append(partial(shape.add, distances, inside, inner))
        for one, looked in zip(meters, looks, strict=True):
            jobs += one.jobs(looked, distances)
        threads.each(_run, jobs)
    return [one.measures(shape.shape()) for one in meters]


def _run(job: Job) -> None:
    job()
