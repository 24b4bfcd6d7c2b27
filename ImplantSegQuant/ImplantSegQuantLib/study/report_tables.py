"""Rows of the tables in the report of a study, as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ImplantSegQuantLib.study import paper
from ImplantSegQuantLib.study.cohort import SITE, SUBJECT
from ImplantSegQuantLib.study.measurements import short
from ImplantSegQuantLib.tables import ABSENT, figure, percent_error, unit

if TYPE_CHECKING:
    from ImplantSegQuantLib.study.flow import Study

TESTS = {"Kruskal-Wallis": "Kruskal–Wallis", "Mann-Whitney": "Mann–Whitney"}

DIGITS = 3


def properties(study: Study) -> list[str]:
    """Properties that are given for any sample."""
    samples = study.cohort.samples
    keys = [SITE, SUBJECT, *dict.fromkeys(key for sample in samples for key in sample.groups)]
    return [key for key in keys if any(sample.group(key) for sample in samples)]


def lines(study: Study) -> list[dict[str, Any]]:
    """Rows of table 5."""
    found = paper.table5(study.rows, study.analysis.models)
    return [
        {
            "first": index == 0 or found[index - 1].parameter != line.parameter,
            "parameter": f"{line.parameter} / {line.unit}",
            "sample": line.sample,
            "truth": line.truth,
            "cells": [line.cells.get(model, ABSENT) for model in study.analysis.models],
        }
        for index, line in enumerate(found)
    ]


def agreements(study: Study) -> list[dict[str, Any]]:
    """Rows of the table of bias and limits of agreement, for the measures that are drawn."""
    chosen = [one for name in study.cohort.measures for one in study.analysis.agreements if one.name == name]
    rows: list[dict[str, Any]] = []
    for one in chosen:
        own = one.agreement
        rows.append(
            {
                "measurement": _measured(one.name, one.unit),
                "model": study.cohort.title(one.model),
                "n": own.n,
                "bias": f"{_text(own.bias)}{_range(own.bias_ci_low, own.bias_ci_high)}",
                "limits": ABSENT if own.limit_low is None else f"{_text(own.limit_low)} to {_text(own.limit_high)}",
                "reach": _text(own.limit_reach_95),
                "error": _plus_minus(own.mean_error_percent, own.sd_error_percent),
                "p": _p(own.p),
                "verdict": own.verdict,
            }
        )
    return _with_first(rows, "measurement")


def summaries(study: Study) -> list[dict[str, Any]]:
    """Rows of the statistics of the groups of the primary series."""
    chosen = [
        one
        for name in study.cohort.measures
        for one in study.analysis.summaries
        if (one.name, one.model) == (name, study.analysis.primary)
    ]
    rows: list[dict[str, Any]] = []
    for one in chosen:
        own: Mapping[str, Any] = one.statistics
        quartiles = "" if own["n"] < 2 else f" ({_text(own['quartile_1'])} – {_text(own['quartile_3'])})"
        ends = ABSENT if own["n"] < 2 else f"{_text(own['min'])} – {_text(own['max'])}"
        interval = own["mean_ci_low"] is not None
        rows.append(
            {
                "measurement": _measured(one.name, one.unit),
                "group": one.group or ABSENT,
                "weeks": f"{one.weeks:g}",
                "n": own["n"],
                "mean": _text(own["mean"]) + ("" if own["sd"] is None else f" ± {_text(own['sd'])}"),
                "interval": f"{_text(own['mean_ci_low'])} to {_text(own['mean_ci_high'])}" if interval else ABSENT,
                "median": f"{_text(own['median'])}{quartiles}",
                "range": ends,
            }
        )
    return _with_first(rows, "measurement")


def tests(study: Study) -> list[dict[str, Any]]:
    """Rows of the tests of the primary series."""
    rows: list[dict[str, Any]] = []
    for one in study.analysis.tests:
        if one.model != study.analysis.primary:
            continue
        test = one.test
        rows.append(
            {
                "measurement": _measured(one.name, one.unit),
                "group": one.group or ABSENT,
                "test": TESTS.get(test.test, test.test),
                "weeks": test.groups.removesuffix(" weeks"),
                "n": test.n,
                "statistic": _text(test.statistic),
                "p": _p(test.p_adjusted),
                "effect": _text(test.effect, 2),
                "shift": _text(test.difference),
                "verdict": test.verdict,
                "differs": test.verdict == "differs",
            }
        )
    return _with_first(rows, "measurement")


def _with_first(rows: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Mark the first row of every run of equal values."""
    return [
        {**row, "first": index == 0 or rows[index - 1][key] != row[key]} for index, row in enumerate(rows)
    ]  # fmt: skip


def _measured(name: str, unit_key: str) -> str:
    return f"{short(name)} / {unit(unit_key)}"


def _text(value: float | None, digits: int = DIGITS) -> str:
    return ABSENT if value is None else figure(value, digits)


def _range(low: float | None, high: float | None) -> str:
    return "" if low is None else f" [{_text(low)}, {_text(high)}]"


def _plus_minus(mean: float | None, sd: float | None) -> str:
    return percent_error(mean) + ("" if sd is None else f" ± {sd:.2f}")


def _p(value: float | None) -> str:
    if value is None:
        return ABSENT
    return "< 0.001" if value < 0.001 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"
