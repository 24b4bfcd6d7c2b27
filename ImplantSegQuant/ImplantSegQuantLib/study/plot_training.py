"""Figure 2: validation mIoU against the input size of each network, and the best of each network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ImplantSegQuantLib.canvas import new_figure
from ImplantSegQuantLib.study.style import WIDTH_IN, letter, mark
from ImplantSegQuantLib.study.training import Trained, best, by_framework

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def training_figure(found: Sequence[Trained]) -> Figure:
    """Draw panel A, where a network was trained at several input sizes, and panel B.

    Parameters
    ----------
    found : sequence of Trained
        At least one.
    """
    sizes = [one for group in by_framework(found).values() for one in group]
    panels = [_against_size, _best] if sizes else [_best]
    figure = new_figure(WIDTH_IN if sizes else 0.65 * WIDTH_IN, 2.9)
    figure.set_layout_engine("constrained")
    shares = [1.0, 1.45] if sizes else [1.0]
    for index, (axes, draw) in enumerate(zip(_axes(figure, shares), panels, strict=True)):
        draw(axes, found)
        letter(axes, index)
        axes.set_ylabel("Validation mIoU (%)")
        axes.grid(axis="y", color="#e6eaee", linewidth=0.6)
        axes.set_axisbelow(True)
    return figure


def _axes(figure: Figure, shares: list[float]) -> list[Axes]:
    grid = figure.add_gridspec(1, len(shares), width_ratios=shares)
    return [figure.add_subplot(grid[0, column]) for column in range(len(shares))]


def _against_size(axes: Axes, found: Sequence[Trained]) -> None:
    frameworks = by_framework(found)
    several = [one for group in frameworks.values() for one in group]
    networks = list(dict.fromkeys((one.framework, one.model) for one in several))
    for index, key in enumerate(networks):
        line = sorted((one for one in several if (one.framework, one.model) == key), key=lambda one: one.side)
        name = key[1] if len(frameworks) == 1 else f"{key[1]} ({key[0]})"
        look = mark(index)
        axes.errorbar(
            [one.side for one in line], [one.mean for one in line], [one.sd or 0.0 for one in line], label=name,
            color=look.colour, marker=look.marker, linestyle=look.line, markersize=4.5, linewidth=1.1, capsize=2.5,
        )  # fmt: skip
    ticks = {one.side: one.size_text for one in several}
    axes.set_xticks(sorted(ticks), [ticks[side].replace(" × ", "\n× ") for side in sorted(ticks)])
    axes.margins(x=0.12)
    axes.set_xlabel("Input size (pixels)" + (f", {next(iter(frameworks))}" if len(frameworks) == 1 else ""))
    axes.legend(loc="lower right", fontsize=7, handlelength=2.6)


def _best(axes: Axes, found: Sequence[Trained]) -> None:
    chosen = best(found)
    frameworks = list(dict.fromkeys(one.framework for one in chosen))
    for position, one in enumerate(chosen):
        look = mark(frameworks.index(one.framework))
        axes.errorbar(
            position, one.mean, one.sd or 0.0, color=look.colour, marker=look.marker, markersize=5.5, capsize=3,
            linewidth=1.1,
        )  # fmt: skip
        axes.annotate(f"{one.mean:.2f}", (position, one.mean), (5, 3), textcoords="offset points", fontsize=6.5)
    labels = ["\n".join(filter(None, (one.model, one.framework, one.size_text))) for one in chosen]
    axes.set_xticks(range(len(chosen)), labels, fontsize=6.2 if len(chosen) > 4 else 7)
    axes.set_xlim(-0.5, len(chosen) - 0.35)
