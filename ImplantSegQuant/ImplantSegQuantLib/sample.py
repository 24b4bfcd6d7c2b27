"""A segmented scan inside its field of view, read in slabs with the slices that border on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ImplantSegLib import threads
from ImplantSegLib.errors import InputError
from ImplantSegLib.labels import IGNORE, NAMES, Label
from ImplantSegLib.metrics import OUTSIDE

if TYPE_CHECKING:
    from ImplantSegLib.volumes import FieldOfView, Volume

Array = np.ndarray[Any, Any]
Box = tuple[slice, slice, slice]

SLAB = 32
"""Slices that are held at a time, where they are not large; no result depends on it."""

SLAB_VOXELS = 2**26
"""Voxels that are held at a time, where slices are large."""

MANY_LABELS = 16
"""Labels outside the table from whose number on a volume is a scan rather than labels with a fault."""


class Window(NamedTuple):
    """Slices to answer for, and the slices to read for that."""

    z: slice
    """The slices of the volume to answer for."""
    read: slice
    """The slices to read: those and their neighbours."""
    inner: slice
    """Where the first are inside the second."""


def windows(depth: int, slab: int, halo: int = 0) -> Iterator[Window]:
    """Cut ``depth`` slices into windows of ``slab`` slices with up to ``halo`` neighbours on both sides."""
    for start in range(0, depth, slab):
        stop = min(start + slab, depth)
        low = max(0, start - halo)
        yield Window(slice(start, stop), slice(low, min(depth, stop + halo)), slice(start - low, stop - low))


@dataclass(frozen=True)
class Sample:
    """A segmentation and the part of it that the scan has seen.

    Parameters
    ----------
    segmentation : Volume
        Labels 0 to 3.
    fov : FieldOfView
        What the scan has seen.
    slab : int
        Slices that are held at a time; 0 stands for as many as :data:`SLAB` and :data:`SLAB_VOXELS` allow.
    role : str
        What to call the segmentation in messages.
    """

    segmentation: Volume
    fov: FieldOfView
    slab: int = 0
    role: str = "segmentation"

    def __post_init__(self) -> None:
        if not self.slab:
            _, height, width = self.segmentation.shape
            object.__setattr__(self, "slab", max(1, min(SLAB, SLAB_VOXELS // (height * width))))

    def windows(self, halo: int = 0) -> Iterator[Window]:
        """Windows over all slices."""
        return windows(self.segmentation.shape[0], self.slab, halo)

    @property
    def steps(self) -> int:
        """How many windows there are."""
        return -(-self.segmentation.shape[0] // self.slab)

    def inside(self, z: slice) -> Array:
        """Tell which voxels of some slices are in the field of view: bool (Z, Y, X)."""
        shape = self.segmentation.shape
        mask = self.fov.slab_mask(z, shape)
        full = (z.stop - z.start, *shape[1:])
        return np.ones(full, bool) if mask is None else np.ascontiguousarray(np.broadcast_to(mask, full))

    def labels(self, z: slice) -> Array:
        """Labels of some slices, uint8 (Z, Y, X), OUTSIDE beyond the field of view."""
        labels = as_labels(np.asarray(self.segmentation.array[z]), self.role)
        mask = self.fov.slab_mask(z, self.segmentation.shape)
        return np.require(
            labels if mask is None else np.where(mask, labels, np.uint8(OUTSIDE)), requirements=["C", "W"]
        )


class Survey(NamedTuple):
    """What a first look at a segmentation finds."""

    voxels: dict[int, int]
    """Voxels of every label in the field of view."""
    implant: Box
    """Smallest box (z, y, x) round the implant in the field of view."""

    def size_mm(self, spacing_mm: tuple[float, float, float]) -> float:
        """Diagonal of that box for a voxel size (z, y, x)."""
        return float(np.linalg.norm([(s.stop - s.start) * mm for s, mm in zip(self.implant, spacing_mm, strict=True)]))


def survey(sample: Sample) -> Survey:
    """Count the labels, find the implant, and refuse what cannot be quantified.

    Parameters
    ----------
    sample : Sample
        What to look at.

    Raises
    ------
    InputError
        When a label outside the table is met, 255 included, or there is no implant.
    """
    from ImplantSegLib.progress import stage

    counts, bounds = np.zeros(256, np.int64), Bounds()
    with stage("check", sample.steps, "slab") as advance:
        for window in sample.windows():
            looked = look(sample.labels(window.z))
            counts += looked.counts[0]
            bounds.add(looked.extents, window.z.start)
            advance()
    check_labels(counts, sample.role)
    if bounds.box is None:
        raise InputError(
            f"the {sample.role} has no implant: none of its voxels in the field of view is "
            f"{NAMES[1]} (1) or {NAMES[2]} (2)",
            "check the labels, the field of view and the model",
        )
    return Survey({label.value: int(counts[label]) for label in Label}, bounds.box)


class Look(NamedTuple):
    """What a slab of labels holds."""

    counts: Array
    """Voxels of every value in the field of view (0) and in the region of interest (1), int64 (2, 256)."""
    seen: Array
    """The labels, uint8 (Z, Y, X), OUTSIDE for implant voxels outside the region of interest."""
    extents: Array
    """Lowest row, highest + 1, lowest column, highest + 1 of the implant in every slice, int64 (Z, 4)."""


def look(labels: Array, distance_mm: Array | None = None, limit_mm: float = 0.0) -> Look:
    """Count the labels of some slices, and tell where the implant lies in them.

    Parameters
    ----------
    labels : uint8, shape (Z, Y, X)
        Labels, OUTSIDE beyond the field of view.
    distance_mm : float32, shape (Z, Y, X), optional
        Signed distance to the reference; without it, all is in the region of interest.
    limit_mm : float
        How far from the reference that reaches.
    """
    from ImplantSegQuantLib import label_kernels

    distance = np.empty((0, 0, 0), np.float32) if distance_mm is None else np.ascontiguousarray(distance_mm)
    seen, extents = np.empty_like(labels), np.empty((len(labels), 4), np.int64)
    counts = threads.each_range(
        lambda low, high: label_kernels.look(
            labels[low:high], distance[low:high], np.float32(limit_mm), seen[low:high], extents[low:high]
        ),
        0,
        len(labels),
    )
    return Look(np.sum(counts, axis=0), seen, extents)


class Bounds:
    """Smallest box round what lies in slabs."""

    def __init__(self) -> None:
        self._low: Array | None = None
        self._high = np.zeros(3, int)

    def add(self, extents: Array, start: int) -> None:
        """Take in the extents (Z, 4) of slices, of which the first is number ``start``; see :class:`Look`."""
        found = np.flatnonzero(extents[:, 1])
        if found.size == 0:
            return
        low = np.array([start + found[0], *extents[found][:, ::2].min(axis=0)])
        high = np.array([start + found[-1] + 1, *extents[found][:, 1::2].max(axis=0)])
        self._low = low if self._low is None else np.minimum(self._low, low)
        self._high = np.maximum(self._high, high)

    @property
    def box(self) -> Box | None:
        """The box as slices (z, y, x); None when nothing was found."""
        if self._low is None:
            return None
        z, y, x = (slice(int(low), int(high)) for low, high in zip(self._low, self._high, strict=True))
        return z, y, x


def as_labels(values: Array, role: str = "segmentation") -> Array:
    """Give labels as uint8; ``role`` names their volume in messages.

    Raises
    ------
    InputError
        For NaN, broken or negative numbers and numbers above 255.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        what = "NaN" if np.isnan(values).any() else "an infinite value"
        raise InputError(f"the {role} holds {what}, wanted whole numbers", "correct the labels")
    labels = values.astype(np.uint8)
    if not np.array_equal(labels, values):
        wrong = values[labels != values][0]
        raise InputError(f"the {role} holds the value {wrong:g}, wanted labels 0 to 3", "pass labels, not a scan")
    return labels


def check_labels(counts: Array, role: str) -> None:
    """Refuse labels outside the table.

    Parameters
    ----------
    counts : int64, shape (256,)
        Voxels of every value.
    role : str
        What to call their volume in messages.

    Raises
    ------
    InputError
        Naming the first wrong one.
    """
    wrong = [int(label) for label in np.flatnonzero(counts) if label not in NAMES and label != OUTSIDE]
    if IGNORE in wrong:
        raise InputError(
            f"the {role} holds {counts[IGNORE]} voxels of label {IGNORE}, which nobody has labelled",
            "label them before quantifying; only `evaluate` can skip them",
        )
    if wrong:
        known = ", ".join(f"{number} {name}" for number, name in NAMES.items())
        remedy = "correct the labels" if len(wrong) < MANY_LABELS else "pass labels, not a scan"
        raise InputError(f"the {role} holds label {wrong[0]}, wanted one of: {known}", remedy)
