"""Compare a segmentation with the ground truth: overlap over the field of view, relative errors of measurements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ImplantSegLib import metrics, progress
from ImplantSegLib.errors import InputError
from ImplantSegLib.labels import NAMES, Label
from ImplantSegQuantLib.boundary import boundary_error
from ImplantSegQuantLib.measurement import Measurement
from ImplantSegQuantLib.sample import Sample, as_labels

if TYPE_CHECKING:
    from ImplantSegLib.volumes import FieldOfView, Volume

GRID_TOLERANCE_VOXELS = 0.01
"""How far voxels of one grid may be from those of another: float32 headers round micrometres."""

MENTIONED_PERCENT = 1.0
"""Share of a surface that may be out of reach of the other one without a word."""


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
        ``iou_percent``, ``mean_iou_percent``, ``dice_percent``, ``surface_dice_percent`` (1 voxel), the boundary
        error of :func:`~ImplantSegQuantLib.boundary.boundary_error`, ``confusion`` (rows truth, columns prediction, in
        the order of the labels), ``voxels``, and ``notes`` about absent classes and an unknown voxel size.

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
    boundaries = boundary_error(sample, truth, (counts.sum(axis=0) > 0) & (counts.sum(axis=1) > 0))
    return {
        "iou_percent": iou,
        "mean_iou_percent": metrics.mean_iou_percent(counts),
        "dice_percent": metrics.dice_percent(counts),
        "surface_dice_percent": metrics.surface_dice_percent(matches),
        **boundaries,
        "confusion": counts.tolist(),
        "voxels": int(counts.sum()),
        "notes": _notes(iou, boundaries),
    }


def _notes(iou: Mapping[str, float | None], boundaries: Mapping[str, Any]) -> list[str]:
    """Tell which scores are undefined, and which surfaces were not found."""
    if boundaries["boundary_error_reach_um"] is None:
        return [*(_absent(name) for name, value in iou.items() if value is None), _NO_VOXEL_SIZE]
    notes = []
    for name, value in iou.items():
        beyond = boundaries["boundary_error_beyond_percent"][name]
        if value is None:
            notes.append(_absent(name))
        elif beyond is None:
            notes.append(
                f"{name}: one of prediction and truth has no surface of it, so its boundary error is undefined"
            )
        elif beyond >= MENTIONED_PERCENT:
            reach = boundaries["boundary_error_reach_um"]
            notes.append(
                f"{name}: {beyond:.3g} % of its surfaces lie more than {reach:.4g} µm from the other surface and count "
                "as that far in the boundary error"
            )
    return notes


_NO_VOXEL_SIZE = "no file tells a voxel size, so the boundary error in µm is undefined"


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


_COLUMNS = {
    "iou_percent": "IoU %",
    "dice_percent": "Dice %",
    "surface_dice_percent": "surface Dice %",
    "boundary_error_mean_um": "boundary mean µm",
    "boundary_error_95_um": "95th µm",
}


def table(scores: dict[str, Any]) -> str:
    """Scores per class as text for people."""
    widths = [max(len(title) + 2, 11) for title in _COLUMNS.values()]
    lines = [f"{'':20}" + "".join(f"{title:>{width}}" for title, width in zip(_COLUMNS.values(), widths, strict=True))]
    for name in NAMES.values():
        absent = "absent" if scores["iou_percent"][name] is None else "undefined"
        values = (scores[column][name] for column in _COLUMNS)
        cells = (absent if value is None else f"{value:.2f}" for value in values)
        lines.append(f"{name:20}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)))
    mean = scores["mean_iou_percent"]
    lines.append(f"{'mean IoU':20}{'undefined' if mean is None else format(mean, '.2f'):>11}")
    return "\n".join([*lines, *scores["notes"]])
