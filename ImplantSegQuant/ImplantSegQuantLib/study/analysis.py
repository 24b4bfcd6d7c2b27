"""What statistics are made of the numbers of a study: groups, tests between them, and agreement with the truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ImplantSegQuantLib.study.agreement import Agreement, agreement
from ImplantSegQuantLib.study.cohort import SUBJECT, TRUTH, Cohort, model_names
from ImplantSegQuantLib.study.measurements import MEAN_IOU, Row
from ImplantSegQuantLib.study.statistics import Groups, Test, describe, time_tests

ALL = "all"
"""Group of all sites together."""


@dataclass(frozen=True)
class Summary:
    """A measurement of one model in one group."""

    model: str
    name: str
    unit: str
    weeks: float
    group: str
    statistics: dict[str, float | int | None]


@dataclass(frozen=True)
class Tested:
    """A test of one measurement of one model, within a group over the healing times."""

    model: str
    name: str
    unit: str
    group: str
    test: Test


@dataclass(frozen=True)
class Agreed:
    """Agreement of one measurement of one model with the truth."""

    model: str
    name: str
    unit: str
    agreement: Agreement


@dataclass(frozen=True)
class Analysis:
    """All statistics of a study."""

    models: list[str]
    """Models, without the truth, in the order of tables."""
    primary: str
    """Series whose groups are shown first; empty where nothing was measured."""
    summaries: list[Summary] = field(default_factory=list)
    tests: list[Tested] = field(default_factory=list)
    agreements: list[Agreed] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def analyse(cohort: Cohort, rows: Sequence[Row]) -> Analysis:
    """Make all statistics.

    Parameters
    ----------
    cohort : Cohort
        Names the property that groups, and the measures that are tested.
    rows : sequence of Row
        All numbers.
    """
    models = model_names(cohort, dict.fromkeys(row.model for row in rows if row.model != TRUTH))
    series = [*models, *([TRUTH] if any(row.model == TRUTH for row in rows) else [])]
    return Analysis(
        models,
        cohort.primary if cohort.primary in series else _best(rows, models),
        [one for model in series for one in _summaries(cohort, _of(rows, model))],
        [one for model in series for one in _tests(cohort, _of(rows, model))],
        [one for model in models for one in _agreements(_of(rows, model))],
        list(_warnings(cohort, rows, series)),
    )


def _of(rows: Iterable[Row], model: str) -> list[Row]:
    return [row for row in rows if row.model == model]


def _best(rows: Sequence[Row], models: Sequence[str]) -> str:
    """Model with the best mean of the mean IoU, else the one that measured most samples."""

    def merit(model: str) -> tuple[float, int]:
        scores = [row.value for row in rows if (row.model, row.name) == (model, MEAN_IOU) and row.value is not None]
        samples = {row.sample for row in rows if row.model == model}
        return (sum(scores) / len(scores) if scores else 0.0, len(samples))

    return max(models, key=merit) if models else ""


def groups_of(rows: Iterable[Row], by: str) -> dict[str, list[Row]]:
    """Rows by a property, and under ``all`` those of every value, where there are several."""
    found: dict[str, list[Row]] = {}
    every = list(rows)
    for row in every:
        found.setdefault(row.group(by), []).append(row)
    return found if len(found) == 1 else {**found, ALL: every}


def by_weeks(rows: Iterable[Row]) -> dict[float, list[Row]]:
    """Rows whose healing time is known, by it, in rising order."""
    found: dict[float, list[Row]] = {}
    for row in rows:
        if row.weeks is not None:
            found.setdefault(row.weeks, []).append(row)
    return dict(sorted(found.items()))


def values_by_weeks(rows: Iterable[Row]) -> Groups:
    """Values that are defined, by healing time; times without any are left out."""
    values = {weeks: [row.value for row in some if row.value is not None] for weeks, some in by_weeks(rows).items()}
    return {weeks: some for weeks, some in values.items() if some}


def _named(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.name, []).append(row)
    return found


def _summaries(cohort: Cohort, rows: Sequence[Row]) -> list[Summary]:
    return [
        Summary(some[0].model, name, some[0].unit, weeks, group, describe(row.value for row in at_time))
        for name, some in _named(rows).items()
        for group, members in groups_of(some, cohort.group_by).items()
        for weeks, at_time in by_weeks(members).items()
    ]


def _tests(cohort: Cohort, rows: Sequence[Row]) -> list[Tested]:
    named = _named(rows)
    return [
        Tested(rows[0].model, name, named[name][0].unit, group, test)
        for name in cohort.measures
        if name in named
        for group, members in groups_of(named[name], cohort.group_by).items()
        for test in time_tests(values_by_weeks(members))
    ]


def pairs_with_truth(rows: Iterable[Row]) -> list[tuple[float, float]]:
    """Value and truth of every row that has both."""
    return [(row.value, row.truth) for row in rows if row.value is not None and row.truth is not None]


def _agreements(rows: Sequence[Row]) -> list[Agreed]:
    found = []
    for name, some in _named(rows).items():
        if pairs := pairs_with_truth(some):
            found.append(Agreed(some[0].model, name, some[0].unit, agreement(*zip(*pairs, strict=True))))
    return found


def _warnings(cohort: Cohort, rows: Sequence[Row], series: Sequence[str]) -> Any:
    """Say what a reader must know before using the statistics."""
    samples = {row.sample: row for row in rows}
    subjects = [row.subject for row in samples.values() if row.subject]
    if len(set(subjects)) < len(subjects):
        yield (
            f"{len(subjects)} samples come from {len(set(subjects))} subjects (property {SUBJECT!r}): samples of one "
            "subject are not independent, the tests take them to be, so their p are too small"
        )
    if timeless := [name for name, row in samples.items() if row.weeks is None]:
        yield f"no healing time is known of {', '.join(timeless)}: these samples are in no group"
    if len({row.group(cohort.group_by) for row in samples.values()}) > 1 and any(
        not row.group(cohort.group_by) for row in samples.values()
    ):
        unknown = [name for name, row in samples.items() if not row.group(cohort.group_by)]
        yield f"{cohort.group_by} is not given for {', '.join(unknown)}: these samples are a group of their own"
    for model in series:
        absent = [name for name in samples if not any(row.model == model and row.sample == name for row in rows)]
        if absent:
            lacks = "there is no ground truth" if model == TRUTH else f"{cohort.title(model)} was not measured"
            yield f"{lacks} for {', '.join(absent)}: means over samples are over different samples"


def summary_table(found: Iterable[Summary], by: str) -> list[dict[str, Any]]:
    """Rows of ``statistics.csv``."""
    return [
        {"model": one.model, "measurement": one.name, "unit": one.unit, "weeks": one.weeks, by: one.group,
         **one.statistics}
        for one in found
    ]  # fmt: skip


def test_table(found: Iterable[Tested], by: str) -> list[dict[str, Any]]:
    """Rows of ``tests.csv``."""
    return [
        {"model": one.model, "measurement": one.name, "unit": one.unit, by: one.group, **dataclasses.asdict(one.test),
         "verdict": one.test.verdict}
        for one in found
    ]  # fmt: skip


def agreement_table(found: Iterable[Agreed]) -> list[dict[str, Any]]:
    """Rows of ``agreement.csv``."""
    return [
        {"model": one.model, "measurement": one.name, "unit": one.unit, **dataclasses.asdict(one.agreement),
         "verdict": one.agreement.verdict}
        for one in found
    ]  # fmt: skip
