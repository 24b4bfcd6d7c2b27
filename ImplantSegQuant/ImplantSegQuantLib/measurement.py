"""The value that every measure returns: a number with its name, its unit and a word about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Uncertainty:
    """Where an interval comes from; docs/measures.md, "Intervals".

    Parameters
    ----------
    bound_half_voxel : tuple of two floats, optional
        The measure where every boundary lies half a voxel to either side.
    method : str, optional
        ``calibrated`` or ``uncalibrated``; None without class probabilities.
    scale : str, optional
        Scale of the spread: ``half_voxel`` or ``logarithm``.
    scale_unit : float, optional
        What 1 on that scale is in the measure's unit.
    sd_labels, sd_registration, sd_model : float, optional
        Standard deviations in the measure's unit: over drawn labels, over plausible poses, and the model's own error
        that its calibration found; the last is None without one.
    dominated_by : str, optional
        The largest of them: ``labels``, ``registration`` or ``model``; None where all are 0.
    """

    bound_half_voxel: tuple[float, float] | None = None
    method: str | None = None
    scale: str | None = None
    scale_unit: float | None = None
    sd_labels: float | None = None
    sd_registration: float | None = None
    sd_model: float | None = None
    dominated_by: str | None = None


@dataclass(frozen=True)
class Measurement:
    """One measured quantity.

    Parameters
    ----------
    name : str
        Key of the quantity in every file: ``degradation_rate``.
    value : float or None
        The number; None where the quantity is undefined.
    unit : str
        ``mm/a``, ``%``, ``mm^3``, ``mm^2`` or ``µm``.
    interval : tuple of two floats, optional
        Lower and upper end of its confidence interval.
    note : str
        How the number was made, in a line: the formula, the year, the choice of surface.
    warning : str
        What the reader must know before using the number; empty when there is nothing.
    uncertainty : Uncertainty, optional
        Where the interval comes from, and the bound beside it.
    """

    name: str
    value: float | None
    unit: str
    interval: tuple[float, float] | None = None
    note: str = ""
    warning: str = ""
    uncertainty: Uncertainty | None = None
