"""The value that every measure returns: a number with its name, its unit and a word about it."""

from __future__ import annotations

from dataclasses import dataclass


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
        Lower and upper bound.
    note : str
        How the number was made, in a line: the formula, the year, the choice of surface.
    warning : str
        What the reader must know before using the number; empty when there is nothing.
    """

    name: str
    value: float | None
    unit: str
    interval: tuple[float, float] | None = None
    note: str = ""
    warning: str = ""
