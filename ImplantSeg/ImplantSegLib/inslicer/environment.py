"""The section Environment: what this installation has and lacks, and buttons that mend it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ImplantSegLib.inslicer import facts as told
from ImplantSegLib.inslicer import packages, tables
from ImplantSegLib.inslicer.facts import Facts
from ImplantSegLib.inslicer.runner import Runner, ask
from ImplantSegLib.inslicer.section import BAD_COLOUR, ERROR_STYLE, Section, sentence, telling
from ImplantSegLib.inslicer.worker import Failure

if TYPE_CHECKING:
    from ImplantSegLib.inslicer.panel import Panel


class EnvironmentSection(Section):
    """Shows the packages, PyTorch and the GPU; installs what is missing when the user asks for it.

    Attributes
    ----------
    facts : mapping or None
        What ``implantseg environment --json`` told last; ``None`` until it has.
    """

    FORM = "ImplantSegEnvironment.ui"

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        self.facts: Facts | None = None
        self._asking: Runner | None = None
        self._reporting: Runner | None = None
        tables.prepare(self.ui.packageTable, [_("Package"), _("Needed"), _("Found")])
        self.ui.refreshEnvironmentButton.connect("clicked(bool)", self.reload)
        self.ui.installPackagesButton.connect("clicked(bool)", self._on_install_packages)
        self.ui.installTorchButton.connect("clicked(bool)", self._on_install_torch)
        self.ui.copyReportButton.connect("clicked(bool)", self._on_copy_report)

    def reload(self) -> None:
        """Ask anew, in the background: looking at torch takes seconds."""
        self.close()
        self.tell(_("Looking …"))
        self._asking = ask("environment", ["--json"], self._on_facts, self._on_failure)

    def tell(self, text: str, error: bool = False) -> None:
        """Show a sentence below the buttons, in red where it is an error."""
        self.ui.environmentLabel.styleSheet = ERROR_STYLE if error else ""
        self.ui.environmentLabel.text = text

    def refresh(self) -> None:
        """Ask once, when the module is first shown."""
        if self.facts is None and self._asking is None:
            self.reload()

    def entered(self) -> None:
        """Ask again where something was missing: the user may come back from the module that installs PyTorch."""
        if self.facts is not None and _lacking(self.facts):
            self.reload()

    def problems(self) -> list[str]:
        """Tell what is missing for every run."""
        return [] if self.facts is None else told.problems(self.facts)

    def close(self) -> None:
        """Ask no longer."""
        asked = [runner for runner in (self._asking, self._reporting) if runner is not None and runner.running]
        for runner in asked:
            runner.close()
        self._asking = None  # asked again when the panel is shown again
        if asked and self.facts is not None:
            self._tell_lacking()

    def _on_facts(self, output: str) -> None:
        self.facts = facts = json.loads(output)
        tables.fill(self.ui.packageTable, [row[:3] for row in told.rows(facts)])
        for index, row in enumerate(told.rows(facts)):
            if not row[3]:
                tables.paint(self.ui.packageTable, index, BAD_COLOUR)
        self.ui.torchLabel.text = told.device_line(facts)
        self.ui.installPackagesButton.enabled = bool(told.missing(facts))
        self.ui.installTorchButton.enabled = not told.torch_will_do(facts)
        self._tell_lacking()
        self.panel.refresh()

    def _tell_lacking(self) -> None:
        lacking = _lacking(self.facts) if self.facts is not None else []
        self.tell("\n".join(lacking) or _("Nothing is missing."), error=bool(lacking))

    def _on_failure(self, failure: Failure) -> None:
        if failure.kind != "cancelled":
            self.tell(sentence(failure.message, failure.remedy), error=True)

    def _on_install_packages(self) -> None:
        self._install(packages.install_packages, _("The packages could not be installed."))

    def _on_install_torch(self) -> None:
        self._install(packages.install_torch, _("PyTorch could not be installed."))

    def _install(self, install: Callable[[], bool], failed: str) -> None:
        with telling(failed):
            self.panel.run.runner.refuse_second_run()  # which would read packages while they are replaced
            if install():
                self.reload()
            else:
                self.tell(_("Nothing was installed."))

    def _on_copy_report(self) -> None:
        if self._reporting is None or not self._reporting.running:
            self.tell(_("Making the report …"))
            self._reporting = ask("environment", [], self._on_report, self._on_failure)

    def _on_report(self, report: str) -> None:
        slicer.app.clipboard().setText(report)
        self.tell(_("The report is in the clipboard; paste it into a bug report."))


def _lacking(facts: Facts) -> list[str]:
    return [*told.problems(facts), *filter(None, [told.idle_gpu(facts)])]
