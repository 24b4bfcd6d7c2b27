"""Bone–implant contact as a function of the gap that is bridged: how much of it hangs on a voxel or two."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ImplantSegLib import threads
from ImplantSegLib.metrics import face_areas_mm2
from ImplantSegQuantLib.contact import GAP_MM, Contacts, percent
from ImplantSegQuantLib.trail import View

Array = np.ndarray[Any, Any]
Triple = tuple[float, float, float]

GAPS_UM = tuple(range(round(1000 * GAP_MM) + 1))
"""Gaps that are bridged: 0 is the contact as published."""

_ROUNDING_UM = 1e-3


class GapMeter:
    """Counts the faces from implant to background by the gap that bridges them to bone, window by window.

    A face counts as contact from that gap on at which bone lies within it: the distance between the centres of the
    background voxel behind the face and of the nearest bone voxel, which is the width of the gap where implant, gap and
    bone lie one behind the other. Bone is looked for from the nearest voxel outwards, and only behind faces.

    Parameters
    ----------
    spacing_mm : tuple of float
        Voxel size (z, y, x) in mm.
    gaps_um : tuple of float
        Gaps in µm, rising from 0.
    """

    def __init__(self, spacing_mm: Triple, gaps_um: tuple[float, ...] = GAPS_UM) -> None:
        self._spacing_mm, self._gaps_um = spacing_mm, gaps_um
        self._offsets = _offsets(spacing_mm, gaps_um)
        self._bridged = np.zeros((3, len(gaps_um) + 1), np.int64)

    @property
    def halo(self) -> int:
        """Slices that it looks at on both sides of those that are meant."""
        return int(self._offsets[:, 0].max(initial=1))

    def add(self, view: View) -> None:
        """Take in the next slices."""
        from ImplantSegQuantLib.contact_kernels import bridged_faces

        if (box := view.rectangle()) is None:
            return
        count = len(self._gaps_um)
        self._bridged += sum(
            threads.each_range(
                lambda low, high: bridged_faces(view.labels, (low, high), box, self._offsets, count), *view.ends
            )
        )

    def curve(self, contacts: Contacts) -> dict[str, Any] | None:
        """Give BIC in % at every gap: ``gap_um`` and ``percent``, lists of one length; None without a surface.

        Parameters
        ----------
        contacts : Contacts
            The faces of the same implant.
        """
        areas = face_areas_mm2(self._spacing_mm)
        bridged = np.cumsum(self._bridged[:, :-1], axis=1)
        touching = contacts.faces[:, :1] + bridged
        whole = float(contacts.faces.sum(axis=1) @ areas)
        if not whole > 0:
            return None
        return {"gap_um": list(self._gaps_um), "percent": [percent(float(part @ areas), whole) for part in touching.T]}


def _offsets(spacing_mm: Triple, gaps_um: tuple[float, ...]) -> Array:
    """Give the steps (z, y, x) to the voxels within the widest gap, nearest first, and the gap that reaches each."""
    spacing_um = 1000 * np.array(spacing_mm)
    reach = [math.floor((gaps_um[-1] + _ROUNDING_UM) / step) for step in spacing_um]
    steps = np.argwhere(np.ones([2 * side + 1 for side in reach], bool)) - reach
    lengths_um = np.linalg.norm(steps * spacing_um, axis=1)
    gap = np.searchsorted(np.asarray(gaps_um) + _ROUNDING_UM, lengths_um)
    order = np.argsort(lengths_um, kind="stable")
    order = order[(gap[order] < len(gaps_um)) & (lengths_um[order] > 0)]
    return np.column_stack([steps[order], gap[order]]).astype(np.int64)
