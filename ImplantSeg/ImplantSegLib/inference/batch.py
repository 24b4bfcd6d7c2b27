"""Many scans, one after the other: checked before the first, and a scan that fails does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ImplantSegLib import jobs
from ImplantSegLib.errors import (
    ImplantSegError,
    InputError,
    MemoryLimitError,
    comes_of_interrupt,
    is_out_of_memory,
)
from ImplantSegLib.inference.inputs import Model, open_model, open_scan, part_of
from ImplantSegLib.inference.job import SegmentJob, job_path
from ImplantSegLib.inference.outputs import check_outputs, outputs
from ImplantSegLib.inference.predict import segment
from ImplantSegLib.inference.work import Work
from ImplantSegLib.volumes import FieldOfView

_log = logging.getLogger(__name__)

Models = dict[str, Model]
Tell = Callable[[int, str, str], None]


def check_all(wanted: Sequence[SegmentJob]) -> Models:
    """Check the inputs and outputs of all jobs, and open every model once; the voxels are not looked at.

    Raises
    ------
    InputError
        For the first row that cannot be run, telling how many more there are, and for a GPU that is not there.
    """
    from ImplantSegLib.inference.runtime import choose_device

    for wish in dict.fromkeys(job.device for job in wanted):
        choose_device(wish)
    models: Models = {}
    wrong = []
    for number, job in enumerate(wanted, start=1):
        try:
            _check(job, models)
        except InputError as error:
            wrong.append(InputError(f"row {number} ({job.input.name}): {error.message}", error.remedy))
    wrong += list(_clashes(wanted))
    if wrong:
        more = f" ({len(wrong) - 1} more like this)" if len(wrong) > 1 else ""
        raise InputError(f"{wrong[0].message}{more}", f"{wrong[0].remedy}; nothing was started")
    return models


def _check(job: SegmentJob, models: Models) -> None:
    if job.model not in models:
        models[job.model] = open_model(job.model)
    check_outputs(job)
    part_of(open_scan(job, models[job.model].bundle, look=False), job)
    if job.fov != "auto":
        FieldOfView.parse(job.fov)


def _clashes(wanted: Sequence[SegmentJob]) -> Iterator[InputError]:
    """Yield what one row would write over the scan or the results of another."""
    scans = {job.input.resolve(): number for number, job in enumerate(wanted, start=1)}
    writers: dict[Path, int] = {}
    for number, job in enumerate(wanted, start=1):
        for path in outputs(job):
            if path.resolve() in scans:
                yield InputError(f"row {number} would write over the scan of row {scans[path.resolve()]}", "rename it")
            first = writers.setdefault(path.resolve(), number)
            if first != number:
                yield InputError(f"rows {first} and {number} would both write {path}", "choose two names")


@dataclass
class Summary:
    """How many jobs went how."""

    done: int = 0
    skipped: int = 0
    failures: list[ImplantSegError] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.done} done, {self.skipped} skipped, {len(self.failures)} failed"

    def raise_failures(self) -> None:
        """Raise one error for all that failed: of memory, when it ran out for any of them."""
        if self.failures:
            short = any(isinstance(one, MemoryLimitError) for one in self.failures)
            message = f"{len(self.failures)} of the scans failed, the first: {self.failures[0]}"
            raise (MemoryLimitError if short else InputError)(message, "mend that and run again with --resume")


def segment_all(wanted: Sequence[SegmentJob], models: Models, resume: bool, tell: Tell) -> Summary:
    """Run all jobs; one that fails does not stop the others.

    Parameters
    ----------
    wanted : sequence of SegmentJob
        What to do.
    models : dict of str to Model
        As :func:`check_all` gives them.
    resume : bool
        Whether jobs that are finished are skipped, and unfinished ones gone on with.
    tell : callable
        Called as ``tell(index, status, message)`` with ``running``, and then ``done``, ``failed`` or ``skipped``.
    """
    summary = Summary()
    for index, job in enumerate(wanted):
        model = models[job.model]
        if resume and is_finished(job, model):
            summary.skipped += 1
            tell(index, "skipped", "finished before")
            continue
        tell(index, "running", "")
        try:
            segment(job, resume and Work.folder_of(job.output).exists(), model)
        except Exception as error:
            if comes_of_interrupt(error):
                raise
            failure = _explained(error)
            tell(index, "failed", str(failure))
            message = f"row {index + 1} ({job.input.name}): {failure.message}"
            summary.failures.append(type(failure)(message, failure.remedy))
        else:
            summary.done += 1
            tell(index, "done", "")
    return summary


def is_finished(job: SegmentJob, model: Model) -> bool:
    """Whether the results of this very job, from this very scan and model, are there."""
    if not all(path.exists() for path in outputs(job)):
        return False
    try:
        found: Any = jobs.load_toml(job_path(job.output)).get("found", {})
    except InputError:
        return False  # a damaged record proves nothing
    return bool(found.get("key") == job.result_key(model.bundle.weights_sha256))


def _explained(error: Exception) -> ImplantSegError:
    if isinstance(error, ImplantSegError):
        return error
    if is_out_of_memory(error):
        return MemoryLimitError(f"out of memory ({error})", "close programs or pass a smaller --max-memory")
    _log.error("a bug, please report it", exc_info=error)
    return InputError(f"{type(error).__name__}: {error}", "this is a bug: report it")
