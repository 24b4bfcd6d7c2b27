"""Bone–implant contact as a function of the gap that is bridged: how much of it hangs on a voxel or two."""

from __future__ import annotations

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
    bone lie one behind the other. Only behind faces bone is looked for: in the columns of voxels along y round the
    one behind the face, the nearest first; along a column, two sweeps have found it.

    Parameters
    ----------
    spacing_mm : tuple of float
        Voxel size (z, y, x) in mm.
    gaps_um : tuple of float
        Gaps in µm, rising from 0.
    """

    def __init__(self, spacing_mm: Triple, gaps_um: tuple[float, ...] = GAPS_UM) -> None:
        self._spacing_mm, self._gaps_um = spacing_mm, gaps_um
        spacing_um, reach_um = 1000 * np.array(spacing_mm), gaps_um[-1] + _ROUNDING_UM
        self.halo = max(1, int(reach_um / spacing_um[0]))
        self._reach = int(reach_um / spacing_um[2])
        self._columns = _columns(spacing_um[::2], reach_um)
        self._squares = (np.asarray(gaps_um) + _ROUNDING_UM) ** 2, float(spacing_um[1] ** 2)
        self._bridged = np.zeros((3, len(gaps_um) + 1), np.int64)

    def add(self, view: View) -> None:
        """Take in the next slices."""
        from ImplantSegQuantLib.contact_kernels import bone_along_columns, bridged_faces

        if (box := view.rectangle()) is None:
            return
        labels = view.labels
        left, right = max(box[2] - self._reach, 0), min(box[3] + self._reach, labels.shape[2])
        around = (box[0], box[1], left, right)
        steps = np.empty((len(labels), box[1] - box[0], right - left), np.uint8)
        threads.each_range(lambda low, high: bone_along_columns(labels, (low, high), around, steps), 0, len(labels))
        counts = threads.each_range(
            lambda low, high: bridged_faces(labels, (low, high), box, (steps, left), self._columns, self._squares),
            *view.ends,
        )
        self._bridged += sum(counts)

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


def _columns(spacing_um: Array, reach_um: float) -> Array:
    """Columns round a voxel within a distance, nearest first: steps along (z, x) and its square, float64 (N, 3)."""
    reach = (reach_um / spacing_um).astype(int)
    steps = np.argwhere(np.ones(2 * reach + 1, bool)) - reach
    squares = ((steps * spacing_um) ** 2).sum(axis=1)
    order = np.argsort(squares, kind="stable")
    order = order[squares[order] <= reach_um**2]
    return np.column_stack([steps[order], squares[order]]).astype(float)
