"""A run shown in a form: a timer asks the worker, a bar and a line of text tell the user."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import qt
import slicer

from ImplantSegLib.inslicer import worker
from ImplantSegLib.inslicer.worker import Failure, Progress, Worker

INTERVAL_MS = 100


class Runner:
    """Runs one verb at a time.

    Parameters
    ----------
    ui : namespace
        Widgets of the form: ``applyButton``, ``cancelButton``, ``progressBar``, ``statusLabel``, ``logText``.
    """

    def __init__(self, ui: Any) -> None:
        self.ui = ui
        self.worker: Worker | None = None
        self.failure: Failure | None = None
        self._succeeded: Callable[[], None] = lambda: None
        self._ended: Callable[[], None] = lambda: None
        self._stopping = False
        self._timer = qt.QTimer()
        self._timer.setInterval(INTERVAL_MS)
        self._timer.connect("timeout()", self.poll)
        ui.cancelButton.connect("clicked(bool)", self.cancel)
        self._show_running(False)

    def start(
        self,
        verb: str,
        arguments: Sequence[str | Path],
        succeeded: Callable[[], None],
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """Start a verb.

        Parameters
        ----------
        verb : str
            A verb of ``implantseg``.
        arguments : sequence of str or Path
            Its arguments.
        succeeded : callable
            Called when the run has given its result.
        ended : callable
            Called last, however the run ended.
        """
        self._succeeded, self._ended, self.failure = succeeded, ended, None
        self.ui.logText.clear()
        self.ui.statusLabel.text = f"starting {verb} …"
        try:
            self.worker = Worker(worker.command(verb, *arguments), worker.environment(os.environ))
        except OSError:
            ended()
            raise
        self._show_running(True)
        self._timer.start()

    def poll(self) -> None:
        """Show what the worker has said, and end when it has ended."""
        if self.worker is None:
            return
        for news in self.worker.poll():
            if isinstance(news, Progress):
                self._show_progress(news)
            else:
                self.ui.logText.appendPlainText(news)
        if not self.worker.running:
            self._end(self.worker.failure)

    def cancel(self) -> None:
        """Ask the run to stop; asked a second time, end it at once."""
        if self.worker is None:
            return
        if self._stopping:
            self.worker.kill()
            return
        self._stopping = True
        self.worker.cancel()
        self.ui.statusLabel.text = "stopping at the next step …"
        self.ui.cancelButton.text = "Stop at once"

    def close(self) -> None:
        """End a run that nobody will see, because the form goes away."""
        self._timer.stop()
        if self.worker is not None:
            self.worker.kill()
            self.worker.wait()
            self.worker = None
            self._ended()

    def _end(self, failure: Failure | None) -> None:
        self._timer.stop()
        self.worker, self.failure = None, failure
        self._show_running(False)
        try:
            if failure is None:
                self.ui.statusLabel.text = "done"
                self._succeeded()
            else:
                self._show_failure(failure)
        finally:
            self._ended()

    def _show_failure(self, failure: Failure) -> None:
        self.ui.statusLabel.text = str(failure)
        if failure.kind != "cancelled":
            slicer.util.errorDisplay(failure.message + (f"\n\n{failure.remedy}" if failure.remedy else ""))

    def _show_progress(self, news: Progress) -> None:
        self.ui.progressBar.maximum = max(news.total, 1)
        self.ui.progressBar.value = news.done
        if not self._stopping:
            self.ui.statusLabel.text = str(news)

    def _show_running(self, running: bool) -> None:
        self._stopping = False
        self.ui.applyButton.enabled = not running
        self.ui.cancelButton.enabled = running
        self.ui.cancelButton.text = "Cancel"
        self.ui.progressBar.visible = running
        self.ui.progressBar.value = 0
