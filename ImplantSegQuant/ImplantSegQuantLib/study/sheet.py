"""The samples of a cohort as a table: a CSV file, as spreadsheets write it."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

from ImplantSegLib.errors import InputError
from ImplantSegLib.inference.scanlist import read_cells

PLAIN = ("name", "weeks", "site", "subject", "image", "truth", "reference", "pose", "fov", "roi_mm", "models")
"""Columns with one value."""

NUMBERS = ("weeks", "roi_mm")

FAMILIES = {"segmentation": "segmentations", "results": "results", "probabilities": "probabilities", "group": "groups"}
"""Columns ``FAMILY.KEY``, of which there may be several: ``segmentation.unet``, ``group.alloy``."""


def read_sheet(path: Path) -> list[dict[str, Any]]:
    """Read samples from a table.

    Parameters
    ----------
    path : Path
        UTF-8, separated by commas, semicolons or tabs. Columns: those of :data:`PLAIN` (``models`` separated by
        spaces), and any of ``segmentation.MODEL``, ``results.MODEL``, ``probabilities.MODEL`` and ``group.KEY``. Paths
        are seen from the folder of the cohort file. Empty cells and lines do not count.

    Returns
    -------
    list of dict
        What ``[[samples]]`` of a cohort file would say.

    Raises
    ------
    InputError
        For an unknown column (naming the nearest known one), or a line that is wrong.
    """
    head, *lines = read_cells(path) or [[]]
    columns = [_column(path, name) for name in head]
    if "name" not in columns:
        raise InputError(f"{path} has no column name", f"known columns: {_known()}")
    if repeated := next((name for name in columns if columns.count(name) > 1), None):
        raise InputError(f"{path} has two columns {repeated!r}", "take one of them out")
    found = []
    for number, cells in enumerate(lines, start=2):
        where = f"line {number} of {path}"
        if any(cell.strip() for cell in cells[len(columns) :]):
            raise InputError(f"{where} has more cells than columns", "put texts with separators in quotes")
        row = {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if cell.strip()}
        if row and "name" not in row:
            raise InputError(f"{where} names no sample", "fill in the column name")
        found += [_sample(row, where)] if row else []
    return found


def _column(path: Path, name: str) -> str:
    name = name.strip()
    plain = name.lower().replace("-", "_").replace(" ", "_")
    family, dot, key = name.partition(".")
    if plain in PLAIN:
        return plain
    if dot and key and family.lower() in FAMILIES:
        return f"{family.lower()}.{key}"
    near = difflib.get_close_matches(plain, [*PLAIN, *(f"{one}.{key or 'MODEL'}" for one in FAMILIES)], n=1, cutoff=0)
    raise InputError(f"{path} has an unknown column {name!r}", f"did you mean {near[0]!r}? Known columns: {_known()}")


def _known() -> str:
    return ", ".join([*PLAIN, *(f"{name}.{'KEY' if name == 'group' else 'MODEL'}" for name in FAMILIES)])


def _sample(row: dict[str, str], where: str) -> dict[str, Any]:
    sample: dict[str, Any] = {}
    for column, text in row.items():
        family, dot, key = column.partition(".")
        if dot:
            sample.setdefault(FAMILIES[family], {})[key] = text
        elif column in NUMBERS:
            sample[column] = _number(text, column, where)
        else:
            sample[column] = re.split(r"\s+", text) if column == "models" else text
    return sample


def _number(text: str, column: str, where: str) -> float:
    try:
        return float(text.replace(",", "."))  # a decimal comma, as German spreadsheets write it
    except ValueError as error:
        raise InputError(f"{where} has {text!r} in the column {column}, wanted a number", "correct it") from error
