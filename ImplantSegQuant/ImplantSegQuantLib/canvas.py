"""What the figures of a report are drawn on."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 170

FONT: Any = {"font.size": 9, "font.family": "DejaVu Sans", "axes.linewidth": 0.6}
"""Settings of matplotlib for every figure."""


def new_figure(width_in: float, height_in: float) -> Figure:
    """Make an empty figure that no window and no global state knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in))
    FigureCanvasAgg(figure)
    return figure


def png(figure: Figure) -> str:
    """Give a figure as the data URI of a PNG."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
