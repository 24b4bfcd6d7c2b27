"""Compare a segmentation with the ground truth: overlap over the field of view, relative errors of measurements."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ImplantSegLib import metrics, progress
from ImplantSegLib.errors import InputError
from ImplantSegLib.labels import NAMES, Label
from ImplantSegQuantLib.measurement import Measurement
from ImplantSegQuantLib.sample import Sample, as_labels

if TYPE_CHECKING:
    from ImplantSegLib.volumes import FieldOfView, Volume

GRID_TOLERANCE_VOXELS = 0.01
"""How far voxels of one grid may be from those of another: float32 headers round micrometres."""


def overlap(prediction: Volume, truth: Volume, fov: FieldOfView) -> dict[str, Any]:
    """Score a segmentation against the truth over the field of view.

    Parameters
    ----------
    prediction, truth : Volume
        Labels 0 to 3; voxels of value 255 in the truth are skipped.
    fov : FieldOfView
        What the scan has seen.

    Returns
    -------
    dict
        ``iou_percent``, ``mean_iou_percent``, ``dice_percent``, ``surface_dice_percent`` (1 voxel), ``confusion``
        (rows truth, columns prediction, in the order of the labels), ``voxels``, and ``notes`` about absent classes.

    Raises
    ------
    InputError
        When the grids differ or a label outside the table is met.
    """
    check_same_grid(prediction, truth, "prediction", "truth")
    sample = Sample(prediction, fov)
    counts, matches = np.zeros((len(Label), len(Label)), np.int64), np.zeros((len(Label), 2), np.int64)
    both = {"prediction": prediction, "truth": truth}
    windows = sample.windows(metrics.SURFACE_HALO)
    for window in progress.track(windows, "compare", sample.steps, "slab"):
        pair = [as_labels(np.asarray(volume.array[window.read]), role) for role, volume in both.items()]
        inside = fov.slab_mask(window.read, prediction.shape)
        inner_mask = None if inside is None else inside[window.inner]
        counts += metrics.confusion(pair[0][window.inner], pair[1][window.inner], inner_mask)
        matches += metrics.surface_matches(pair[0], pair[1], inside, window.inner)
    iou = metrics.iou_percent(counts)
    return {
        "iou_percent": iou,
        "mean_iou_percent": metrics.mean_iou_percent(counts),
        "dice_percent": metrics.dice_percent(counts),
        "surface_dice_percent": metrics.surface_dice_percent(matches),
        "confusion": counts.tolist(),
        "voxels": int(counts.sum()),
        "notes": [_absent(name) for name, value in iou.items() if value is None],
    }


def _absent(name: str) -> str:
    return f"{name} is in neither the prediction nor the truth: its scores are null and the mean IoU leaves it out"


def relative_errors_percent(
    measured: Iterable[Measurement], truth: Iterable[Measurement]
) -> tuple[dict[str, float | None], list[str]]:
    """Relative errors ``(prediction − truth) / truth`` in %, signed, and what must be said of undefined ones.

    Equation 3 of doi:10.3389/fphy.2024.1257512; None where the truth is 0 or one of the two is undefined.
    """
    true_values = {measurement.name: measurement.value for measurement in truth}
    errors: dict[str, float | None] = {}
    notes = []
    for measurement in measured:
        value, wanted = measurement.value, true_values.get(measurement.name)
        if value is None or wanted is None:
            errors[measurement.name] = None
        elif wanted == 0:
            errors[measurement.name] = None
            notes.append(f"{measurement.name}: the truth is 0, so a relative error is undefined")
        else:
            errors[measurement.name] = 100.0 * (value - wanted) / wanted
    return errors, notes


def check_same_grid(one: Volume, other: Volume, role: str, other_role: str) -> None:
    """Refuse two volumes on different grids; where a file has no voxel size, the shapes must do.

    Raises
    ------
    InputError
        Naming both grids.
    """
    known = all(volume.metadata.get("voxel_size_known", "yes") == "yes" for volume in (one, other))
    if one.same_grid(other, GRID_TOLERANCE_VOXELS) if known else one.shape == other.shape:
        return
    raise InputError(
        f"the {role} and the {other_role} are on different grids: {one.describe_grid()} against "
        f"{other.describe_grid()}",
        "pass two volumes of the same scan, cropped and binned alike",
    )


def table(scores: dict[str, Any]) -> str:
    """Scores per class as text for people."""
    columns = ("iou_percent", "dice_percent", "surface_dice_percent")
    lines = [f"{'':20}{'IoU %':>10}{'Dice %':>10}{'surface Dice %':>16}"]
    for name in NAMES.values():
        cells = ["absent" if scores[column][name] is None else f"{scores[column][name]:.2f}" for column in columns]
        lines.append(f"{name:20}{cells[0]:>10}{cells[1]:>10}{cells[2]:>16}")
    mean = scores["mean_iou_percent"]
    lines.append(f"{'mean IoU':20}{'undefined' if mean is None else format(mean, '.2f'):>10}")
    return "\n".join([*lines, *scores["notes"]])
