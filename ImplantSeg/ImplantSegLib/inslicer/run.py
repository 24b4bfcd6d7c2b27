"""The section that runs commands: the button, progress and time left, Cancel, the log, errors as sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from ImplantSegLib.inslicer.runner import Runner, Step
from ImplantSegLib.inslicer.section import Section
from ImplantSegLib.inslicer.worker import Failure, Item, Progress

if TYPE_CHECKING:
    from ImplantSegLib.inslicer.panel import Panel

_ERROR_STYLE = "color: #c62828; font-weight: bold"


class RunSection(Section):
    """One run at a time, started by the button or by another section."""

    FORM = "ImplantSegRun.ui"

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        self.runner = Runner(self)
        self.on_items: Callable[[Item], None] = lambda _: None
        self.on_apply: Callable[[], None] = lambda: None
        self.ui.applyButton.connect("clicked(bool)", self._on_apply)
        self.ui.cancelButton.connect("clicked(bool)", self.cancel)
        self._step = ""
        self._show_running(False)

    def start(
        self,
        steps: Sequence[Step],
        succeeded: Callable[[str], None],
        ended: Callable[[Failure | None], None] = lambda _: None,
        items: Callable[[Item], None] = lambda _: None,
    ) -> None:
        """Start a run.

        Parameters
        ----------
        steps : sequence of Step
            What is run, one after another.
        succeeded : callable
            Called with the output of the last step; loads the result. What it raises is shown as an error.
        ended : callable
            Called last, however the run ended: removes temporary files.
        items : callable
            Told what becomes of the rows of a list of scans.
        """
        self.on_items = items
        self.ui.logText.clear()
        self._show_running(True)
        self.panel.refresh()
        self.runner.start(steps, lambda output: self._load(succeeded, output), ended)

    def cancel(self) -> None:
        """Ask the run to stop; it has two seconds."""
        if self.runner.running:
            self.runner.cancel()
            self.ui.cancelButton.enabled = False
            self.tell(_("Stopping …"))

    def tell(self, sentence: str, error: bool = False) -> None:
        """Show a sentence below the button, in red where it is an error."""
        self.ui.statusLabel.styleSheet = _ERROR_STYLE if error else ""
        self.ui.statusLabel.text = sentence

    def fail(self, failure: Failure) -> None:
        """Show why something did not work: below the button, and in a message of Slicer with the log's last lines."""
        self.tell(str(failure), error=True)
        slicer.util.errorDisplay(
            failure.message + (f"\n\n{failure.remedy}" if failure.remedy else ""),
            detailedText=self.ui.logText.toPlainText() or None,
        )

    def refresh(self) -> None:
        """Enable the button when nothing speaks against a run; else tell in its tooltip what does."""
        problems = self.panel.problems()
        self.ui.applyButton.enabled = not problems and not self.runner.running
        self.ui.applyButton.toolTip = "\n".join(problems) or _("Start")

    def close(self) -> None:
        """End the run, because nobody will see its result."""
        self.runner.close()

    # what the runner tells

    def on_step(self, title: str) -> None:
        """Show the step."""
        self._step = title
        self.ui.progressBar.maximum = 0  # at work, nobody knows how long
        self.tell(f"{title} …")
        self.on_line(f"== {title}")

    def on_progress(self, progress: Progress) -> None:
        """Show the stage and the time left."""
        self.ui.progressBar.maximum = max(progress.total, 1)
        self.ui.progressBar.value = progress.done
        if self.ui.cancelButton.enabled:
            self.tell(f"{self._step}: {progress}")

    def on_item(self, item: Item) -> None:
        """Hand the state of a row to whoever shows the list."""
        self.on_items(item)

    def on_line(self, line: str) -> None:
        """Add a line to the log."""
        self.ui.logText.appendPlainText(line)

    def on_end(self, failure: Failure | None) -> None:
        """Give the form back to the user, and tell how it ended."""
        self._show_running(False)
        self.panel.refresh()
        if failure is None:
            self.tell(_("Done."))
        elif failure.kind == "cancelled":
            self.tell(_("Cancelled."))
        else:
            self.fail(failure)

    def _load(self, succeeded: Callable[[str], None], output: str) -> None:
        with slicer.util.tryWithErrorDisplay(_("The result could not be loaded."), waitCursor=True):
            succeeded(output)

    def _on_apply(self) -> None:
        with slicer.util.tryWithErrorDisplay(_("The run could not be started.")):
            self.on_apply()

    def _show_running(self, running: bool) -> None:
        self.ui.cancelButton.enabled = running
        self.ui.progressBar.visible = running
        self.ui.progressBar.value = 0
