"""Scores on whole validation slices: IoU of every class, and how well the contact is met."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from ImplantSegLib.labels import IMPLANT, NAMES, Label
from ImplantSegLib.metrics.overlap import confusion, iou_percent, mean_iou_percent
from ImplantSegLib.training.config import Run
from ImplantSegLib.training.data import Scan

Array = npt.NDArray[Any]
Predict = Callable[[Array], Array]


def slices(scan: Scan, axes: list[int], count: int) -> Iterator[tuple[Array, Array]]:
    """Whole slices of a scan, evenly spaced along each axis: image float32 and labels uint8, both 2D."""
    for axis in axes:
        extent = scan.shape[axis]
        indices = np.unique(((np.arange(count) + 0.5) * extent / count).astype(int))
        for index in indices:
            yield scan.cut(axis, int(index), slice(None), slice(None))


def validate(predict: Predict, scans: list[Scan], axes: list[int], run: Run) -> dict[str, float | None]:
    """Score a predictor on the validation scans.

    Parameters
    ----------
    predict : callable
        Gives labels uint8 (Y, X) for an image float32 (Y, X) in [0, 1].
    scans : list of Scan
        Validation scans.
    axes : list of int
        Directions of the slices.
    run : Run
        Number of slices.

    Returns
    -------
    dict
        ``mean_iou_percent``, ``iou_percent.<class>``, ``contact_iou_percent`` (pixel faces between implant and bone in the
        slice: both, over either) and ``contact_error_percent`` (relative error of their number); None is undefined.
    """
    table = np.zeros((len(NAMES), len(NAMES)), np.int64)
    faces = np.zeros(3, np.int64)
    for scan in scans:
        for image, truth in slices(scan, axes, run.validation_slices):
            prediction = predict(image)
            table += confusion(prediction, truth)
            faces += contact_faces(prediction, truth)
    predicted, true, both = (int(count) for count in faces)
    scores: dict[str, float | None] = {"mean_iou_percent": mean_iou_percent(table)}
    scores |= {f"iou_percent.{name}": value for name, value in iou_percent(table).items()}
    scores["contact_iou_percent"] = 100 * both / (predicted + true - both) if predicted + true else None
    scores["contact_error_percent"] = 100 * (predicted - true) / true if true else None
    return scores


def contact_faces(prediction: Array, truth: Array) -> Array:
    """Faces between implant and bone in a slice: in the prediction, in the truth, in both; known pixels only."""
    counts = np.zeros(3, np.int64)
    known = np.isin(truth, list(NAMES))
    for axis in (0, 1):
        certain = _pairs(known, known, axis)
        in_prediction, in_truth = _contact(prediction, axis) & certain, _contact(truth, axis) & certain
        counts += [in_prediction.sum(), in_truth.sum(), (in_prediction & in_truth).sum()]
    return counts


def _contact(labels: Array, axis: int) -> Array:
    implant, bone = np.isin(labels, IMPLANT), labels == Label.BONE
    return _pairs(implant, bone, axis) | _pairs(bone, implant, axis)


def _pairs(first: Array, second: Array, axis: int) -> Array:
    return first[:-1] & second[1:] if axis == 0 else first[:, :-1] & second[:, 1:]


def criterion(scores: dict[str, float | None], run: Run) -> float:
    """Score by which the weights are chosen; higher is better, undefined is the worst."""
    mean = scores["mean_iou_percent"]
    values = {
        "mean_iou": [mean],
        "degradation_layer": [scores["iou_percent.degradation_layer"]],
        "interface": [mean, scores["contact_iou_percent"]],
    }[run.criterion]
    known = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(known)) if known else -1.0
