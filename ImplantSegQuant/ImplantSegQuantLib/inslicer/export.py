"""Results out of the scene: files where the user wants them, and the clipboard."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

from ImplantSegLib.errors import InputError
from ImplantSegLib.files import atomic_path, write_text
from ImplantSegQuantLib import results
from ImplantSegQuantLib.inslicer import names, samples, tables


def report(table: Any) -> Path:
    """Give the path of the report of a sample.

    Raises
    ------
    InputError
        When its folder has gone; numbers travel with the scene, the report does not.
    """
    path = Path(table.GetAttribute(names.FOLDER) or "") / "report.html"
    if not path.is_file():
        raise InputError(
            f"the report of {table.GetAttribute(names.SAMPLE)} is not in {path.parent} any more",
            "measure the sample again; its numbers are in this scene, and CSV and JSON can be saved",
        )
    return path


def save(table: Any, path: Path) -> None:
    """Save the results of a sample: ``.json`` and ``.csv`` as ``quantify`` writes them, ``.html`` the report.

    Of a group table there is ``.csv`` only.

    Raises
    ------
    InputError
        When the file cannot be written, or the report has gone.
    """
    suffix = path.suffix.lower()
    if suffix == ".html":
        source = report(table)
        with atomic_path(path) as temporary:
            shutil.copyfile(source, temporary)
    elif suffix == ".json":
        write_text(path, json.dumps(samples.result(table), indent=2, ensure_ascii=False) + "\n")
    elif suffix == ".csv" and not table.GetAttribute(names.SAMPLE):
        save_table(table, path)
    elif suffix == ".csv":
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, results.COLUMNS)
        writer.writeheader()
        writer.writerows(results.rows(samples.result(table)))
        write_text(path, text.getvalue())
    else:
        raise InputError(f"got the file {path}, wanted .csv, .json or .html", "choose another name")


def save_table(table: Any, path: Path) -> None:
    """Save a table of the scene as CSV.

    Raises
    ------
    InputError
        When the file cannot be written.
    """
    text = io.StringIO(newline="")
    rows = (line.split("\t") for line in tables.as_text(table).splitlines())
    csv.writer(text).writerows(rows)
    write_text(path, text.getvalue())
