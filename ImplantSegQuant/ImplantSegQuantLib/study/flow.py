"""The whole of ``implantseg study``: a cohort file in, measured samples, tables, figures and a report out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ImplantSegLib import __version__, jobs
from ImplantSegLib.errors import InputError
from ImplantSegLib.files import check_writable, sha256, write_text
from ImplantSegQuantLib import results
from ImplantSegQuantLib.study import record
from ImplantSegQuantLib.study.analysis import Analysis, analyse
from ImplantSegQuantLib.study.cohort import Cohort, read_cohort
from ImplantSegQuantLib.study.measurements import Measured, Row, measured, rows, unit_of
from ImplantSegQuantLib.study.plan import Task, plan, voxels
from ImplantSegQuantLib.study.pool import default_jobs, perform
from ImplantSegQuantLib.study.training import Trained, trained
from ImplantSegQuantLib.study.worker import DONE, FAILED, Outcome

OWNER = "cohort.json"
"""Says in the folder of a study whose it is."""

Tell = Callable[[int, int, Task, str, str], None]
"""Called with number, count, task, status and message."""


@dataclass(frozen=True)
class StudyJob:
    """What to do, and how."""

    cohort: str
    """The cohort file."""
    out: str
    """Folder for all that comes of it; made when missing."""
    jobs: int | None = None
    """Tasks at a time; what cores and memory allow when left out."""
    scheduler: str | None = None
    """Address of a Dask scheduler, whose workers do the tasks."""
    force: bool = False
    """Whether what is done already is done again."""

    def __post_init__(self) -> None:
        if self.jobs is not None and self.jobs < 1:
            raise InputError(f"got {self.jobs} jobs, wanted at least 1", "pass --jobs 1")


@dataclass(frozen=True)
class Study:
    """A cohort with all that was found."""

    job: StudyJob
    cohort: Cohort
    tasks: Sequence[Task]
    outcomes: Sequence[Outcome]
    samples: Sequence[Measured]
    rows: Sequence[Row]
    analysis: Analysis
    training: Sequence[Trained]
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def failures(self) -> list[tuple[Task, Outcome]]:
        """Tasks that failed, with their sentences."""
        both = zip(self.tasks, self.outcomes, strict=True)
        return [(task, outcome) for task, outcome in both if outcome.status != DONE]


def prepare(job: StudyJob) -> tuple[Cohort, list[Task], list[Trained], list[bool]]:
    """Read and check all that can be checked at once: cohort, tasks, trainings, and which tasks are done already.

    Raises
    ------
    InputError
        For a cohort that cannot be measured; nothing was started then.
    """
    cohort = read_cohort(job.cohort)
    check_writable(job.out)
    _refuse_other_study(Path(job.out), cohort)
    tasks = plan(cohort, job.out)
    done = [task.quantify is None or (not job.force and record.is_done(task)) for task in tasks]
    return cohort, tasks, trained(cohort.training), done


def run(job: StudyJob, tell: Tell) -> Study:
    """Measure what is not measured yet, and write tables, figures and the report, whatever failed.

    Parameters
    ----------
    job : StudyJob
        What to do.
    tell : callable
        Hears of every task: ``tell(number, count, task, status, message)``.

    Returns
    -------
    Study
        All that was found; its ``failures`` are the caller's to raise.

    Raises
    ------
    InputError
        For a cohort that cannot be measured, and for a folder that cannot be written.
    """
    from ImplantSegQuantLib.study.outputs import write_outputs

    cohort, tasks, training, done = prepare(job)
    out = Path(job.out)
    write_text(out / OWNER, json.dumps({"study": cohort.name, "implantseg": __version__}, ensure_ascii=False) + "\n")
    outcomes = _outcomes(job, tasks, done, tell)
    samples, outcomes = _collected(cohort, tasks, outcomes)
    found = rows(samples)
    for name in dict.fromkeys(row.name for row in found):
        unit_of(found, name)
    provenance = jobs.provenance(cohort=job.cohort)
    study = Study(job, cohort, tasks, outcomes, samples, found, analyse(cohort, found), training, provenance)
    write_outputs(study)
    return study


def _refuse_other_study(out: Path, cohort: Cohort) -> None:
    """Refuse a folder with something else in it: two studies in one folder would mix."""
    if not out.is_dir() or not any(out.iterdir()):
        return
    try:
        owner = json.loads((out / OWNER).read_text(encoding="utf-8"))["study"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{out} holds files, but no study", "pass a new folder") from error
    if owner != cohort.name:
        raise InputError(f"{out} holds the study {owner!r}, not {cohort.name!r}", "pass another folder")


def _outcomes(job: StudyJob, tasks: list[Task], done: list[bool], tell: Tell) -> list[Outcome]:
    waiting = [index for index, known in enumerate(done) if not known]
    outcomes = [Outcome(DONE)] * len(tasks)
    for index in (index for index, known in enumerate(done) if known):
        tell(index, len(tasks), tasks[index], "skipped", "" if tasks[index].quantify else "results were given")

    def heard(position: int, outcome: Outcome) -> None:
        index = waiting[position]
        tell(index, len(tasks), tasks[index], outcome.status, str(outcome))

    if waiting:
        wanted = [tasks[index] for index in waiting]
        count = job.jobs or (default_jobs(voxels(wanted)) if job.scheduler is None else 1)
        made = perform(wanted, heard, min(count, len(wanted)), job.scheduler)
        for index, outcome in zip(waiting, made, strict=True):
            outcomes[index] = outcome
    return outcomes


def _collected(
    cohort: Cohort, tasks: Iterable[Task], outcomes: Iterable[Outcome]
) -> tuple[list[Measured], list[Outcome]]:
    """Read the results; those that cannot be read are failures, too."""
    found: dict[str, dict[str, Any]] = {}
    ended = []
    for task, outcome in zip(tasks, outcomes, strict=True):
        ended.append(outcome)
        if outcome.status != DONE:
            continue
        try:
            sample = next(one for one in cohort.samples if one.name == task.sample)
            result = results.read(task.folder)
            measured(cohort, sample, {**found.get(task.sample, {}), task.model: result})
            found.setdefault(task.sample, {})[task.model] = result
        except InputError as error:
            ended[-1] = Outcome(FAILED, error.message, error.remedy)
    return [measured(cohort, sample, found[sample.name]) for sample in cohort.samples if sample.name in found], ended


def inputs(study: Study) -> list[dict[str, str]]:
    """Results of every sample and model, with the hash of their file."""
    return [
        {"sample": task.sample, "model": task.model, "results": str(task.folder / "results.json"),
         "sha256": sha256(task.folder / "results.json")}
        for task, outcome in zip(study.tasks, study.outcomes, strict=True)
        if outcome.status == DONE
    ]  # fmt: skip
