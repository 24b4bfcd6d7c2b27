"""How a fit is judged: a word, a colour and the figures behind them."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import NamedTuple

from slicer.i18n import tr as _

GREEN, ORANGE, RED, GREY = "#2e7d32", "#e65100", "#c62828", "#757575"

LIMITS = {"outside_percent": 2.5, "sound_percent": 12.0, "filled_percent": 25.0}
"""Where ``register`` refuses a fit (:mod:`ImplantSegQuantLib.fit`); only a pose set by hand gets there."""

CAUTION = {
    "outside_percent": 0.5,
    "sound_percent": 25.0,
    "filled_percent": 50.0,
    "slide_volume_percent": 1.0,
    "volume_spread_percent": 0.25,
    "rival_volume_percent": 1.0,
}
"""Where a fit wants a look: right screws have 0.1 % outside; one that has lost half its volume keeps 20 % sound
surface; a slide that changes the initial volume by 1 % changes a volume loss of 20 % by a twentieth; the last two are
those that :func:`ImplantSegQuantLib.fit.warnings` warns of."""

_LOW_IS_BAD = ("sound_percent", "filled_percent")


class Grade(NamedTuple):
    """The verdict on a fit."""

    word: str
    colour: str
    reasons: list[str]


def grade(figures: Mapping[str, float]) -> Grade:
    """Judge a fit by its figures; those of a pose set by hand are unknown until it is measured."""
    if not figures:
        return Grade(_("not assessed"), GREY, [_("Set by hand: measuring tells how well it fits.")])
    if _beyond(figures, LIMITS):
        return Grade(_("poor"), RED, _beyond(figures, LIMITS))
    if _beyond(figures, CAUTION):
        return Grade(_("look at it"), ORANGE, _beyond(figures, CAUTION))
    return Grade(_("good"), GREEN, [])


def _beyond(figures: Mapping[str, float], limits: Mapping[str, float]) -> list[str]:
    reasons = []
    for name, limit in limits.items():
        value = figures.get(name)
        low = name in _LOW_IS_BAD
        if value is not None and (value < limit if low else value > limit):
            wanted = _("at least") if low else _("at most")
            reasons.append(f"{_SHORT[name]}: {value:.1f} % ({wanted} {limit:g} %)")
    return reasons


_SHORT = {
    "outside_percent": _("implant outside the reference"),
    "sound_percent": _("surface that touches the reference"),
    "filled_percent": _("reference that is implant"),
    "slide_volume_percent": _("initial volume, uncertain by"),
    "volume_spread_percent": _("initial volume, standard deviation"),
    "rival_volume_percent": _("initial volume, range over poses that fit as well"),
}


def text(figures: Mapping[str, float]) -> str:
    """Verdict and figures as rich text for a label."""
    verdict = grade(figures)
    lines = [f"<b>{_('Fit')}: <span style='color:{verdict.colour}'>{verdict.word}</span></b>"]
    if figures:
        lines += [
            _("surface distance {mean} µm, 95 % within {high} µm").format(
                mean=_number(figures, "surface_distance_mean_um"), high=_number(figures, "surface_distance_95_um")
            ),
            _("overlap {filled} % of the reference, {outside} % of the implant outside").format(
                filled=_number(figures, "filled_percent"), outside=_number(figures, "outside_percent")
            ),
            _("uncertain by {slide} µm along the screw, which is {volume} % of the initial volume").format(
                slide=_number(figures, "slide_um"), volume=_number(figures, "slide_volume_percent")
            ),
        ]
    lines += [f"<span style='color:{verdict.colour}'>{html.escape(reason)}</span>" for reason in verdict.reasons]
    return "<br>".join(lines)


def _number(figures: Mapping[str, float], name: str) -> str:
    value = figures.get(name)
    return "?" if value is None else f"{value:.2g}" if abs(value) < 10 else f"{value:.0f}"
