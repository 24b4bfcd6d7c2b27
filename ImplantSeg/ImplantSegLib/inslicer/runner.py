"""Verbs that run one after another in child processes, watched by a timer, told to a listener."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import qt

from ImplantSegLib.errors import ImplantSegError, InputError
from ImplantSegLib.inslicer import worker
from ImplantSegLib.inslicer.worker import Failure, Item, Progress, Worker

INTERVAL_MS = 100
"""Time between two looks at the worker."""

GRACE_S = 1.2
"""Time that a cancelled run has to end by itself; then it is killed with all its children."""

_CLOSING_S = 1.0
"""Longest time that the end of a run at once may take."""

CANCELLED = Failure("cancelled", "the run was cancelled")


@dataclass(frozen=True)
class Step:
    """One verb of a run."""

    title: str
    """What is going on, in words: ``segmenting``."""
    verb: str
    arguments: Sequence[str | Path]


class Listener(Protocol):
    """Who wants to know how a run goes; :class:`Silent` does not."""

    def on_step(self, title: str, number: int, total: int) -> None:
        """Tell that a step begins, the first as number 1 of so many."""

    def on_progress(self, progress: Progress) -> None:
        """Tell how far a step is."""

    def on_item(self, item: Item) -> None:
        """Tell what became of a row of a list."""

    def on_line(self, line: str) -> None:
        """Tell a line of the log."""

    def on_end(self, failure: Failure | None) -> None:
        """Tell that all has ended, and why without a result."""


class Silent:
    """A listener that shows nothing."""

    def on_step(self, title: str, number: int, total: int) -> None:
        """Show nothing."""

    def on_progress(self, progress: Progress) -> None:
        """Show nothing."""

    def on_item(self, item: Item) -> None:
        """Show nothing."""

    def on_line(self, line: str) -> None:
        """Show nothing."""

    def on_end(self, failure: Failure | None) -> None:
        """Show nothing."""


class Runner:
    """Runs steps, one process at a time.

    Parameters
    ----------
    listener : Listener, optional
        Who is told.
    """

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener: Listener = listener or Silent()
        self._worker: Worker | None = None
        self._steps: list[Step] = []
        self._total = 0
        self._succeeded: Callable[[str], None] = _nothing
        self._ended: Callable[[Failure | None], None] = _nothing
        self._kill_at = float("inf")
        self._timer = qt.QTimer()
        self._timer.setInterval(INTERVAL_MS)
        self._timer.connect("timeout()", self.poll)

    @property
    def running(self) -> bool:
        """Whether a process is at work."""
        return self._worker is not None

    def start(
        self,
        steps: Sequence[Step],
        succeeded: Callable[[str], None] = lambda _: None,
        ended: Callable[[Failure | None], None] = lambda _: None,
    ) -> None:
        """Start the first step; the others follow when it has succeeded.

        Parameters
        ----------
        steps : sequence of Step
            What is run.
        succeeded : callable
            Called with the standard output of the last step when all have given their results. Where it raises,
            the run has failed.
        ended : callable
            Called last, however the run ended, with the reason when it failed.

        Raises
        ------
        InputError
            When a run is going on.
        """
        self.refuse_second_run()
        self._steps, self._succeeded, self._ended = list(steps), succeeded, ended
        self._total = len(self._steps)
        self._kill_at = float("inf")
        self._next()

    def refuse_second_run(self) -> None:
        """Raise an :class:`~ImplantSegLib.errors.InputError` when a run is going on."""
        if self.running:
            raise InputError("a run is going on", "wait for its end, or cancel it")

    def poll(self) -> None:
        """Tell what the worker has said; go on when it has ended."""
        if self._worker is None:
            return
        for news in self._worker.poll():
            self._tell(news)
        if self._worker.running:
            if time.monotonic() > self._kill_at:
                self._worker.kill()
        elif self._kill_at < float("inf"):
            self._end(CANCELLED, "")  # also where it was done just before it heard of it
        elif self._worker.failure is None and self._steps:
            self._next()
        else:
            self._end(self._worker.failure, self._worker.output)

    def cancel(self) -> None:
        """Ask the run to stop; after :data:`GRACE_S` it is made to."""
        if self._worker is not None:
            self._steps.clear()
            self._kill_at = time.monotonic() + GRACE_S
            self._worker.cancel()

    def close(self, reason: Failure = CANCELLED) -> None:
        """End the run at once, and wait until nothing of it is left."""
        if self._worker is not None:
            self._worker.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # a process in the kernel's hands dies later
                self._worker.wait(_CLOSING_S)
            self._end(reason, "")

    def _next(self) -> None:
        step = self._steps.pop(0)
        self._listener.on_step(step.title, self._total - len(self._steps), self._total)
        try:
            self._worker = Worker(worker.command(step.verb, *step.arguments), worker.environment(os.environ))
        except OSError as error:
            self._end(Failure("start", f"Python could not be started ({error})", "repair the installation"), "")
        else:
            self._timer.start()

    def _tell(self, news: Progress | Item | str) -> None:
        if isinstance(news, Progress):
            self._listener.on_progress(news)
        elif isinstance(news, Item):
            self._listener.on_item(news)
        else:
            self._listener.on_line(news)

    def _end(self, failure: Failure | None, output: str) -> None:
        # whatever they do who are told, the runner is ready for the next run
        self._timer.stop()
        self._worker = None
        succeeded, ended = self._succeeded, self._ended
        self._succeeded = self._ended = _nothing
        if failure is None:
            failure = _handed_on(succeeded, output)
        try:
            self._listener.on_end(failure)
        finally:
            ended(failure)


def _handed_on(receive: Callable[[str], None], output: str) -> Failure | None:
    """Hand a result on, and say why where that fails."""
    try:
        receive(output)
    except ImplantSegError as error:
        return Failure(error.kind, error.message, error.remedy)
    except Exception as error:  # whatever a result does to its reader, the panel must be usable again
        logging.getLogger(__name__).exception("the result could not be taken over")
        cause = f"{type(error).__name__}: {error}"
        return Failure("load", f"the result could not be taken over ({cause})", "see the log", traceback.format_exc())
    return None


def ask(
    verb: str,
    arguments: Sequence[str | Path],
    answered: Callable[[str], None],
    failed: Callable[[Failure], None] = lambda _: None,
    always: Callable[[], None] = lambda: None,
) -> Runner:
    """Run a short verb in the background and hand its standard output on.

    Parameters
    ----------
    verb : str
        A verb of ``implantseg``, such as ``models``.
    arguments : sequence of str or Path
        Its arguments, such as ``["list", "--json"]``.
    answered : callable
        Called with what the verb has printed.
    failed : callable
        Called with the reason when it has not, or when ``answered`` has raised.
    always : callable
        Called last: removes temporary files.
    """

    def ended(failure: Failure | None) -> None:
        try:
            if failure is not None:
                failed(failure)
        finally:
            always()

    runner = Runner()
    runner.start([Step(verb, verb, arguments)], answered, ended)
    return runner


def _nothing(_: object) -> None:
    """Do nothing."""
