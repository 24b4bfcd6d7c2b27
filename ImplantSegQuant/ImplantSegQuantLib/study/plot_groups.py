"""Measurements over the healing time: every sample, and mean ± standard deviation of its group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ImplantSegQuantLib.canvas import new_figure
from ImplantSegQuantLib.study.analysis import by_weeks
from ImplantSegQuantLib.study.measurements import Row, short
from ImplantSegQuantLib.study.style import INK, WIDTH_IN, Mark, letter, mark, spread
from ImplantSegQuantLib.tables import unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3
ROW_IN = 2.35


def groups_figure(rows: Sequence[Row], names: Sequence[str], groups: Sequence[str], by: str) -> Figure | None:
    """Draw measurements of one model against the healing time.

    Parameters
    ----------
    rows : sequence of Row
        Numbers of one model.
    names : sequence of str
        Measurements, a panel for each that has a value at a known time.
    groups : sequence of str
        Values of the property ``by``, each of which has a colour and a marker.
    by : str
        Property that groups samples.

    Returns
    -------
    Figure or None
        None where there is nothing to draw.
    """
    defined = [row for row in rows if row.value is not None and row.weeks is not None]
    panels = {name: own for name in names if (own := [row for row in defined if row.name == name])}
    if not panels:
        return None
    lines = -(-len(panels) // COLUMNS)
    figure = new_figure(WIDTH_IN * min(len(panels), COLUMNS) / COLUMNS, ROW_IN * lines + 0.2)
    figure.set_layout_engine("constrained")
    for index, (name, own) in enumerate(panels.items()):
        axes = figure.add_subplot(lines, min(len(panels), COLUMNS), index + 1)
        _panel(axes, {group: [row for row in own if row.group(by) == group] for group in groups})
        axes.set(xlabel="Healing time, weeks (n)", ylabel=f"{short(name)} ({unit(own[0].unit)})")
        letter(axes, index)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if len(groups) > 1:
        figure.legend(handles, labels, loc="outside upper center", ncols=len(handles))
    return figure


def _panel(axes: Axes, members: Mapping[str, Sequence[Row]]) -> None:
    times = sorted({row.weeks for rows in members.values() for row in rows if row.weeks is not None})
    step = min(np.diff(times), default=4.0)
    shifts = spread(len(members), 0.42 * step * (len(members) > 1))
    for index, ((group, rows), shift) in enumerate(zip(members.items(), shifts, strict=True)):
        _series(axes, rows, mark(index), float(shift), group or "–", float(step))
    axes.set_xticks(times, [f"{weeks:g}\n({_counts(members, weeks)})" for weeks in times])
    axes.set_xlim(times[0] - 0.55 * step, times[-1] + 0.55 * step)
    if axes.dataLim.y0 >= 0:
        axes.set_ylim(0, 1.06 * axes.dataLim.y1 or None)


def _counts(members: Mapping[str, Sequence[Row]], weeks: float) -> str:
    return ", ".join(str(sum(row.weeks == weeks for row in rows)) for rows in members.values())


def _series(axes: Axes, rows: Sequence[Row], look: Mark, shift: float, name: str, step: float) -> None:
    """Draw the samples of a group as open markers, and beside them mean and standard deviation, joined by a line."""
    times = by_weeks(rows)
    means = []
    for weeks, some in times.items():
        values = np.array([row.value for row in some], float)
        x = weeks + shift - 0.05 * step + np.array(spread(len(values), 0.14 * step))
        ordered = sorted(some, key=lambda row: row.value or 0.0)
        for position, row in zip(x, ordered, strict=True):
            if row.interval_low is not None and row.interval_high is not None:
                axes.plot([position] * 2, [row.interval_low, row.interval_high], color=look.colour, linewidth=0.7,
                          alpha=0.7)  # fmt: skip
        axes.plot(x, np.sort(values), look.marker, markersize=3.2, markerfacecolor="white",
                  markeredgecolor=look.colour, markeredgewidth=0.9)  # fmt: skip
        if len(values) > 1:
            means.append((weeks + shift + 0.1 * step, values.mean(), values.std(ddof=1)))
        else:
            means.append((x[0], values[0], np.nan))  # a sample is no mean: the line goes through it
    if not means:
        return
    where, mean, sd = (np.array(part) for part in zip(*means, strict=True))
    axes.plot(where, mean, color=look.colour, linestyle=look.line, linewidth=0.9, zorder=1.5)
    several = np.isfinite(sd)
    axes.errorbar(where[several], mean[several], sd[several], color=look.colour, marker=look.marker, markersize=4.4,
                  linestyle="none", markeredgecolor=INK, markeredgewidth=0.4, linewidth=0.9, capsize=2.2)  # fmt: skip
    axes.plot([], [], color=look.colour, linestyle=look.line, marker=look.marker, markersize=4.4, markeredgecolor=INK,
              markeredgewidth=0.4, linewidth=0.9, label=name)  # fmt: skip
