"""Sections whose forms lie beside this library."""

from __future__ import annotations

from pathlib import Path

from ImplantSegLib.inslicer.section import Section


class QuantSection(Section):
    """A part of the panel of ImplantSeg Quantification."""

    @staticmethod
    def forms() -> Path:
        """Folder of the forms: beside the library, in the source tree as in Slicer's flat folder."""
        import ImplantSegQuantLib

        return Path(ImplantSegQuantLib.__path__[0]).parent / "Resources" / "UI"
