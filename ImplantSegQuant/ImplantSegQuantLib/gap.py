"""Bone–implant contact as a function of the gap that is bridged: how much of it hangs on a voxel or two."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ImplantSegLib import progress
from ImplantSegLib.labels import IMPLANT, Label
from ImplantSegLib.metrics import face_areas_mm2
from ImplantSegQuantLib.contact import GAP_MM, Implant, percent
from ImplantSegQuantLib.sample import SLAB, windows

Array = np.ndarray[Any, Any]

GAPS_UM = tuple(range(round(1000 * GAP_MM) + 1))
"""Gaps that are bridged: 0 is the contact as published."""

_ROUNDING_UM = 1e-3
_IMPLANT, _BACKGROUND, _BONE = 1, 4, 8
_KINDS = np.zeros(256, np.uint8)  # what does not exist is 0
_KINDS[list(IMPLANT)] = _IMPLANT
_KINDS[Label.BACKGROUND], _KINDS[Label.BONE] = _BACKGROUND, _BONE


def contact_by_gap(implant: Implant, slab: int = SLAB, gaps_um: tuple[float, ...] = GAPS_UM) -> dict[str, Any] | None:
    """BIC in % by faces, with bone enlarged by a gap into the background.

    A face between implant and background counts as contact from that gap on at which bone lies within it:
    the distance between the centres of the background voxel behind the face and of the nearest bone voxel, which
    is the width of the gap where implant, gap and bone lie one behind the other.

    Parameters
    ----------
    implant : Implant
        What BIC is counted on.
    slab : int
        Slices to look at at a time; the result does not depend on it.
    gaps_um : tuple of float
        Gaps in µm, rising from 0.

    Returns
    -------
    dict or None
        ``gap_um`` and ``percent``, both lists of the same length; None when the implant has no surface.
    """
    bone, bridged, rest = np.zeros(3, np.int64), np.zeros((3, len(gaps_um)), np.int64), np.zeros(3, np.int64)
    halo = math.ceil(gaps_um[-1] / (1000 * implant.spacing_mm[0])) + 1
    steps = -(-implant.depth // slab)
    for window in progress.track(windows(implant.depth, slab, halo), "gaps", steps, "slab"):
        kinds = _KINDS[implant.labels[window.read]]
        gap_um = _distance_to_bone_um(kinds, implant.spacing_mm)
        for axis in range(3):
            contact, gaps = _faces(kinds, gap_um, axis, window.inner)
            bone[axis] += contact
            at = np.searchsorted(np.asarray(gaps_um) + _ROUNDING_UM, gaps)
            counts = np.bincount(at, minlength=len(gaps_um) + 1)
            bridged[axis] += counts[:-1]
            rest[axis] += counts[-1]
    areas = face_areas_mm2(implant.spacing_mm)
    touching = (bone[:, None] + np.cumsum(bridged, axis=1)).T @ areas
    whole = float((bone + bridged.sum(axis=1) + rest) @ areas)
    if not whole > 0:
        return None
    return {"gap_um": list(gaps_um), "percent": [percent(float(part), whole) for part in touching]}


def _distance_to_bone_um(kinds: Array, spacing_mm: tuple[float, float, float]) -> Array:
    """Distance from every voxel's centre to that of the nearest bone, float32; infinite without bone."""
    import edt

    if not (kinds == _BONE).any():
        return np.full(kinds.shape, np.inf, np.float32)
    return np.asarray(1000 * edt.edt(kinds != _BONE, anisotropy=spacing_mm, black_border=False))


def _faces(kinds: Array, gap_um: Array, axis: int, inner: slice) -> tuple[int, Array]:
    """Count the faces from implant to bone, and give the gap behind each of those to background."""
    first, last = (inner.start, inner.stop) if axis else (max(inner.start - 1, 0), inner.stop)
    kinds, gap_um = kinds[first:last], gap_um[first:last]
    lower, upper = (tuple(part if k == axis else slice(None) for k in range(3)) for part in _SIDES)
    sums = kinds[lower] + kinds[upper]
    at = np.nonzero(sums == _IMPLANT + _BACKGROUND)
    gaps = np.where(kinds[lower][at] == _IMPLANT, gap_um[upper][at], gap_um[lower][at])
    return int(np.count_nonzero(sums == _IMPLANT + _BONE)), gaps


_SIDES = (slice(None, -1), slice(1, None))
