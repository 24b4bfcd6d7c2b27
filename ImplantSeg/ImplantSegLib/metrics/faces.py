"""Voxel faces between labels: contact and surface of every pair of labels from one pass.

A face lies between two voxels that share it, both inside the field of view. The cut planes of the field of
view, and the edge of a circular one, are no surface: a face that leads out of it never counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ImplantSegLib import threads
from ImplantSegLib.labels import Label

Array = np.ndarray[Any, Any]

CLASSES = len(Label)

OUTSIDE = 254
"""Value of a voxel that does not exist for a count: outside the field of view or the region of interest."""


class FaceCounter:
    """Counts faces slab by slab; the result does not depend on where the slabs are cut.

    Examples
    --------
    >>> import numpy as np
    >>> counter = FaceCounter()
    >>> counter.add(np.array([[[1, 3, 3]]], np.uint8))
    >>> counter.add(np.array([[[1, 1, 3]]], np.uint8))
    >>> counter.table()[:, 1, 3]
    array([1, 0, 2])
    """

    def __init__(self) -> None:
        self._counts = np.zeros((3, 6), np.int64)
        self._below: Array | None = None  # codes of the last slice so far

    def add(self, slab: Array, mask: Array | None = None) -> None:
        """Count the faces inside a slab and those to the slab before.

        Parameters
        ----------
        slab : uint8, shape (Z, Y, X)
            The next slices; values from 4 on never count.
        mask : bool, shape (Y, X) or (Z, Y, X), optional
            The field of view: voxels where it is False do not exist.
        """
        from ImplantSegLib.metrics import kernels

        seen = np.ascontiguousarray(slab if mask is None else np.where(mask, slab, np.uint8(OUTSIDE)), np.uint8)
        below = np.zeros(seen.shape[1:], np.uint8) if self._below is None else self._below

        def counted(first: int, last: int) -> Array:
            counts = np.zeros_like(self._counts)
            kernels.count_faces(seen, below, first, last, counts)
            return counts

        self._counts += np.sum(threads.each_range(counted, 0, len(seen)), axis=0)
        if len(seen):
            self._below = np.empty_like(below)
            kernels.encode_slice(seen[-1], self._below)

    def table(self) -> Array:
        """Give the faces so far.

        Returns
        -------
        int64, shape (3, 4, 4)
            ``[axis, a, b]``: faces normal to the axis (z, y, x) between a voxel of label a and one of label b,
            in either order; the diagonal is 0.
        """
        from ImplantSegLib.metrics.kernels import PAIRS

        table = np.zeros((3, CLASSES, CLASSES), np.int64)
        for counts, (a, b) in zip(self._counts.T, PAIRS, strict=True):
            table[:, a, b] = table[:, b, a] = counts
        return table


def count_faces(labels: Array, mask: Array | None = None) -> Array:
    """Face table (3, 4, 4) of a whole array (z, y, x) of labels; see :class:`FaceCounter`."""
    counter = FaceCounter()
    counter.add(labels, mask)
    return counter.table()


def contact_faces(table: Array, one: Iterable[int], other: Iterable[int]) -> Array:
    """Faces per axis, int64 (3,), between two disjoint sets of labels."""
    return table[np.ix_(range(3), list(one), list(other))].sum(axis=(1, 2))


def surface_faces(table: Array, labels: Iterable[int]) -> Array:
    """Faces per axis, int64 (3,), between a set of labels and all other labels."""
    inside = set(labels)
    return contact_faces(table, inside, set(range(CLASSES)) - inside)


def face_areas_mm2(spacing_mm: tuple[float, float, float]) -> Array:
    """Area in mm² of a voxel's face normal to the axes (z, y, x), float64 (3,)."""
    z, y, x = spacing_mm
    return np.array([y * x, z * x, z * y])
