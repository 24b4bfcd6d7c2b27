"""Figure 4, the relative errors of each model, and the agreement of a model's measurements with the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ImplantSegQuantLib.canvas import new_figure
from ImplantSegQuantLib.study.agreement import agreement
from ImplantSegQuantLib.study.analysis import pairs_with_truth
from ImplantSegQuantLib.study.measurements import PAPER, Row, short
from ImplantSegQuantLib.study.style import INK, SOFT, WIDTH_IN, crowded, letter, mark, spread, wrapped
from ImplantSegQuantLib.tables import unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST_FOR_LIMITS = 3
"""Samples below which no limits of agreement are drawn."""


def errors_figure(rows: Sequence[Row], titles: Mapping[str, str]) -> Figure:
    """Draw the relative errors of DR, BIC and BV/TV: the mean of each model with its spread, and every sample.

    Parameters
    ----------
    rows : sequence of Row
        All numbers.
    titles : mapping of str to str
        Models in the order of the figure, and what they are called.
    """
    drawn = [name for name in PAPER if any(_errors(rows, name, model) for model in titles)]
    leaning = crowded(titles.values())
    figure = new_figure(WIDTH_IN, 2.7 + 0.35 * leaning)
    figure.set_layout_engine("constrained")
    for index, name in enumerate(drawn):
        axes = figure.add_subplot(1, len(drawn), index + 1)
        _bars(axes, {title: _errors(rows, name, model) for model, title in titles.items()}, leaning)
        axes.set_ylabel(f"Relative error of {short(name)} (%)")
        letter(axes, index)
    return figure


def _errors(rows: Sequence[Row], name: str, model: str) -> list[float]:
    return [
        row.relative_error_percent
        for row in rows
        if (row.name, row.model) == (name, model) and row.relative_error_percent is not None
    ]


def _bars(axes: Axes, errors: Mapping[str, Sequence[float]], leaning: bool) -> None:
    for position, values in enumerate(errors.values()):
        if not values:
            continue
        look = mark(position)
        mean = float(np.mean(values))
        axes.bar(position, mean, 0.62, color=look.colour, alpha=0.55, hatch=look.hatch, edgecolor=INK, linewidth=0.6)
        x = position + np.array(spread(len(values), 0.42))
        axes.plot(x, list(values), "o", markersize=2.6, markerfacecolor="white", markeredgecolor=INK,
                  markeredgewidth=0.6, linestyle="none")  # fmt: skip
        if len(values) > 1:
            axes.errorbar(position, mean, np.std(values, ddof=1), color=INK, capsize=4, linewidth=1.1)
    axes.axhline(0, color=INK, linewidth=0.6)
    labels = [f"{title if leaning else wrapped(title)}\nn = {len(values)}" for title, values in errors.items()]
    axes.set_xticks(
        range(len(errors)), labels, rotation=35 if leaning else 0, ha="right" if leaning else "center",
        rotation_mode="anchor" if leaning else "default",
    )  # fmt: skip
    axes.set_xlim(-0.6, len(errors) - 0.4)


def agreement_figure(rows: Sequence[Row], groups: Sequence[str], by: str) -> Figure:
    """Draw differences from the truth against the truth, with bias and limits of agreement (Bland and Altman).

    Parameters
    ----------
    rows : sequence of Row
        Numbers of one model.
    groups : sequence of str
        Values of the property ``by``, each of which has a marker.
    by : str
        Property that groups samples.
    """
    drawn = [name for name in PAPER if pairs_with_truth(row for row in rows if row.name == name)]
    figure = new_figure(WIDTH_IN, 2.8)
    figure.set_layout_engine("constrained")
    for index, name in enumerate(drawn):
        axes = figure.add_subplot(1, len(drawn), index + 1)
        own = [row for row in rows if row.name == name and row.value is not None and row.truth is not None]
        _differences(axes, own, groups, by)
        text = f"{short(name)} ({unit(own[0].unit)})"
        axes.set(xlabel=f"True {text}", ylabel=f"Measured − true {text}")
        axes.set_title(f"n = {len(own)}", loc="right", fontsize=7)
        letter(axes, index)
    handles, labels = figure.axes[0].get_legend_handles_labels() if drawn else ([], [])
    if len(handles) > 1:
        figure.legend(handles, labels, loc="outside upper center", ncols=len(handles))
    return figure


def _differences(axes: Axes, rows: Sequence[Row], groups: Sequence[str], by: str) -> None:
    for index, group in enumerate(groups):
        pairs = pairs_with_truth(row for row in rows if row.group(by) == group)
        if pairs:
            look = mark(index)
            axes.plot([truth for _, truth in pairs], [value - truth for value, truth in pairs], look.marker,
                      color=look.colour, markersize=4, markeredgecolor=INK, markeredgewidth=0.4, label=group or "–",
                      zorder=3)  # fmt: skip
    found = agreement(*zip(*pairs_with_truth(rows), strict=True))
    axes.axhline(0, color=SOFT, linewidth=0.6, zorder=1)
    if found.n < LEAST_FOR_LIMITS:
        return
    assert found.bias is not None
    _level(axes, found.bias, "bias", "-")
    for limit, name in ((found.limit_low, "−1.96 sd"), (found.limit_high, "+1.96 sd")):
        assert limit is not None
        _level(axes, limit, name, "--")
    axes.margins(x=0.12, y=0.14)


def _level(axes: Axes, value: float, name: str, line: str) -> None:
    axes.axhline(value, color=INK, linewidth=0.9, linestyle=line, zorder=2)
    text = f"{name}\n{value:+.3g}".replace("-", "−")
    axes.annotate(text, (1, value), (2, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                  ha="left", va="center", fontsize=6, linespacing=0.95)  # fmt: skip
