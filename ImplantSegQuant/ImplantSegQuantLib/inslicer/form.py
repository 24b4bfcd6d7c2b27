"""Sections whose forms lie beside this library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from ImplantSegLib.inslicer.section import Section, telling


class QuantSection(Section):
    """A part of the panel of ImplantSeg Quantification."""

    @staticmethod
    def forms() -> Path:
        """Folder of the forms: beside the library, in the source tree as in Slicer's flat folder."""
        import ImplantSegQuantLib

        return Path(ImplantSegQuantLib.__path__[0]).parent / "Resources" / "UI"


def put(box: Any, enabled: bool, checked: bool) -> None:
    """Show the state of a check box without telling that somebody chose it."""
    blocked = box.blockSignals(True)
    box.enabled = enabled
    box.checked = checked
    box.blockSignals(blocked)


def guarded(action: Callable[[], None]) -> Callable[[], None]:
    """Give a slot that shows what goes wrong as a message."""

    def slot() -> None:
        with telling(_("That did not work.")):
            action()

    return slot
