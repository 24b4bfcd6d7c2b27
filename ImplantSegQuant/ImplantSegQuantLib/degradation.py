"""Degradation: volume loss, degradation rate, corrosion depth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ImplantSegLib import threads
from ImplantSegLib.errors import InputError
from ImplantSegLib.labels import Label
from ImplantSegQuantLib.contact import percent

Array = np.ndarray[Any, Any]

DAYS_PER_YEAR = 365.25
DAYS_PER_WEEK = 7

SPECK_MM = 0.1
"""Metal farther than this outside the registered reference is mislabelled: an implant only loses metal."""


def years(weeks: float) -> float:
    """Healing time in years of 365.25 days.

    Raises
    ------
    InputError
        When the weeks are not a positive number.
    """
    if not (math.isfinite(weeks) and weeks > 0):
        raise InputError(f"got a healing time of {weeks} weeks, wanted a number above 0", "pass --weeks 12")
    return weeks * DAYS_PER_WEEK / DAYS_PER_YEAR


def degradation_rate(volume_loss_mm3: float, surface_mm2: float, weeks: float) -> float | None:
    """Degradation rate in mm per year, ``(V_i − V_r) / (A_i · t)``; None without a surface.

    Equation 4 of doi:10.3389/fphy.2024.1257512, after doi:10.1016/j.bioactmat.2018.01.003.

    Parameters
    ----------
    volume_loss_mm3 : float
        Initial minus residual volume.
    surface_mm2 : float
        Initial surface, by voxel faces or unbiased.
    weeks : float
        Healing time.
    """
    time_years = years(weeks)
    return volume_loss_mm3 / (surface_mm2 * time_years) if surface_mm2 > 0 else None


def volume_loss_percent(initial_mm3: float, residual_mm3: float) -> float | None:
    """Lost part of the initial volume in %."""
    return percent(initial_mm3 - residual_mm3, initial_mm3)


class DepthMeter:
    """How deep the surface of the metal lies below the surface of the reference, slab by slab.

    The surface of the metal is where residual material shares faces with another class, inside the field of
    view and the region of interest; each of its surface voxels counts once, with the mean of the distance at
    the centres of those faces. Specks of metal outside the reference are none.
    """

    def __init__(self) -> None:
        self._slices: list[Array] = []

    def add(self, labels: Array, distance_mm: Array, inner: slice) -> None:
        """Take in the next slices.

        Parameters
        ----------
        labels : uint8, shape (Z, Y, X)
            Labels, OUTSIDE beyond the field of view and for implant voxels outside the region of interest, with one
            slice more on both sides where there is one.
        distance_mm : float32, shape (Z, Y, X)
            Signed distance to the reference.
        inner : slice
            Which slices are meant; the others are neighbours.
        """
        from ImplantSegQuantLib.field_kernels import surface_distances

        label, most = int(Label.RESIDUAL_MATERIAL), np.float32(SPECK_MM)
        self._slices += threads.each_range(
            lambda low, high: surface_distances(labels, distance_mm, (low, high), label, most), inner.start, inner.stop
        )

    def depth_um(self) -> float | None:
        """Mean depth in µm, positive below the reference's surface; None when there is no surface of metal."""
        distances, voxels = np.concatenate(self._slices).T
        count = float(voxels.sum())
        return -1000.0 * math.fsum(distances) / count if count else None
