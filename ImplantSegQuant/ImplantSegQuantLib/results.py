"""``results.json`` and ``results.csv``: what was measured, for programs and for spreadsheets."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ImplantSegLib.errors import InputError
from ImplantSegLib.files import atomic_path, explained_os_errors, write_text
from ImplantSegQuantLib.schemas import RESULTS

COLUMNS = (
    "name",
    "value",
    "unit",
    "interval_low",
    "interval_high",
    "truth",
    "relative_error_percent",
    "half_voxel_low",
    "half_voxel_high",
)


def write_results(outdir: str | Path, result: Mapping[str, Any]) -> None:
    """Write ``results.json``, with the name of its schema, and ``results.csv``; each appears whole or not at all.

    Parameters
    ----------
    outdir : path
        Folder of the results, made when missing.
    result : mapping
        ``"measurements"`` ``{name: {"value", "unit", "interval"}}`` and whatever else belongs to the result.
        Undefined numbers (None, NaN, infinities) become ``null`` in JSON and an empty cell in CSV.

    Raises
    ------
    InputError
        When the folder may not be written or the disk is full.
    """
    outdir = Path(outdir)
    plain = {"schema": RESULTS, **strict(result)}
    text = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(outdir / "results.json", text + "\n")
    with (
        atomic_path(outdir / "results.csv") as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows(plain))


def read(path: str | Path) -> dict[str, Any]:
    """Read the results of a sample.

    Parameters
    ----------
    path : path
        ``results.json``, or the folder that holds it.

    Returns
    -------
    dict
        What :func:`write_results` was given, and the ``schema``.

    Raises
    ------
    InputError
        When there is no such file, or it holds something else.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "results.json"
    if not path.is_file():
        raise InputError(f"there are no results {path}", "pass results.json, or the folder that quantify wrote")
    with explained_os_errors(path, "read"):
        content = path.read_bytes()
    try:
        result = json.loads(content)
        complete = all({"value", "unit"} <= entry.keys() for entry in result["measurements"].values())
    except (ValueError, TypeError, KeyError, AttributeError):
        complete = False
    if not complete:
        raise InputError(f"{path} does not hold the results of a sample", "pass the results.json that quantify wrote")
    return dict(result)


def strict(value: Any) -> Any:
    """Give a value that strict JSON can hold: plain Python types, None for numbers that are not finite."""
    if isinstance(value, Mapping):
        return {str(key): strict(item) for key, item in value.items()}
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return strict(value.tolist())
    if isinstance(value, (list, tuple)):
        return [strict(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int)) else str(value)


def rows(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row per measurement, with the keys of :data:`COLUMNS`; None for what is absent or undefined."""
    truth = result.get("truth") or {}
    errors = result.get("relative_error_percent") or {}
    table = []
    for name, measurement in result["measurements"].items():
        low, high = measurement.get("interval") or (None, None)
        lowest, highest = (measurement.get("uncertainty") or {}).get("bound_half_voxel") or (None, None)
        table.append(
            {
                "name": name,
                "value": measurement["value"],
                "unit": measurement["unit"],
                "interval_low": low,
                "interval_high": high,
                "truth": number(truth.get(name)),
                "relative_error_percent": number(errors.get(name)),
                "half_voxel_low": lowest,
                "half_voxel_high": highest,
            }
        )
    return table


def number(entry: Any) -> float | None:
    """Value of a measurement that is given as ``{"value": ...}``, as a bare number or not at all."""
    return entry.get("value") if isinstance(entry, Mapping) else entry
