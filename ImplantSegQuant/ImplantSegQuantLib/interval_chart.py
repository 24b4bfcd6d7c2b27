"""The figure of a report that sets value, interval and half-voxel bound of the key measures side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ImplantSegQuantLib.canvas import FONT, new_figure, png
from ImplantSegQuantLib.definitions import UNITS
from ImplantSegQuantLib.results import number
from ImplantSegQuantLib.uncertainty import BIC, CORRECTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = {
    "degradation_rate": "DR (voxel faces)",
    "degradation_rate_unbiased": "DR (unbiased surface)",
    BIC: "BIC",
    "bone_volume_fraction": "BV/TV",
}
"""Measures that are drawn, and what they are called."""

_BOUND, _INTERVAL, _VALUE, _CORRECTED, _TRUTH = "#d5dbe2", "#5a8fc4", "#1b2430", "#d98200", "#b3261e"


def intervals_figure(result: Mapping[str, Any]) -> str:
    """Draw each key measure on a scale of its own.

    Parameters
    ----------
    result : mapping
        What ``results.json`` holds.

    Returns
    -------
    str
        A PNG as a data URI; empty where no measure has a bound or an interval.
    """
    import matplotlib

    measured = result["measurements"]
    names = [name for name in SHOWN if _has_something(measured.get(name))]
    if not names:
        return ""
    with matplotlib.rc_context(FONT):
        figure = new_figure(7.2, 0.85 * len(names) + 0.5)
        for row, name in enumerate(names, start=1):
            _draw(figure.add_subplot(len(names), 1, row), result, name)
        _legend(figure.axes[0], figure.axes)
        figure.tight_layout(h_pad=0.6)
        return png(figure)


def _has_something(entry: Mapping[str, Any] | None) -> bool:
    if entry is None or entry.get("value") is None:
        return False
    return bool(entry.get("interval") or (entry.get("uncertainty") or {}).get("bound_half_voxel"))


def _draw(axes: Axes, result: Mapping[str, Any], name: str) -> None:
    entry = result["measurements"][name]
    if bound := (entry.get("uncertainty") or {}).get("bound_half_voxel"):
        axes.barh(0, bound[1] - bound[0], left=bound[0], height=0.62, color=_BOUND, label="bound, half a voxel")
    if interval := entry.get("interval"):
        axes.barh(0, interval[1] - interval[0], left=interval[0], height=0.3, color=_INTERVAL, label=_level(result))
    axes.plot(entry["value"], 0, "o", color=_VALUE, markersize=5, label="value", linestyle="none")
    corrected = result["measurements"].get(CORRECTED) if name == BIC else None
    if corrected and corrected.get("value") is not None:
        axes.plot(corrected["value"], 0, "D", color=_CORRECTED, markersize=4, label="corrected", linestyle="none")
    truth = number((result.get("truth") or {}).get(name))
    if truth is not None:
        axes.plot([truth, truth], [-0.42, 0.42], color=_TRUTH, linewidth=1.4, label="truth")
    axes.set(ylim=(-0.5, 0.5), yticks=[])
    axes.margins(x=0.08)
    axes.spines[["top", "right", "left"]].set_visible(False)
    unit = UNITS.get(entry["unit"], entry["unit"])
    axes.set_ylabel(f"{SHOWN[name]}\n({unit})", rotation=0, ha="right", va="center")


def _level(result: Mapping[str, Any]) -> str:
    level = (result.get("uncertainty") or {}).get("level")
    return f"{level:g} % interval" if level else "interval"


def _legend(axes: Axes, others: list[Axes]) -> None:
    """Name every mark once, above the first row."""
    known: dict[str, Any] = {}
    for one in others:
        handles, labels = one.get_legend_handles_labels()
        known.update(zip(labels, handles, strict=True))
    place: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": len(known)}
    axes.legend(list(known.values()), list(known), frameon=False, **place)
