"""Results as table nodes: of one sample, and of all samples by healing time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import vtk
from slicer.i18n import tr as _

from ImplantSegQuantLib import results
from ImplantSegQuantLib.definitions import DEFINITIONS, UNITS
from ImplantSegQuantLib.groups import STATISTICS, VALUE, group_table

FIRST = ("degradation_rate", "bone_implant_contact", "bone_volume_fraction")
"""Measures at the top of a table: those that papers compare."""

DIGITS = 5
"""Significant digits in tables; all of them are in the results' JSON."""

UNDEFINED = "–"
"""Cell of a number that is not defined, such as the contact of an implant that is gone; the column is text then."""


def title(name: str) -> str:
    """Give the name of a measure as people read it."""
    return (
        re.sub(r"<[^>]+>", "", DEFINITIONS[name].title) if name in DEFINITIONS else name.replace("_", " ").capitalize()
    )


def unit(text: str) -> str:
    """Give a unit as people read it."""
    return UNITS.get(text, text)


def fill_results(table: Any, result: Mapping[str, Any]) -> None:
    """Fill a table node with the measures of a sample.

    Parameters
    ----------
    table : vtkMRMLTableNode
        Its columns afterwards: ``Measure``, ``Value``, ``Unit``; ``Low`` and ``High`` where there are intervals;
        ``Truth`` and ``Error (%)`` where there is a truth; ``Key``, the name in the results' JSON.
    result : mapping
        What ``results.json`` holds.
    """
    rows = sorted(results.rows(result), key=lambda row: row["name"] not in FIRST)
    columns: list[tuple[str, Sequence[Any]]] = [
        ("Measure", [title(row["name"]) for row in rows]),
        ("Value", [_rounded(row["value"]) for row in rows]),
        ("Unit", [unit(row["unit"]) for row in rows]),
    ]
    for column, key in (
        ("Low", "interval_low"),
        ("High", "interval_high"),
        ("Truth", "truth"),
        ("Error (%)", "relative_error_percent"),
    ):
        if any(row[key] is not None for row in rows):
            columns.append((column, [_rounded(row[key]) for row in rows]))
    fill(table, [*columns, ("Key", [row["name"] for row in rows])])


def fill_groups(table: Any, found: Iterable[Mapping[str, Any]]) -> None:
    """Fill a table node with the statistics of samples by healing time.

    Raises
    ------
    InputError
        When a result tells no healing time, or the samples were measured in different units.
    """
    rows = group_table(found)
    columns: list[tuple[str, Sequence[Any]]] = [
        ("Weeks", [float(row["weeks"]) for row in rows]),
        ("Measure", [title(row["name"]) + ("" if row["kind"] == VALUE else _(", error")) for row in rows]),
        ("Unit", [unit(row["unit"]) for row in rows]),
    ]
    columns += [(name, [_rounded(row[name]) for row in rows]) for name in STATISTICS]
    fill(table, columns)


def fill(table: Any, columns: Iterable[tuple[str, Sequence[Any]]]) -> None:
    """Replace the columns of a table node: text where the values are text or one is undefined, else numbers."""
    data = vtk.vtkTable()
    for name, values in columns:
        if any(value != value for value in values):  # NaN alone is not itself
            values = [UNDEFINED if value != value else f"{value:.{DIGITS}g}" for value in values]  # noqa: PLW2901
        array = vtk.vtkStringArray() if any(isinstance(value, str) for value in values) else vtk.vtkDoubleArray()
        array.SetName(name)
        for value in values:
            array.InsertNextValue(value)
        data.AddColumn(array)
    table.SetUseColumnTitleAsColumnHeader(True)
    table.SetAndObserveTable(data)
    table.SetLocked(True)  # what was measured is not edited in a cell


def as_text(table: Any, separator: str = "\t") -> str:
    """Table as text: one line a row, with a header; undefined numbers are empty."""
    names = [table.GetColumnName(column) for column in range(table.GetNumberOfColumns())]
    lines = [separator.join(names)]
    for row in range(table.GetNumberOfRows()):
        cells = [table.GetCellText(row, column) for column in range(len(names))]
        lines.append(separator.join("" if cell == UNDEFINED else cell for cell in cells))
    return "\n".join(lines) + "\n"


def _rounded(value: float | None) -> float:
    return math.nan if value is None else float(f"{value:.{DIGITS}g}")
