"""Pages of HTML that need nothing beside them: style and pictures are inside."""

from __future__ import annotations

import base64
import io
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def render(template: str, **values: Any) -> str:
    """Fill in a packaged template; the common style is ``style`` in it.

    Parameters
    ----------
    template : str
        Name of a file in the folder ``data``.
    **values
        What the template shows; text is escaped.
    """
    import jinja2

    data = resources.files("ImplantSegLib") / "data"
    text, style = ((data / name).read_text(encoding="utf-8") for name in (template, "page.css"))
    page = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)
    return page.render(style=style, **values)


def embedded(figure: Figure) -> str:
    """Draw a figure as PNG, in base64."""
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=150)
    return base64.b64encode(image.getvalue()).decode()
