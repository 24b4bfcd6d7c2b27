"""The section that runs commands: the button, progress and time left, Cancel, the log, errors as sentences."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from ImplantSegLib.inslicer.runner import Runner, Step
from ImplantSegLib.inslicer.section import ERROR_STYLE, WARNING_STYLE, Section, sentence, telling
from ImplantSegLib.inslicer.worker import Failure, Item, Progress, clock

if TYPE_CHECKING:
    from ImplantSegLib.inslicer.panel import Panel


_LOGGER = re.compile(r"^(\w+) ImplantSeg[\w.]+:")
"""Begin of a line of a log: how grave it is, and the module that nobody in front of a panel wants to know."""


class RunSection(Section):
    """One run at a time, started by the button or by another section.

    Attributes
    ----------
    on_apply : callable
        What the button does; set by the section that starts runs. What it raises is shown.
    """

    FORM = "ImplantSegRun.ui"

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        self.runner = Runner(self)
        self.on_items: Callable[[Item], None] = lambda _: None
        self.on_apply: Callable[[], None] = lambda: None
        self._step, self._said, self._stage = "", "", ""
        self._warnings = 0
        self._started_s = 0.0
        self._stopped_by_close = False
        self._clock = qt.QTimer()
        self._clock.setInterval(1000)
        self._clock.connect("timeout()", self._show_state)
        self.ui.applyButton.connect("clicked(bool)", self._on_apply)
        self.ui.cancelButton.connect("clicked(bool)", self.cancel)
        self.ui.copyLogButton.connect("clicked(bool)", self._on_copy_log)
        self.ui.saveLogButton.connect("clicked(bool)", self._on_save_log)
        self._show_running(False)

    def start(
        self,
        steps: Sequence[Step],
        succeeded: Callable[[str], None],
        ended: Callable[[Failure | None], None] = lambda _: None,
        items: Callable[[Item], None] = lambda _: None,
    ) -> None:
        """Start a run.

        The user may show another module while it goes on: the callbacks must not rely on ``panel.parameters``,
        which is ``None`` then.

        Parameters
        ----------
        steps : sequence of Step
            What is run, one after another.
        succeeded : callable
            Called with the output of the last step; loads the result. Where it raises, the nodes that it has added
            to the scene are taken out again, and the run has failed.
        ended : callable
            Called last, however the run ended: removes temporary files.
        items : callable
            Told what becomes of the rows of a list of scans.

        Raises
        ------
        InputError
            When a run is going on.
        """
        self.runner.refuse_second_run()
        self.on_items = items
        self._started_s, self._warnings = time.monotonic(), 0
        self.ui.logText.clear()
        self._show_running(True)
        self.runner.start(steps, lambda output: _load(succeeded, output), ended)
        self.panel.refresh()

    def cancel(self) -> None:
        """Ask the run to stop; within two seconds nothing of it is left."""
        if self.runner.running:
            self.ui.cancelButton.enabled = False
            self.tell(_("Stopping …"))
            self.runner.cancel()

    def tell(self, text: str, error: bool = False) -> None:
        """Show a sentence below the button, in red where it is an error."""
        self.ui.statusLabel.styleSheet = ERROR_STYLE if error else ""
        self.ui.statusLabel.text = text

    def fail(self, failure: Failure) -> None:
        """Show why something did not work: below the button, and in a message of Slicer with what is known more."""
        text = sentence(failure.message, self._remedy(failure))
        self.tell(text, error=True)
        details = failure.details or self.ui.logText.toPlainText()
        slicer.util.errorDisplay(text, **({"detailedText": details} if details else {}))

    def refresh(self) -> None:
        """Enable the button when nothing speaks against a run; else tell in its tooltip what does."""
        problems = self.panel.problems()
        self.ui.applyButton.enabled = not problems and not self.runner.running
        self.ui.applyButton.toolTip = "\n".join(problems) or _("Start the run in a process of its own")

    def close(self) -> None:
        """End the run, because nobody will see its result."""
        self._stopped_by_close = self.runner.running
        self.runner.close()

    def scene_closed(self) -> None:
        """Tell that the run has ended with its scene."""
        if self._stopped_by_close:
            self.tell(_("The scene was closed, so the run was stopped."), error=True)
        self._stopped_by_close = False

    # what the runner tells

    def on_step(self, title: str, number: int, total: int) -> None:
        """Show the step."""
        self._step = title[:1].upper() + title[1:] + (f" ({number}/{total})" if total > 1 else "")
        self._said = self._stage = ""
        self.ui.progressBar.maximum = 0  # at work, nobody knows how long
        self._show_state()
        self.on_line(f"== {self._step}")

    def on_progress(self, progress: Progress) -> None:
        """Show the stage and the time left."""
        self.ui.progressBar.maximum = 100
        self.ui.progressBar.value = progress.percent
        self._said = str(progress)
        if progress.stage != self._stage:
            self._stage = progress.stage
            self.on_line(f"{self._elapsed():>8}  {self._stage}")
        self._show_state()

    def on_item(self, item: Item) -> None:
        """Hand the state of a row to whoever shows the list."""
        self.on_items(item)

    def on_line(self, line: str) -> None:
        """Add a line to the log; count those that warn."""
        self._warnings += line.startswith("WARNING ")
        line = _LOGGER.sub(r"\1:", line)
        self.ui.logText.appendPlainText(line)

    def on_end(self, failure: Failure | None) -> None:
        """Give the form back to the user, and tell how it ended."""
        self._show_running(False)
        try:
            self._tell_end(failure)
        finally:
            self.panel.refresh()

    def _tell_end(self, failure: Failure | None) -> None:
        if failure is None:
            warned = _(" Read the warnings in the log ({count}).").format(count=self._warnings)
            self.tell(_("Done in {time}.").format(time=self._elapsed()) + (warned if self._warnings else ""))
            self.ui.statusLabel.styleSheet = WARNING_STYLE if self._warnings else ""
        elif failure.kind == "cancelled":
            self.tell(_("The run was cancelled."))
        else:
            self.on_line(f"error: {failure}")
            self.fail(failure)

    def _remedy(self, failure: Failure) -> str:
        # the command speaks to somebody at a terminal
        if failure.kind == "package":
            return _("Install it in the section Environment of the module ImplantSeg.")
        return failure.remedy

    def _on_apply(self) -> None:
        if self.runner.running or self.panel.problems():
            self.refresh()
            return
        self.ui.applyButton.enabled = False  # saving the scan may take a while, in which people click again
        try:
            with telling(_("The run could not be started.")):
                self.on_apply()
        finally:
            self.panel.refresh()

    def _on_copy_log(self) -> None:
        slicer.app.clipboard().setText(self.ui.logText.toPlainText())

    def _on_save_log(self) -> None:
        path = qt.QFileDialog.getSaveFileName(None, _("Save the log"), "implantseg.log", _("Text (*.log *.txt)"))
        if path:
            with telling(_("The log could not be saved.")):
                Path(path).write_text(self.ui.logText.toPlainText() + "\n", encoding="utf-8")

    def _elapsed(self) -> str:
        return clock(time.monotonic() - self._started_s)

    def _show_state(self) -> None:
        if self.ui.cancelButton.enabled:
            said = f": {self._said}" if self._said else ""
            self.tell(_("{step}{said}, {time} elapsed").format(step=self._step, said=said, time=self._elapsed()))

    def _show_running(self, running: bool) -> None:
        self.ui.cancelButton.enabled = running
        self.ui.progressBar.visible = running
        self.ui.progressBar.value = 0
        if running:
            self._clock.start()
        else:
            self._clock.stop()


def _load(succeeded: Callable[[str], None], output: str) -> None:
    slicer.app.setOverrideCursor(qt.Qt.WaitCursor)
    try:
        with all_or_nothing():
            succeeded(output)
    finally:
        slicer.app.restoreOverrideCursor()


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """Take the nodes that were added to the scene out again when something inside goes wrong."""
    before = {node.GetID() for node in _nodes()}
    try:
        yield
    except Exception:
        added = [node for node in _nodes() if node.GetID() not in before and not node.GetSingletonTag()]
        for node in added:
            if slicer.mrmlScene.IsNodePresent(node):  # a node takes its storage and display along
                slicer.mrmlScene.RemoveNode(node)
        raise


def _nodes() -> list[Any]:
    scene = slicer.mrmlScene
    return [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
