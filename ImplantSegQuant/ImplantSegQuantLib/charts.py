"""Charts of a report: contact by gap, thickness of the layer, loss along and about the thread; the unrolled surface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ImplantSegLib.labels import COLOURS, Label
from ImplantSegQuantLib.canvas import FONT, new_figure, png
from ImplantSegQuantLib.definitions import FLANKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ImplantSegQuantLib.unroll import Unrolled

Profiles = Mapping[str, Any]

_OWN, _TRUE = "#1f5fa8", "#333333"


def profiles_figure(own: Profiles, true: Profiles) -> str:
    """Draw what there is of the profiles of a result, beside those of the truth.

    Parameters
    ----------
    own, true : mapping
        ``"profiles"`` and ``"truth_profiles"`` of a result; empty where there are none.

    Returns
    -------
    str
        A PNG as a data URI; empty when there is nothing to draw.
    """
    import matplotlib

    drawn = [name for name in _DRAWN if own.get(name)]
    if not drawn:
        return ""
    columns, rows = min(2, len(drawn)), -(-len(drawn) // 2)
    with matplotlib.rc_context(FONT):
        figure = new_figure(4.6 * columns, 3.1 * rows)
        for number, name in enumerate(drawn):
            axes = figure.add_subplot(rows, columns, number + 1)
            _DRAWN[name](axes, own[name], true.get(name))
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_title("abcd"[number], loc="left", fontweight="bold", fontsize=9)
        figure.tight_layout()
        return png(figure)


def unrolled_figure(contact: Unrolled | None, depth: Unrolled | None) -> str:
    """Draw contact and corrosion depth by angle and height, at one scale along both.

    Parameters
    ----------
    contact, depth : Unrolled or None
        Share of the surface in contact, 0 to 1, and corrosion depth in µm.

    Returns
    -------
    str
        A PNG as a data URI; empty when there is nothing to draw.
    """
    import matplotlib

    drawn = [(draw, found) for draw, found in ((_contact, contact), (_depth, depth)) if found is not None]
    if not drawn:
        return ""
    heights = [float(np.ptp(found.heights_mm)) / (2 * np.pi * found.radius_mm) for _, found in drawn]
    with matplotlib.rc_context(FONT):
        figure = new_figure(5.0 * len(drawn), min(9.0, max(4.2 * max(heights), 0.8)) + 1.6)
        figure.set_layout_engine("constrained")
        for column, (draw, found) in enumerate(drawn, start=1):
            axes = figure.add_subplot(1, len(drawn), column)
            draw(figure, axes, found)
            axes.set_aspect(360 / (2 * np.pi * found.radius_mm))
            axes.set(xlabel="angle about the axis (°)", ylabel="height (mm)")
            axes.set_xticks(range(-180, 181, 90))
            axes.set_facecolor("#eeeeee")
        return png(figure)


def _contact(figure: Figure, axes: Axes, found: Unrolled) -> None:
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    colours = LinearSegmentedColormap.from_list("contact", ["#5b6b7b", to_hex(COLOURS[Label.BONE])])
    picture = axes.imshow(found.values, cmap=colours, vmin=0, vmax=1, **_place(found))
    axes.set_title("a  bone contact", loc="left", fontweight="bold", fontsize=9)
    bar = figure.colorbar(picture, ax=axes, location="bottom", shrink=0.5, aspect=30, ticks=[0, 1])
    bar.ax.set_xticklabels(["none", "bone"])


def _depth(figure: Figure, axes: Axes, found: Unrolled) -> None:
    low, high = np.nanpercentile(found.values, (1, 99))
    picture = axes.imshow(found.values, cmap="viridis", vmin=min(low, 0), vmax=max(high, 1), **_place(found))
    axes.set_title("b  corrosion depth", loc="left", fontweight="bold", fontsize=9)
    figure.colorbar(picture, ax=axes, location="bottom", shrink=0.5, aspect=30, label="µm")


def _place(found: Unrolled) -> dict[str, Any]:
    heights = found.heights_mm
    return {"origin": "lower", "extent": (-180, 180, heights[0], heights[-1]), "interpolation": "nearest"}


def _gap(axes: Axes, own: Profiles, true: Profiles | None) -> None:
    axes.plot(own["gap_um"], own["percent"], color=_OWN, drawstyle="steps-post", label="segmentation")
    if true:
        axes.plot(true["gap_um"], true["percent"], color=_TRUE, ls="--", drawstyle="steps-post", label="truth")
        axes.legend(frameon=False, loc="lower right")
    axes.plot(own["gap_um"][0], own["percent"][0], "o", color=_OWN, markersize=4, clip_on=False)
    axes.set(xlabel="gap bridged (µm)", ylabel="BIC (%)", xlim=(0, own["gap_um"][-1]), ylim=(0, 100))


def _layer(axes: Axes, own: Profiles, true: Profiles | None) -> None:
    axes.stairs(
        own["percent"], own["edges_um"], fill=True, color=COLOURS[Label.DEGRADATION_LAYER], label="segmentation"
    )
    if true:
        axes.stairs(true["percent"], true["edges_um"], color=_TRUE, ls="--", label="truth")
        axes.legend(frameon=False)
    axes.axvline(own["percentiles_um"]["50"], color=_OWN, linewidth=1)
    axes.annotate(
        "median", (own["percentiles_um"]["50"], axes.get_ylim()[1]), (3, -3), textcoords="offset points", va="top"
    )
    axes.set(xlabel="local thickness of the degradation layer (µm)", ylabel="share of its volume (%)", xlim=(0, None))


def _along(axes: Axes, own: Profiles, true: Profiles | None) -> None:
    """Degradation rate of the slices across the axis; a gap where it is undefined."""
    _stairs(axes, own, color=_OWN, label="segmentation")
    if true:
        _stairs(axes, true, color=_TRUE, ls="--", label="truth")
        axes.legend(frameon=False)
    axes.axhline(0, color="black", linewidth=0.6)
    origin = "the tip" if own["tip_known"] else "one end"
    axes.set(xlabel=f"height along the axis, from {origin} of the reference (mm)", ylabel="DR, unbiased (mm/a)")


def _stairs(axes: Axes, along: Profiles, **style: Any) -> None:
    rates = [np.nan if rate is None else rate for rate in along["degradation_rate_mm_per_year"]]
    axes.stairs(rates, along["edges_mm"], baseline=None, linewidth=1.3, **style)


def _flanks(axes: Axes, own: Profiles, true: Profiles | None) -> None:
    """Corrosion depth on every side of the thread."""
    names = list(own)
    axes.bar(range(len(names)), _depths(own, names), width=0.6, color=_OWN, label="segmentation")
    if true:
        axes.plot(range(len(names)), _depths(true, names), "_", color="#e8a33d", markersize=26, mew=2, label="truth")
        axes.margins(y=0.25)  # room for the legend
        axes.legend(frameon=False, loc="upper right", ncols=2)
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_xticks(range(len(names)), [FLANKS[name].replace(" (", "\n(") for name in names])
    axes.set(ylabel="corrosion depth, mean (µm)")


def _depths(flanks: Profiles, names: list[str]) -> list[float]:
    found = (flanks.get(name, {}).get("corrosion_depth_um") for name in names)
    return [np.nan if depth is None else depth for depth in found]


_DRAWN = {
    "bone_implant_contact_by_gap": _gap,
    "degradation_layer_thickness": _layer,
    "degradation_along_axis": _along,
    "degradation_by_flank": _flanks,
}
"""Profiles that are drawn, in their order."""
