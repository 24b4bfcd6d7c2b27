"""Cohorts for tests of ``study``: results of made-up samples, as ``quantify`` writes them, and their file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ImplantSegLib.labels import NAMES
from ImplantSegQuantLib.results import write_results

UNITS = {
    "degradation_rate": "mm/a",
    "bone_implant_contact": "%",
    "bone_volume_fraction": "%",
    "volume_loss_fraction": "%",
    "degradation_layer_thickness": "µm",
    "corrosion_depth": "µm",
}


def result(weeks: float, values: dict[str, float | None], truth: dict[str, float | None] | None = None) -> Any:
    """Make what ``results.json`` holds."""
    made: dict[str, Any] = {
        "measurements": {
            name: {"value": value, "unit": UNITS[name], "interval": None, "note": ""} for name, value in values.items()
        },
        "warnings": [],
        "job": {"segmentation": "labels.nrrd", "weeks": weeks},
        "provenance": {},
    }
    if truth is not None:
        made["truth"] = {name: {"value": value, "unit": UNITS[name]} for name, value in truth.items()}
        made["relative_error_percent"] = {
            name: 100 * (values[name] - known) / known if known and values.get(name) is not None else None
            for name, known in truth.items()
        }
    return made


def overlap(made: Any, iou: list[float | None]) -> Any:
    """Add IoU of the four classes, and their mean."""
    known = [value for value in iou if value is not None]
    return made | {
        "iou_percent": dict(zip(NAMES.values(), iou, strict=True)),
        "mean_iou_percent": sum(known) / len(known),
    }


def write_cohort(folder: Path, sites=("diaphysis", "metaphysis"), times=(6, 12, 24), repeats=3, truth=True) -> Path:
    """Write results of two models on samples of every site and time, drawn with a fixed seed; gives the cohort file."""
    rng = np.random.default_rng(7)
    entries = ['name = "test cohort"', 'titles = { unet = "U-Net", nnunet2d = "2D nnU-Net" }']
    for site in sites:
        for weeks in times:
            for repeat in range(1, repeats + 1):
                name = f"{site}-{weeks}w-{repeat}"
                true = _draw(rng, weeks, site)
                for model, error in (("unet", 0.03), ("nnunet2d", 0.01)):
                    made = {key: value * (1 + rng.normal(error, error)) for key, value in true.items()}
                    made["bone_implant_contact"] *= 1 + 15 * error
                    found = result(weeks, made, true if truth else None)
                    if truth:
                        found = overlap(found, list(np.array([97, 98.5, 80, 96]) - 60 * error * rng.random(4)))
                    for key, value in made.items():
                        found["measurements"][key]["interval"] = [0.95 * value, 1.06 * value]
                    write_results(folder / name / model, found)
                entries.append(
                    f'[[samples]]\nname = "{name}"\nsite = "{site}"\n'
                    f'results = {{ unet = "{name}/unet", nnunet2d = "{name}/nnunet2d" }}'
                )
    path = folder / "cohort.toml"
    path.write_text("\n".join(entries) + "\n", encoding="utf-8")
    return path


def _draw(rng: np.random.Generator, weeks: float, site: str) -> dict[str, float]:
    bone = 1.2 if site == "diaphysis" else 1.0
    return {
        "degradation_rate": 0.9 * weeks**-0.35 * rng.normal(1, 0.08),
        "bone_implant_contact": 6 * bone * weeks**0.4 * rng.normal(1, 0.15),
        "bone_volume_fraction": 25 * bone * weeks**0.2 * rng.normal(1, 0.06),
        "volume_loss_fraction": 1.4 * weeks**0.8 * rng.normal(1, 0.08),
        "degradation_layer_thickness": 40 * weeks**0.3 * rng.normal(1, 0.1),
        "corrosion_depth": 30 * weeks**0.5 * rng.normal(1, 0.1),
    }


TRAINING = """
[[training]]
model = "U-Net"
framework = "TomoSeg"
input_size = [512, 512]
mean_iou_percent = [84.1, 85.0, 84.4, 86.2]
[[training]]
model = "U-Net"
framework = "TomoSeg"
input_size = [1024, 1024]
mean_iou_percent = [90.5, 91.2, 90.9, 90.92]
[[training]]
model = "HR-Net"
framework = "TomoSeg"
input_size = [512, 512]
mean_iou_percent = [83.1, 84.0, 83.4, 85.2]
[[training]]
model = "HR-Net"
framework = "TomoSeg"
input_size = [1024, 1024]
mean_iou_percent = [90.6, 91.2, 90.9, 91.1]
[[training]]
model = "2D U-Net"
framework = "nnU-Net"
input_size = [1280, 1024]
mean_iou_percent = [94.5, 95.2, 95.0, 95.1]
[[training]]
model = "3D U-Net"
framework = "nnU-Net"
input_size = [228, 228, 48]
mean_iou_percent = [92.9, 93.2, 93.1, 93.2]
"""
