"""What a study leaves: CSV, JSON, figures and the report."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ImplantSegLib.files import write_text
from ImplantSegQuantLib.results import strict
from ImplantSegQuantLib.study import paper
from ImplantSegQuantLib.study.analysis import agreement_table, summary_table, test_table
from ImplantSegQuantLib.study.measurements import table

if TYPE_CHECKING:
    from ImplantSegQuantLib.study.flow import Study


def write_outputs(study: Study) -> None:
    """Write all files of a study, each whole or not at all.

    Raises
    ------
    InputError
        When the folder cannot be written or the disk is full.
    """
    from ImplantSegQuantLib.study.drawing import write_figures
    from ImplantSegQuantLib.study.report import page, part4

    out = Path(study.job.out)
    for name, rows in tables(study).items():
        write_csv(out / f"{name}.csv", rows)
    write_text(out / "table4.html", part4(study))
    write_text(out / "study.json", json.dumps(strict(content(study)), indent=2, ensure_ascii=False) + "\n")
    figures = write_figures(study, out / "figures")
    write_text(out / "report.html", page(study, figures))


def tables(study: Study) -> dict[str, list[dict[str, Any]]]:
    """Rows of the CSV files, by name."""
    found, titles, by = study.analysis, titles_of(study), study.cohort.group_by
    return {
        "measurements": table(study.rows),
        "statistics": summary_table(found.summaries, by),
        "tests": test_table(found.tests, by),
        "agreement": agreement_table(found.agreements),
        "table4": paper.table4_rows(paper.table4(study.rows, found.models), titles),
        "table5": paper.table5_rows(paper.table5(study.rows, found.models), titles),
        "figure2": [
            {"model": one.model, "framework": one.framework, "input_size": one.size_text, "folds": len(one.folds),
             "mean_iou_percent": one.mean, "sd_percent": one.sd}
            for one in study.training
        ],
    }  # fmt: skip


def titles_of(study: Study) -> dict[str, str]:
    """Give what the models are called, in the order of the tables."""
    return {model: study.cohort.title(model) for model in study.analysis.models}


def content(study: Study) -> dict[str, Any]:
    """Give what ``study.json`` holds: the cohort, every outcome, and all tables."""
    return {
        "study": study.cohort.name,
        "cohort": dataclasses.asdict(study.cohort),
        "tasks": [
            {"sample": task.sample, "model": task.model, "folder": str(task.folder), **dataclasses.asdict(outcome)}
            for task, outcome in zip(study.tasks, study.outcomes, strict=True)
        ],
        "primary": study.analysis.primary,
        "warnings": study.analysis.warnings,
        **tables(study),
        "provenance": study.provenance,
    }


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table; what is undefined is an empty cell. An empty table is an empty file."""
    stream = io.StringIO(newline="")
    if rows:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(strict(list(rows)))
    write_text(path, stream.getvalue())
