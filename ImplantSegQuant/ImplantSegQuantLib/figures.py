"""Figures of a report, drawn by matplotlib without its global state: slices with overlays, and 3D pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ImplantSegLib.labels import COLOURS, TITLES, Label
from ImplantSegQuantLib.canvas import FONT, new_figure, png
from ImplantSegQuantLib.views import Index, Planes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ImplantSegQuantLib.render3d import Pictures

Array = npt.NDArray[Any]
LineStyle = Literal["solid", "dashed", "dotted"]

OUTLINES: dict[str, tuple[str, LineStyle, str]] = {
    "reference": ("#ffffff", "solid", "registered reference"),
    "roi": ("#7df9ff", "dashed", "region of interest (ROI)"),
    "fov": ("#ff7ad1", "dotted", "field of view (FOV)"),
}
"""Colour, line style and name of each outline: light on a dark halo, told apart by line style too."""

_SHADE = 0.55  # brightness of a class where the grey value is lowest
_MARGIN_IN = 0.62  # for ticks, axis titles and the gap between panels


@dataclass(frozen=True)
class Slices:
    """What the slice figure shows.

    Parameters
    ----------
    labels : Planes
        Labels in three planes.
    grey : Planes or None
        Grey values in the same planes.
    outlines : mapping of str to (Planes, level)
        Fields whose contour at the level is drawn; keys of :data:`OUTLINES`.
    spacing_mm : tuple of float
        Voxel size (z, y, x) in mm.
    index : tuple of int
        The voxel (z, y, x) that the planes share.
    mirrored : tuple of bool
        Whether the world runs against the index along (z, y, x): the pictures show it as in the world.
    """

    labels: Planes
    grey: Planes | None
    outlines: Mapping[str, tuple[Planes, float]]
    spacing_mm: tuple[float, float, float]
    index: Index
    mirrored: tuple[bool, bool, bool] = (False, False, False)


def slices_figure(slices: Slices) -> str:
    """Draw three planes at one scale: grey values beside labels and outlines. Returns a PNG as a data URI."""
    import matplotlib

    with matplotlib.rc_context(FONT):
        figure, grid = _panels(slices)
        for row, plane in zip(grid, ("xy", "xz", "yz"), strict=True):
            for column, axes in enumerate(row):
                _draw_plane(axes, slices, plane, overlay=column == len(row) - 1)
        _legend(figure, slices)
        return png(figure)


def pictures_figure(pictures: Pictures) -> str:
    """Put the 3D pictures side by side, each with its scale bar. Returns a PNG as a data URI."""
    import matplotlib

    titles = ("a  implant", "b  implant in bone, layer and bone cut open")
    shapes = [picture.pixels.shape for picture in pictures]
    height_in = 10 / sum(width / height for height, width, _ in shapes)
    with matplotlib.rc_context(FONT):
        figure = new_figure(10, height_in + 0.7)
        grid = figure.add_gridspec(
            1, 2, width_ratios=[width / height for height, width, _ in shapes],
            left=0.01, right=0.99, bottom=0.42 / (height_in + 0.7), top=1 - 0.28 / (height_in + 0.7), wspace=0.03,
        )  # fmt: skip
        for column, (picture, title) in enumerate(zip(pictures, titles, strict=True)):
            axes = figure.add_subplot(grid[0, column])
            height, width, _ = picture.pixels.shape
            size_mm = width * picture.mm_per_pixel, height * picture.mm_per_pixel
            axes.imshow(picture.pixels, extent=(0, size_mm[0], 0, size_mm[1]))
            axes.set_title(title, loc="left", fontweight="bold", fontsize=9)
            axes.set_axis_off()
            _scale_bar(axes, size_mm, "black")
        figure.legend(handles=_class_handles(), loc="lower center", ncols=3, frameon=False)
        return png(figure)


def _panels(slices: Slices) -> tuple[Figure, list[list[Axes]]]:
    """Lay out one row per plane and a column for grey values and for labels, at one scale in mm per inch."""
    z_mm, y_mm, x_mm = np.multiply((*slices.labels.xz.shape[:1], *slices.labels.xy.shape), slices.spacing_mm)
    heights_mm = (y_mm, z_mm, z_mm)
    columns = 1 if slices.grey is None else 2
    scale = min(4.3 / max(x_mm, y_mm), 12 / sum(heights_mm))  # inch per mm
    width = columns * (max(x_mm, y_mm) * scale + _MARGIN_IN) + 0.1
    height = sum(heights_mm) * scale + 3 * _MARGIN_IN + 0.45
    figure = new_figure(max(width, 5.2), height)
    top = 0.3
    grid = []
    for row_mm, row_width_mm in zip(heights_mm, (x_mm, x_mm, y_mm), strict=True):
        row = []
        for column in range(columns):
            left = _MARGIN_IN * (column + 1) + column * max(x_mm, y_mm) * scale
            box = (left, height - top - row_mm * scale, row_width_mm * scale, row_mm * scale)
            row.append(figure.add_axes(tuple(np.divide(box, (max(width, 5.2), height) * 2))))
        top += row_mm * scale + _MARGIN_IN
        grid.append(row)
    return figure, grid


def _draw_plane(axes: Axes, slices: Slices, plane: str, overlay: bool) -> None:
    """Draw one plane: grey values alone, or with labels and outlines over them."""
    labels = getattr(slices.labels, plane)
    vertical, horizontal = ((1, 2), (0, 2), (0, 1))[("xy", "xz", "yz").index(plane)]
    step = slices.spacing_mm[vertical], slices.spacing_mm[horizontal]
    height_mm, width_mm = np.multiply(labels.shape, step)
    downwards = plane == "xy"  # as image viewers show a slice; the other planes stand upright
    place: dict[str, Any] = {
        "origin": "upper" if downwards else "lower",
        "extent": (0, width_mm, *_ends(height_mm, downwards)),
    }
    grey = None if slices.grey is None else _brightness(getattr(slices.grey, plane), *_grey_range(slices.grey))
    axes.imshow(_pixels(labels if overlay else None, grey), **place)
    if overlay:
        for name, (field, level) in slices.outlines.items():
            _outline(axes, getattr(field, plane), level, step, name)
    names = "zyx"
    fixed = ({0, 1, 2} - {vertical, horizontal}).pop()
    axes.set_xlabel(f"{names[horizontal]} (mm)", labelpad=1)
    axes.set_ylabel(f"{names[vertical]} (mm)", labelpad=2)
    axes.tick_params(length=2.5, width=0.6, pad=2)
    at_mm = (slices.index[fixed] + 0.5) * slices.spacing_mm[fixed]
    content = "labels" if overlay else "grey values"
    axes.set_title(f"{plane} plane at {names[fixed]} = {at_mm:.2f} mm, {content}", loc="left", fontsize=8.5, pad=4)
    _scale_bar(axes, (width_mm, height_mm), "white", downwards != slices.mirrored[vertical])
    if slices.mirrored[horizontal]:
        axes.invert_xaxis()
    if slices.mirrored[vertical]:
        axes.invert_yaxis()


def _ends(height_mm: float, downwards: bool) -> tuple[float, float]:
    return (height_mm, 0) if downwards else (0, height_mm)


def _grey_range(grey: Planes) -> tuple[float, float]:
    values = np.concatenate([np.ravel(plane)[::7] for plane in grey])
    low, high = np.percentile(values[np.isfinite(values)], (0.5, 99.8))
    return float(low), float(high)


def _brightness(grey: Array, low: float, high: float) -> npt.NDArray[np.float32]:
    """Grey values in [0, 1]; voxels without a value are black."""
    scaled = (np.nan_to_num(grey.astype(np.float32), nan=low) - low) / max(high - low, 1e-12)
    return np.clip(scaled, 0, 1)


def _pixels(labels: Array | None, grey: Array | None) -> npt.NDArray[np.uint8]:
    """RGB of grey values, of labels, or of labels that are shaded by the grey values under them."""
    if labels is None:
        assert grey is not None, "there is something to draw"
        return np.round(255 * np.repeat(grey[..., None], 3, axis=2)).astype(np.uint8)
    table = np.full((256, 3), 0.1, np.float32)
    table[list(COLOURS)] = list(COLOURS.values())
    if grey is None:
        table[Label.BACKGROUND] = 0.1
        return np.round(255 * table[labels.astype(np.uint8)]).astype(np.uint8)
    table[Label.BACKGROUND] = 1
    shade = np.where(labels == Label.BACKGROUND, grey, _SHADE + (1 - _SHADE) * grey)[..., None]
    return np.round(255 * shade * table[labels.astype(np.uint8)]).astype(np.uint8)


def _outline(axes: Axes, field: Array, level: float, step: tuple[float, float], name: str) -> None:
    """Draw the contour of a field, on a dark line that makes it stand out from any grey."""
    known = field[np.isfinite(field)]
    if min(field.shape) < 2 or not known.size or not known.min() < level < known.max():
        return  # a scan of one slice has no contour in its other planes
    y, x = ((np.arange(count) + 0.5) * size for count, size in zip(field.shape, step, strict=True))
    colour, style, _ = OUTLINES[name]
    axes.contour(x, y, field, [level], colors="black", linewidths=2.6, alpha=0.6)
    axes.contour(x, y, field, [level], colors=colour, linestyles=style, linewidths=1.2)


def _legend(figure: Figure, slices: Slices) -> None:
    from matplotlib import patheffects
    from matplotlib.lines import Line2D

    handles: list[Any] = _class_handles()
    halo = [patheffects.Stroke(linewidth=3.2, foreground="#555555"), patheffects.Normal()]
    for name in slices.outlines:
        colour, style, title = OUTLINES[name]
        handles.append(Line2D([], [], color=colour, linestyle=style, linewidth=1.4, label=title, path_effects=halo))
    columns = 3 if slices.grey is None else len(handles)
    figure.legend(handles=handles, loc="lower center", ncols=columns, frameon=False, fontsize=8, columnspacing=1.2)


def _class_handles() -> list[Any]:
    from matplotlib.patches import Patch

    classes = (Label.RESIDUAL_MATERIAL, Label.DEGRADATION_LAYER, Label.BONE)
    return [Patch(facecolor=COLOURS[label], label=TITLES[label].lower()) for label in classes]


def _scale_bar(axes: Axes, size_mm: tuple[float, float], colour: str, downwards: bool = False) -> None:
    """Draw a bar of a round length, about a fifth of the width, in the lower left corner."""
    from matplotlib import patheffects

    length = round_length_mm(size_mm[0] / 5)
    left, low = 0.03 * size_mm[0], 0.03 * max(size_mm)
    base = size_mm[1] - low if downwards else low
    halo = [patheffects.withStroke(linewidth=3.5, foreground="black" if colour == "white" else "white")]
    axes.plot((left, left + length), (base, base), color=colour, linewidth=2, solid_capstyle="butt", path_effects=halo)
    axes.annotate(
        f"{length:g} mm", (left + length / 2, base), (0, 3), textcoords="offset points",
        color=colour, ha="center", va="bottom", fontsize=8.5, path_effects=halo,
    )  # fmt: skip


def round_length_mm(about_mm: float) -> float:
    """Largest of 1, 2 or 5 times a power of ten that is not above the given length."""
    power = 10.0 ** np.floor(np.log10(about_mm))
    return float(max(step * power for step in (1, 2, 5) if step * power <= about_mm * (1 + 1e-9)))
