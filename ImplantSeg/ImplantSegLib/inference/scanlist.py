"""A list of scans to segment: a CSV file whose columns are the options of ``segment``."""

from __future__ import annotations

import csv
import dataclasses
import difflib
from pathlib import Path

from ImplantSegLib.errors import InputError
from ImplantSegLib.files import explained_os_errors
from ImplantSegLib.inference.job import SegmentJob
from ImplantSegLib.volumes import formats

SUFFIX = ".csv"

_RUN_ONLY = ("found", "provenance")
_FIELDS = {field.name: field.default for field in dataclasses.fields(SegmentJob) if field.name not in _RUN_ONLY}
_SWITCHES = [name for name, default in _FIELDS.items() if isinstance(default, bool)]
COLUMNS = (*_FIELDS, *(f"no_{name}" for name in _SWITCHES))
"""Columns that a list may have: the long names of the options, with ``_`` for ``-``."""

_YES, _NO = ("true", "yes", "1", "on", "x"), ("false", "no", "0", "off")

Row = dict[str, str]


def read_list(path: Path) -> list[Row]:
    """Read a list: UTF-8, with or without a byte order mark, separated by commas, semicolons or tabs.

    Parameters
    ----------
    path : Path
        The list. Cells that are empty, and lines that are, do not count.

    Returns
    -------
    list of dict of str to str
        The cells of every row by their column.

    Raises
    ------
    InputError
        For a file that is no such list, or a column that is no option of ``segment``, naming the nearest known one.
    """
    lines = read_cells(path)
    columns = _columns(path, lines[0] if lines else [])
    rows = []
    for number, cells in enumerate(lines[1:], start=2):
        if any(cell.strip() for cell in cells[len(columns) :]):
            raise InputError(
                f"line {number} of {path} has more cells than columns", "put texts with separators in quotes"
            )
        row = {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if cell.strip()}
        if row and "input" not in row:
            raise InputError(f"line {number} of {path} names no input", "fill in the column input")
        rows += [row] if row else []
    if not rows:
        raise InputError(f"{path} lists no scans", "write one line per scan below the names of the columns")
    return rows


def read_cells(path: Path) -> list[list[str]]:
    """Read the cells of a CSV file, line by line, as spreadsheets write it.

    It is UTF-8, with or without a byte order mark, separated by commas, semicolons or tabs.

    Raises
    ------
    InputError
        For a file that cannot be read or is no text in UTF-8.
    """
    try:
        with explained_os_errors(path, "read"):
            text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8", "save the table as CSV UTF-8") from error
    head = text.partition("\n")[0]
    return list(csv.reader(text.splitlines(), delimiter=max(",;\t", key=head.count)))


def _columns(path: Path, names: list[str]) -> list[str]:
    columns = [name.strip().lower().replace("-", "_") for name in names]
    if "input" not in columns:
        raise InputError(f"{path} has no column input", f"known columns: {', '.join(COLUMNS)}")
    for index, name in enumerate(columns):
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1, cutoff=0)[0]
            raise InputError(
                f"{path} has an unknown column {names[index]!r}",
                f"did you mean {near!r}? Known columns: {', '.join(COLUMNS)}",
            )
        if name in columns[:index]:
            raise InputError(f"{path} has two columns {name!r}", "take one of them out")
    return columns


def as_arguments(row: Row, folder: Path, out: Path | None) -> list[str]:
    """Command line of a row, without the verb; paths are relative to the folder of the list.

    Parameters
    ----------
    row : dict of str to str
        As :func:`read_list` gives it.
    folder : Path
        Where the list lies.
    out : Path, optional
        Folder that ``output`` is relative to instead; the output is named after the scan where the row has none.

    Raises
    ------
    InputError
        For a switch that is neither yes nor no.
    """
    scan = folder / row["input"]
    output = (out or folder) / row.get("output", f"{formats.stem(scan)}.seg.nrrd")
    result = []
    for name, text in row.items():
        if name in ("input", "output"):
            continue
        if name.removeprefix("no_") in _SWITCHES:
            result.append(_switch(name, text))
        else:
            result += [_option(name), _resolved(name, text, folder)]
    return [*result, "--", str(scan), str(output)]


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _switch(name: str, text: str) -> str:
    if text.lower() not in (*_YES, *_NO):
        raise InputError(f"got {text!r} in the column {name!r}, wanted yes or no", "correct it")
    opposite = name.removeprefix("no_") if name.startswith("no_") else f"no_{name}"
    return _option(name if text.lower() in _YES else opposite)


def _resolved(name: str, text: str, folder: Path) -> str:
    """Text of an option with its path, if it is one, seen from the folder of the list."""
    is_path = name in ("probabilities", "uncertainty")
    is_path |= name in ("model", "fov") and (folder / text).exists()  # else a name, or a shape
    return str(folder / text) if is_path else text
