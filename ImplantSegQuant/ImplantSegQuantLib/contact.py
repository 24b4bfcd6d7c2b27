"""Bone–implant contact: how much of the implant's surface touches bone, by faces and by voxels.

The implant is the residual material and the degradation layer together. Only implant voxels inside the region
of interest count; what lies outside the field of view is neither bone nor background.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ImplantSegLib import threads
from ImplantSegLib.metrics import face_areas_mm2
from ImplantSegQuantLib.trail import View

Array = np.ndarray[Any, Any]
Triple = tuple[float, float, float]

GAP_MM = 0.02
"""The widest gap between implant and bone that a measure looks across."""


class Contacts(NamedTuple):
    """What the implant touches."""

    faces: Array
    """Faces per axis (z, y, x) to bone and to background, int64 (3, 2)."""
    voxels: Array
    """Implant voxels that share a face with bone, and with bone or background: int64 (2,)."""


class ContactMeter:
    """Counts what the implant touches, window by window; whole numbers, which no cut can change."""

    halo = 1

    def __init__(self) -> None:
        self._faces, self._voxels = np.zeros((3, 2), np.int64), np.zeros(2, np.int64)

    def add(self, view: View) -> None:
        """Take in the next slices."""
        from ImplantSegQuantLib.contact_kernels import count_contacts

        if (box := view.rectangle()) is None:
            return
        for faces, voxels in threads.each_range(
            lambda low, high: count_contacts(view.labels, (low, high), box), *view.ends
        ):
            self._faces += faces
            self._voxels += voxels

    def contacts(self) -> Contacts:
        """Give what was counted."""
        return Contacts(self._faces, self._voxels)


def contact_by_faces(faces: Array, spacing_mm: Triple) -> float | None:
    """BIC in %: faces implant–bone over faces implant–bone and implant–background, weighted with their area.

    Equation 5 of doi:10.3389/fphy.2024.1257512; None when the implant has no surface.

    Parameters
    ----------
    faces : int64, shape (3, 2)
        Faces per axis to bone and to background; without those of pores for the contact without pores.
    spacing_mm : tuple of float
        Voxel size (z, y, x) in mm.
    """
    areas = face_areas_mm2(spacing_mm)
    return percent(float(faces[:, 0] @ areas), float(faces.sum(axis=1) @ areas))


def contact_by_voxels(voxels: Array) -> float | None:
    """BIC in %: implant voxels that share a face with bone over those that share one with bone or background."""
    return percent(int(voxels[0]), int(voxels[1]))


def percent(part: float, whole: float) -> float | None:
    """``part / whole`` in %; None when there is no whole."""
    return 100.0 * (part / whole) if whole > 0 else None
