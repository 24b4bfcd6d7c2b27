"""Steps that run one after another in child processes while the caller waits: for scripts and self-tests."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence

from ImplantSegLib.errors import InputError
from ImplantSegLib.inslicer import worker
from ImplantSegLib.inslicer.runner import GRACE_S, Step
from ImplantSegLib.inslicer.worker import Failure, Worker

_INTERVAL_S = 0.05

_log = logging.getLogger(__name__)


class RunError(InputError):
    """A run that ended without a result."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message, failure.remedy)
        self.failure = failure


def run(steps: Sequence[Step]) -> str:
    """Run steps and wait for their end; whatever interrupts the wait ends the run.

    Returns
    -------
    str
        Standard output of the last step.

    Raises
    ------
    RunError
        With what the run told about its failure.
    """
    output = ""
    for step in steps:
        output = _run(step)
    return output


def _run(step: Step) -> str:
    process = Worker(worker.command(step.verb, *step.arguments), worker.environment(os.environ))
    try:
        while process.running:
            for news in process.poll():
                _log.info("%s: %s", step.title, news)
            time.sleep(_INTERVAL_S)
    except BaseException:
        process.cancel()
        time.sleep(GRACE_S)
        process.kill()
        raise
    if process.failure is not None:
        raise RunError(process.failure)
    return process.output
