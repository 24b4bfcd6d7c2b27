"""Statistics of many samples by healing time, from their ``results.json``; plain Python, so that Slicer can call it."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ImplantSegLib.errors import InputError
from ImplantSegQuantLib.definitions import DEFINITIONS
from ImplantSegQuantLib.results import number

Result = Mapping[str, Any]

STATISTICS = ("n", "mean", "sd", "median", "min", "max")
"""What a row tells, in order; see :func:`summary`."""

VALUE, ERROR = "value", "relative_error"
"""What a row is about: the measure itself, or its relative error against the truth."""


def group_table(results: Iterable[Result], by: str = "weeks") -> list[dict[str, Any]]:
    """Summarise measures over the samples of each group.

    Parameters
    ----------
    results : iterable of mapping
        What :func:`ImplantSegQuantLib.results.read` gives.
    by : str
        Entry of the job that says to which group a sample belongs: the healing time.

    Returns
    -------
    list of dict
        One row for each group and measure, groups in rising order, measures in that of the definitions. Keys: the
        name in ``by``; ``name`` and ``unit`` of the measure; ``kind``, ``"value"`` or ``"relative_error"`` (these rows,
        in %, exist where a truth is); ``n``, ``mean``, ``sd``, ``median``, ``min`` and ``max``.

    Raises
    ------
    InputError
        When a result has no such entry, or tells a measure in another unit than the others.
    """
    groups: dict[Any, list[Result]] = {}
    for result in results:
        groups.setdefault(_group(result, by), []).append(result)
    return [{by: group, **row} for group in sorted(groups) for row in _rows(groups[group])]


def summary(values: Iterable[float | None]) -> dict[str, float | int | None]:
    """Give n, mean, standard deviation (n − 1), median, minimum and maximum of the values that are not None.

    What too few values leave undefined is None: all but ``n`` without any value, ``sd`` with one.
    """
    known = [float(value) for value in values if value is not None]
    if not known:
        return {"n": 0, **dict.fromkeys(STATISTICS[1:])}
    return {
        "n": len(known),
        "mean": statistics.fmean(known),
        "sd": statistics.stdev(known) if len(known) > 1 else None,
        "median": statistics.median(known),
        "min": min(known),
        "max": max(known),
    }


def _group(result: Result, by: str) -> Any:
    job = result.get("job") or {}
    if job.get(by) is None:
        raise InputError(
            f"the results of {job.get('segmentation', 'a sample')} do not tell {by!r}, so they belong to no group",
            "quantify the sample again, or group by an entry that all jobs have, such as weeks",
        )
    return job[by]


def _rows(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Rows of one group."""
    rows = []
    for name in _names(results):
        entries = [result["measurements"][name] for result in results if name in result["measurements"]]
        unit = _common_unit(name, entries)
        rows.append({"name": name, "unit": unit, "kind": VALUE, **summary(entry["value"] for entry in entries)})
        errors = [number((result.get("relative_error_percent") or {}).get(name)) for result in results]
        if any(error is not None for error in errors):
            rows.append({"name": name, "unit": "%", "kind": ERROR, **summary(errors)})
    return rows


def _names(results: Sequence[Result]) -> list[str]:
    """Names of all measures, those with a definition first."""
    seen = dict.fromkeys(name for result in results for name in result["measurements"])
    return [name for name in DEFINITIONS if name in seen] + [name for name in seen if name not in DEFINITIONS]


def _common_unit(name: str, entries: Sequence[Mapping[str, Any]]) -> str:
    units = sorted({str(entry["unit"]) for entry in entries})
    if len(units) > 1:
        raise InputError(
            f"{name} is in {' and in '.join(units)}, wanted one unit in all results",
            "quantify all samples with the same version",
        )
    return units[0]
