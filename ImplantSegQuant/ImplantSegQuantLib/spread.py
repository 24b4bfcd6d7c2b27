"""How much a measure spreads over drawn labels and plausible poses, on a scale on which scans are alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

HALF_VOXEL, LOGARITHM = "half_voxel", "logarithm"
"""Scales: what a boundary shift of half a voxel changes is 1; or the logarithm."""

_LEAST = 1e-3
"""Share of a value below which a drawn or true one counts as that, on a scale that has no zero."""


@dataclass(frozen=True)
class Spread:
    """Standard deviations of a measure, on its scale.

    Volumes, rates and depths go by half voxels, because boundaries err by parts of a voxel whatever the size of the
    implant and the healing time; contacts, and what comes from the reference alone, by their logarithm.

    Parameters
    ----------
    scale : str
        ``half_voxel`` or ``logarithm``.
    unit : float
        What 1 on that scale is in the measure's unit, at its value.
    labels, registration : float
        Standard deviation over drawn labels, and over plausible poses.
    """

    scale: str
    unit: float
    labels: float
    registration: float

    def error(self, value: float, truth: float) -> float | None:
        """How far the truth lies above the value, on the scale; None where that has no meaning."""
        if self.unit <= 0:
            return None
        if self.scale == HALF_VOXEL:
            return (truth - value) / self.unit
        return math.log(max(truth / self.unit, _LEAST))

    def moved(self, value: float, by: float) -> float:
        """Value that lies ``by`` above a value, on the scale."""
        return value + by * self.unit if self.scale == HALF_VOXEL else value * math.exp(by)

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Spread | None:
        """Spread of a measurement in ``results.json``; None where it has none."""
        told = entry.get("uncertainty") or {}
        if entry.get("value") is None or told.get("scale") is None or not told.get("scale_unit"):
            return None
        unit = told["scale_unit"]
        return cls(told["scale"], unit, told["sd_labels"] / unit, told["sd_registration"] / unit)


def spread_of(value: float, shift: float | None, drawn: Sequence[float], posed: Sequence[float]) -> Spread | None:
    """Spread of a measure.

    Parameters
    ----------
    value : float
        What was measured.
    shift : float or None
        What a boundary shift of half a voxel changes it by; None for measures that go by their logarithm.
    drawn, posed : sequence of float
        The measure on drawn labels, and in plausible poses.

    Returns
    -------
    Spread or None
        None where the scale has no unit: a contact of 0, or no surface to shift.
    """
    unit = value if shift is None else shift
    if not unit > 0:
        return None
    known = Spread(LOGARITHM if shift is None else HALF_VOXEL, unit, 0.0, 0.0)
    labels, poses = (_deviation([known.error(value, one) for one in values]) for values in (drawn, posed))
    return Spread(known.scale, unit, labels, poses)


def _deviation(errors: Sequence[float | None]) -> float:
    known = [error for error in errors if error is not None]
    return float(np.std(known, ddof=1)) if len(known) > 1 else 0.0
