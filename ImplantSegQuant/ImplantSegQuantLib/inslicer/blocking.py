"""Steps that run one after another while the caller waits: for scripts and for Slicer without a window."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from ImplantSegLib.errors import ImplantSegError
from ImplantSegLib.inslicer import worker
from ImplantSegLib.inslicer.runner import Step
from ImplantSegLib.inslicer.worker import Worker

INTERVAL_S = 0.05


def run(steps: Sequence[Step]) -> str:
    """Run steps and give the standard output of the last one.

    Raises
    ------
    ImplantSegError
        When a step gives no result, with its own words.
    """
    output = ""
    for step in steps:
        process = Worker(worker.command(step.verb, *step.arguments), worker.environment(os.environ))
        try:
            while process.running:
                process.poll()
                time.sleep(INTERVAL_S)
        except BaseException:
            process.kill()
            raise
        if process.failure is not None:
            raise ImplantSegError(process.failure.message, process.failure.remedy)
        output = process.output
    return output
