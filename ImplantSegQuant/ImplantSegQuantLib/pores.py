"""Pores: parts of the implant's complement that do not reach the border of the field of view."""

from __future__ import annotations

from typing import Any

import numpy as np

from ImplantSegQuantLib.trail import View

Array = np.ndarray[Any, Any]


class PoreMeter:
    """Counts the faces of pores, window by window.

    A pore is a connected part (through faces) of the implant's complement, bone and background together, that reaches
    neither the border of the field of view nor, through voxels that do not exist, what lies beyond. The parts of a slab
    are joined with those of the slab before by union-find. A part that ends before the last slice of a slab and is not
    open by then is a pore for good: only its faces are kept. So there are never more parts than one slab holds.
    """

    halo = 1

    def __init__(self) -> None:
        self._below: Array | None = None  # parts in the last slice so far; None stands for open everywhere
        self._faces = np.zeros((1, 3, 2), np.int64)  # of the parts that it names; the first is of what is open
        self._of_pores = np.zeros((3, 2), np.int64)

    def add(self, view: View) -> None:
        """Take in the next slices."""
        import cc3d

        from ImplantSegQuantLib import pores_kernels as kernels

        box = view.rectangle()
        if box is None:  # no implant here: what went on from below ends in the open
            self._below, self._faces = None, np.zeros((1, 3, 2), np.int64)
            return
        labels, (first, stop) = view.labels, view.ends
        parts, count = cc3d.connected_components(
            kernels.complement(labels, view.ends, box), connectivity=6, return_N=True
        )
        new = len(self._faces) - 1
        parents = np.arange(1 + new + count, dtype=np.int32)
        faces = np.concatenate([self._faces, np.zeros((count, 3, 2), np.int64)])
        if first > 0:
            below = np.zeros(labels.shape[1:], np.int32) if self._below is None else self._below
            kernels.join_across(labels, first, box, below, parts[0], parents, new)
        kernels.open_and_count(labels, view.ends, box, parts, parents, new, faces)
        kernels.add_up(parents, faces)
        if self._below is None:
            self._below = np.empty(labels.shape[1:], np.int32)
        going_on = kernels.renumber(parts[-1], box, parents, new, labels[stop - 1], self._below)
        ended = parents == np.arange(len(parents))
        ended[0] = ended[going_on] = False
        self._of_pores += faces[ended].sum(axis=0)
        self._faces = np.concatenate([np.zeros((1, 3, 2), np.int64), faces[going_on]])

    def faces(self) -> Array:
        """Faces per axis (z, y, x) between the implant and the bone (0) and background (1) of pores: int64 (3, 2)."""
        return self._of_pores
