"""All numbers of a study as one tidy table: a row for every sample, model and measurement."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ImplantSegLib.errors import InputError
from ImplantSegLib.labels import NAMES, TITLES
from ImplantSegQuantLib import results
from ImplantSegQuantLib.definitions import DEFINITIONS
from ImplantSegQuantLib.results import number
from ImplantSegQuantLib.study.cohort import SITE, SUBJECT, TRUTH, Cohort, StudySample

IOU = "iou_"
"""Before the name of a class: its IoU as a measurement."""

MEAN_IOU = "mean_iou"

SHORT = {
    "degradation_rate": "DR",
    "degradation_rate_unbiased": "DR, unbiased",
    "bone_implant_contact": "BIC",
    "bone_volume_fraction": "BV/TV",
    "volume_loss_fraction": "Volume loss",
    "degradation_layer_thickness": "Layer thickness",
    "corrosion_depth": "Corrosion depth",
}
"""What measures are called where there is little room."""

PAPER = ("degradation_rate", "bone_implant_contact", "bone_volume_fraction")
"""What table 5 and figure 4 of the paper tell."""


@dataclass(frozen=True)
class Row:
    """One number."""

    sample: str
    weeks: float | None
    site: str
    subject: str
    model: str
    name: str
    value: float | None
    unit: str
    interval_low: float | None = None
    interval_high: float | None = None
    truth: float | None = None
    relative_error_percent: float | None = None
    half_voxel_low: float | None = None
    half_voxel_high: float | None = None
    groups: Mapping[str, str] = field(default_factory=dict)

    def group(self, key: str) -> str:
        """Value of a property by which samples are grouped."""
        return {SITE: self.site, SUBJECT: self.subject, **self.groups}.get(key, "")


@dataclass(frozen=True)
class Measured:
    """A sample with the results of its models."""

    sample: StudySample
    weeks: float | None
    """Healing time; None where neither cohort nor results tell it."""
    results: Mapping[str, Mapping[str, Any]]
    """What ``results.json`` holds, by model."""


def measured(cohort: Cohort, sample: StudySample, found: Mapping[str, Mapping[str, Any]]) -> Measured:
    """Put a sample and its results together.

    Raises
    ------
    InputError
        When results that were given tell another healing time than the cohort.
    """
    weeks = cohort.weeks if sample.weeks is None else sample.weeks
    for model, result in found.items():
        own = (result.get("job") or {}).get("weeks")
        if own is not None and weeks is not None and own != weeks:
            raise InputError(
                f"sample {sample.name!r} healed for {weeks:g} weeks, but the results of {model} were made with {own:g}",
                "correct the cohort, or quantify the sample again",
            )
        weeks = own if weeks is None else weeks
    return Measured(sample, weeks, found)


def rows(samples: Iterable[Measured]) -> list[Row]:
    """Give all numbers, those of the true labels as of a model of their own, ``ground truth``, once for each sample."""
    found: list[Row] = []
    for one in samples:
        told = False
        for model, result in one.results.items():
            if result.get("truth") and not told:
                found += _of_truth(one, result)
                told = True
            found += _of_model(one, model, result)
    return found


def _of_model(one: Measured, model: str, result: Mapping[str, Any]) -> list[Row]:
    made = [
        _row(one, model, entry["name"], entry["value"], entry["unit"], **{key: entry[key] for key in _MORE})
        for entry in results.rows(result)
    ]
    iou = result.get("iou_percent") or {}
    made += [_row(one, model, IOU + name, iou.get(name), "%") for name in NAMES.values() if name in iou]
    if "mean_iou_percent" in result:
        made.append(_row(one, model, MEAN_IOU, result["mean_iou_percent"], "%"))
    return made


_MORE = ("interval_low", "interval_high", "truth", "relative_error_percent", "half_voxel_low", "half_voxel_high")


def _of_truth(one: Measured, result: Mapping[str, Any]) -> list[Row]:
    units = {name: entry["unit"] for name, entry in result["measurements"].items()}
    return [
        _row(one, TRUTH, name, number(entry), units[name]) for name, entry in result["truth"].items() if name in units
    ]


def _row(one: Measured, model: str, name: str, value: float | None, unit: str, **more: Any) -> Row:
    sample = one.sample
    groups = dict(sample.groups)
    return Row(sample.name, one.weeks, sample.site, sample.subject, model, name, value, unit, groups=groups, **more)


def title(name: str) -> str:
    """Name of a measurement as plain text."""
    if name == MEAN_IOU:
        return "Mean IoU"
    if name.startswith(IOU):
        return "IoU " + {NAMES[label]: TITLES[label].lower() for label in NAMES}[name.removeprefix(IOU)]
    return re.sub(r"<[^>]+>", "", DEFINITIONS[name].title) if name in DEFINITIONS else name.replace("_", " ")


def short(name: str) -> str:
    """Name of a measurement where there is little room."""
    return SHORT.get(name) or title(name)


def table(found: Sequence[Row]) -> list[dict[str, Any]]:
    """Give rows as they stand in ``measurements.csv``, with a column for every property of the samples."""
    keys = list(dict.fromkeys(key for row in found for key in row.groups))
    return [
        {
            "sample": row.sample, "weeks": row.weeks, "site": row.site, "subject": row.subject,
            **{key: row.groups.get(key, "") for key in keys},
            "model": row.model, "measurement": row.name, "value": row.value, "unit": row.unit,
            "interval_low": row.interval_low, "interval_high": row.interval_high, "truth": row.truth,
            "relative_error_percent": row.relative_error_percent,
            "half_voxel_low": row.half_voxel_low, "half_voxel_high": row.half_voxel_high,
        }
        for row in found
    ]  # fmt: skip


def unit_of(found: Iterable[Row], name: str) -> str:
    """Give the unit of a measurement.

    Raises
    ------
    InputError
        When samples tell it in different ones.
    """
    units = sorted({row.unit for row in found if row.name == name})
    if len(units) > 1:
        raise InputError(
            f"{name} is in {' and in '.join(units)}, wanted one unit in all results",
            "quantify all samples with the same version",
        )
    return units[0] if units else ""
