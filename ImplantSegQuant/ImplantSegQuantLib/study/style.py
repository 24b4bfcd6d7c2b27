"""How the figures of a study look: sizes of a journal's columns, colours and markers that survive a photocopy."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ImplantSegLib.files import atomic_path
from ImplantSegQuantLib.canvas import FONT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = 7.1
"""Two columns of a journal, 180 mm."""

DPI = 300

STYLE: Any = {
    **FONT,
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "svg.hashsalt": "implantseg",  # the same numbers give the same file
    "hatch.linewidth": 0.5,
}
"""Settings of matplotlib for every figure of a study."""

LABEL_CHARACTERS, PANEL_CHARACTERS = 11, 30
"""Characters of a line of a label, and of all labels under a panel."""

INK, SOFT = "#1b2430", "#7b8794"


class Mark(NamedTuple):
    """How one series is told from the others, in colour and without."""

    colour: str
    marker: str
    hatch: str
    line: str


MARKS = (
    Mark("#4477aa", "o", "", "-"),
    Mark("#ee6677", "s", "////", "--"),
    Mark("#228833", "^", "....", "-."),
    Mark("#aa3377", "D", "\\\\\\\\", ":"),
    Mark("#ccbb44", "v", "xxxx", (0, (5, 1, 1, 1)),),  # type: ignore[arg-type]
    Mark("#66ccee", "P", "----", (0, (3, 1))),  # type: ignore[arg-type]
    Mark("#777777", "X", "++++", (0, (1, 1))),  # type: ignore[arg-type]
)  # fmt: skip
"""P. Tol's bright scheme, which colour-blind readers tell apart, with a marker and a hatch for each."""


def mark(index: int) -> Mark:
    """Give the mark of a series; from the eighth on they repeat."""
    return MARKS[index % len(MARKS)]


def letter(axes: Axes, index: int) -> None:
    """Write the letter of a panel."""
    axes.set_title("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index % 26], loc="left", fontweight="bold", fontsize=9)


def spread(count: int, width: float) -> list[float]:
    """Offsets that set points beside each other, symmetrical about 0; a single one stays in the middle."""
    return [0.0] if count == 1 else [width * (2 * index / (count - 1) - 1) / 2 for index in range(count)]


def wrapped(text: str) -> str:
    """Break a label into short lines between its words."""
    return textwrap.fill(text, LABEL_CHARACTERS, break_long_words=False, break_on_hyphens=False)


def crowded(texts: Iterable[str]) -> bool:
    """Tell whether labels, each in short lines, would still run into each other under a third of the width."""
    longest = [max(map(len, wrapped(text).splitlines()), default=0) for text in texts]
    return max(longest, default=0) * len(longest) > PANEL_CHARACTERS


def save(figure: Figure, folder: Path, name: str) -> str:
    """Write a figure as PNG (300 dpi) and SVG, and give the SVG's text."""
    for suffix, options in {".png": {"dpi": DPI, "metadata": {"Software": None}}, ".svg": {"metadata": _QUIET}}.items():
        with atomic_path(folder / f"{name}{suffix}") as temporary:
            figure.savefig(temporary, facecolor="white", **options)  # type: ignore[arg-type]
    return (folder / f"{name}.svg").read_text(encoding="utf-8")


_QUIET = {"Date": None, "Creator": None, "Format": None, "Type": None}
