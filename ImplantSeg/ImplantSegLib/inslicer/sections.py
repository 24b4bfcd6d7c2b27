"""What the panel of ImplantSeg shows, from top to bottom."""

from ImplantSegLib.inslicer.run import RunSection
from ImplantSegLib.inslicer.section import Section

SECTIONS: tuple[type[Section], ...] = (RunSection,)
