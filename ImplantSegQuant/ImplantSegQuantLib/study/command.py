"""The verb ``implantseg study``."""

from __future__ import annotations

from typing import Any

from ImplantSegLib import arguments, progress
from ImplantSegLib.errors import InputError


def study(argv: list[str]) -> None:
    """Measure a cohort and write the tables, figures and statistics of a paper."""
    command = arguments.parser(
        "study",
        "Measure many samples, segmented by one or several models or by hand, and write what a paper needs: tables 4 "
        "and 5 and figures 2 and 4 of doi:10.3389/fphy.2024.1257512, groups by healing time and site with their "
        "statistics, agreement with the ground truth, all numbers as tidy CSV, and report.html. What is done already, "
        "from the same files and options, is not done again; a sample that fails does not stop the others. "
        "docs/study.md describes the cohort file.",
        """
        implantseg study cohort.toml -o study
        implantseg study cohort.toml -o study --dry-run
        implantseg study cohort.toml -o study --jobs 4
        implantseg study cohort.toml -o study --scheduler tcp://node1:8786
        """,
    )
    command.add_argument("cohort", metavar="COHORT", help="cohort file (TOML)")
    command.add_argument("-o", "--out", required=True, metavar="OUTDIR", help="folder of the study; made when missing")
    command.add_argument("--jobs", type=int, metavar="N", help="samples at a time (default: what the machine allows)")
    command.add_argument("--scheduler", metavar="ADDRESS", help="Dask scheduler whose workers measure: tcp://host:8786")
    command.add_argument("--force", action="store_true", help="also measure again what is done already")
    command.add_argument("--dry-run", action="store_true", help="check the cohort, tell what would be done, and stop")
    options = arguments.parse(command, argv)

    from ImplantSegQuantLib.study.flow import StudyJob, run

    job = StudyJob(options.cohort, options.out, options.jobs, options.scheduler, options.force)
    if options.dry_run:
        _tell_plan(job)
        return
    found = run(job, _tell)
    _tell_end(found)


def _tell(index: int, count: int, task: Any, status: str, message: str) -> None:
    progress.emit("item", index=index, status=status, message=message)
    print(f"[{index + 1}/{count}] {status:9} {task}{': ' + message if message else ''}", flush=True)


def _tell_plan(job: Any) -> None:
    from ImplantSegQuantLib.study.flow import prepare

    cohort, tasks, training, done = prepare(job)
    for task, known in zip(tasks, done, strict=True):
        steps = "segment, quantify" if task.segment else "quantify"
        print(f"{'done already' if known else steps:18} {task}")
    print(
        f"\n{cohort.name}: {len(cohort.samples)} samples, {len(tasks)} to measure, {sum(done)} of them done already, "
        f"{len(training)} trainings"
    )


def _tell_end(found: Any) -> None:
    failures = found.failures
    print(f"\n{len(found.tasks) - len(failures)} of {len(found.tasks)} measured; report: {found.job.out}/report.html")
    if failures:
        task, outcome = failures[0]
        raise InputError(
            f"{len(failures)} of {len(found.tasks)} failed, the first: {task}: {outcome}",
            "mend that and run again: what is done is kept",
        )
