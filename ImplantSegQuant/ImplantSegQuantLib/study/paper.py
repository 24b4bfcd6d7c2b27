"""Tables 4 and 5 of doi:10.3389/fphy.2024.1257512 for any cohort: overlap of classes, errors of DR, BIC and BV/TV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ImplantSegLib.labels import NAMES, TITLES
from ImplantSegQuantLib.study.cohort import TRUTH
from ImplantSegQuantLib.study.measurements import IOU, MEAN_IOU, PAPER, Row, short
from ImplantSegQuantLib.tables import unit

SCORES = {**{IOU + name: TITLES[label] for label, name in NAMES.items()}, MEAN_IOU: "mIoU"}
"""Columns of table 4, in the order of the paper's."""

SMALL_PERCENT = 1.0
"""Relative errors below this are written as a dash."""

ABSENT = ""
"""Cell of what was not measured."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table."""

    text: str
    best: bool = False
    """Whether it is the best of its column."""


def sample_names(rows: Iterable[Row]) -> list[str]:
    """Names of the samples, in the order of the rows."""
    return list(dict.fromkeys(row.sample for row in rows))


def table4(rows: Sequence[Row], models: Sequence[str]) -> dict[tuple[str, str, str], Cell]:
    """IoU of every class, and their mean, of every model on every sample that has a truth.

    Parameters
    ----------
    rows : sequence of Row
        All numbers.
    models : sequence of str
        In the order of the table.

    Returns
    -------
    dict of (str, str, str) to Cell
        By score (as in :data:`SCORES`), sample and model, in %; the best of the models on a sample is marked.
    """
    values = {(row.name, row.sample, row.model): row.value for row in rows if row.name in SCORES}
    cells = {}
    for score in SCORES:
        for sample in sample_names(row for row in rows if row.name in SCORES):
            column = {model: values[key] for model in models if (key := (score, sample, model)) in values}
            known = [round(value, 2) for value in column.values() if value is not None]
            for model, value in column.items():
                best = value is not None and len(column) > 1 and round(value, 2) == max(known)
                cells[score, sample, model] = Cell("absent" if value is None else f"{value:.2f}", best)
    return cells


def table4_rows(cells: Mapping[tuple[str, str, str], Cell], titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Table 4 as in the paper: a row for every model, a column for every score and sample, in %."""
    columns = list(dict.fromkeys((score, sample) for score, sample, _ in cells))
    return [
        {
            "model": title,
            **{
                f"{SCORES[score]} | {sample}": cells.get((score, sample, model), Cell(ABSENT)).text
                for score, sample in columns
            },
        }
        for model, title in titles.items()
    ]


@dataclass(frozen=True)
class Line:
    """A row of table 5."""

    parameter: str
    unit: str
    sample: str
    truth: str
    cells: Mapping[str, str]
    """By model."""


def table5(rows: Sequence[Row], models: Sequence[str], names: Sequence[str] = PAPER) -> list[Line]:
    """Give truth, value and relative error of every parameter, sample and model; samples without a truth have values.

    Parameters
    ----------
    rows : sequence of Row
        All numbers.
    models : sequence of str
        In the order of the table.
    names : sequence of str
        Measurements.
    """
    by_key = {(row.name, row.sample, row.model): row for row in rows}
    lines = []
    for name in names:
        for sample in sample_names(rows):
            own = {model: by_key[key] for model in models if (key := (name, sample, model)) in by_key}
            known = by_key.get((name, sample, TRUTH))
            if own:
                unit_text = unit(next(iter(own.values())).unit)
                truth = "" if known is None else _number(known.value)
                lines.append(Line(short(name), unit_text, sample, truth, {m: _measured(r) for m, r in own.items()}))
    return lines


def table5_rows(lines: Iterable[Line], titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Table 5 as in the paper: a row for every parameter and sample, a column for truth and every model."""
    return [
        {
            "parameter": f"{line.parameter} / {line.unit}",
            "sample": line.sample,
            TRUTH: line.truth,
            **{title: line.cells.get(model, ABSENT) for model, title in titles.items()},
        }
        for line in lines
    ]


def _measured(row: Row) -> str:
    """Value, interval where there is one, and relative error where there is a truth: ``7.36 [6.90, 7.81] (+40 %)``."""
    interval = ""
    if row.interval_low is not None and row.interval_high is not None:
        interval = f" [{_number(row.interval_low)}, {_number(row.interval_high)}]"
    return f"{_number(row.value)}{interval}{_error(row)}"


def _error(row: Row) -> str:
    if row.truth is None:
        return ""
    error = row.relative_error_percent
    if error is None:
        return " (undefined)"
    return " (–)" if abs(error) < SMALL_PERCENT else f" ({error:+.0f} %)".replace("-", "−")


def _number(value: float | None) -> str:
    """Write two decimals as in the paper, or two significant digits where those would be fewer."""
    if value is None:
        return "undefined"
    return f"{value:.2f}".replace("-", "−") if abs(value) >= 0.095 or value == 0 else f"{value:.2g}".replace("-", "−")
