"""The section that measures: the button, progress and Cancel, and what becomes of the results."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from ImplantSegLib.inslicer.run import RunSection
from ImplantSegQuantLib.inslicer.measuring import Measuring
from ImplantSegQuantLib.inslicer.registration_section import RegistrationSection
from ImplantSegQuantLib.inslicer.results_section import ResultsSection


class MeasureSection(RunSection):
    """The run of the panel; its button measures the chosen sample."""

    def __init__(self, panel: Any) -> None:
        super().__init__(panel)
        self.ui.applyButton.text = _("Measure")
        self.on_apply = self.measure

    def measure(self) -> None:
        """Measure the chosen sample in its accepted pose, or in one that is found."""
        registration = self.panel.section(RegistrationSection)
        with slicer.util.WaitCursor():
            task = Measuring(registration.choice, registration.accepted())
        self.start(task.steps, lambda output: self._show(task, output), task.end)

    def _show(self, task: Measuring, output: str) -> None:
        self.panel.section(ResultsSection).show(task.load(output))
