"""Slices that follow one another, handed on in windows together with their neighbours."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
Rectangle = tuple[int, int, int, int]
"""Rows and columns: first row, last + 1, first column, last + 1."""


class View(NamedTuple):
    """Some slices of a segmentation as the measures of the implant see them."""

    labels: Array
    """Labels with the neighbours of the slices that are meant, uint8 (Z, Y, X); OUTSIDE (254) beyond the field of view
    and for implant voxels outside the region of interest."""
    extents: Array
    """Where the implant lies in each of them, int64 (Z, 4): first row, last + 1, first column, last + 1."""
    inner: slice
    """Which slices are meant. The array ends beside them only where the volume does."""

    @property
    def ends(self) -> tuple[int, int]:
        """First and last + 1 of the slices that are meant."""
        return self.inner.start, self.inner.stop

    def rectangle(self) -> Rectangle | None:
        """Rows and columns that the implant and what touches it keep to in these slices; None without implant."""
        near = self.extents[max(self.inner.start - 1, 0) : self.inner.stop + 1]
        if not (near[:, 1] > 0).any():
            return None
        _, height, width = self.labels.shape
        (top, left), (bottom, right) = near[:, ::2].min(axis=0), near[:, 1::2].max(axis=0)
        return max(int(top) - 1, 0), min(int(bottom) + 1, height), max(int(left) - 1, 0), min(int(right) + 1, width)


class Trail:
    """Takes slabs as they come and gives those slices whose neighbours have come, too.

    Parameters
    ----------
    depth : int
        Slices in all.
    halo : int
        Neighbours on both sides that a slice needs.
    """

    def __init__(self, depth: int, halo: int) -> None:
        self._depth, self._halo = depth, halo
        self._kept: tuple[Array, ...] | None = None
        self._low = 0  # the first slice that is kept
        self._next = 0  # the first one that was not given yet

    def add(self, *slabs: Array) -> tuple[tuple[Array, ...], slice] | None:
        """Take in the next slices of one or more arrays, and give what can be given.

        Returns
        -------
        tuple or None
            The arrays with their neighbours, and which slices are meant; None when none is complete yet.
        """
        first = max(self._next - self._halo, 0)
        if self._kept is not None:
            before = (part[first - self._low :] for part in self._kept)
            slabs = tuple(np.concatenate(pair) for pair in zip(before, slabs, strict=True))
        high = first + len(slabs[0])
        stop = self._depth if high == self._depth else max(high - self._halo, self._next)
        inner = slice(self._next - first, stop - first)
        self._kept, self._low, self._next = slabs, first, stop
        return (slabs, inner) if inner.stop > inner.start else None


def views(labels: Array, halo: int, slab: int) -> list[View]:
    """Cut a whole array of labels (Z, Y, X) into the views that a walk in slabs of some slices gives."""
    from ImplantSegQuantLib.label_kernels import look

    trail, found = Trail(len(labels), halo), []
    for start in range(0, len(labels), slab):
        part = np.ascontiguousarray(labels[start : start + slab])
        extents, nothing = np.empty((len(part), 4), np.int64), np.empty((0, 0, 0), np.float32)
        look(part, nothing, np.float32(0), np.empty_like(part), extents)
        if (given := trail.add(part, extents)) is not None:
            (seen, places), inner = given
            found.append(View(seen, places, inner))
    return found
