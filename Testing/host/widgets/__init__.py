"""Stand-ins of the widgets of ctk and MRML that forms name, with the properties and signals of the real ones."""

from __future__ import annotations

import sys
import types


def install(slicer: types.ModuleType) -> types.ModuleType:
    """Put the widgets into a new module ``ctk``, and those of MRML into ``slicer``."""
    from host import uiloader
    from host.widgets import (  # noqa: F401 - they make themselves known
        ctk_buttons,
        ctk_fields,
        ctk_numbers,
        mrml_editor,
        mrml_selectors,
        mrml_views,
    )

    ctk = types.ModuleType("ctk")
    for name, cls in uiloader.WIDGETS.items():
        setattr(ctk if name.startswith("ctk") else slicer, name, cls)
    sys.modules["ctk"] = ctk
    return ctk
