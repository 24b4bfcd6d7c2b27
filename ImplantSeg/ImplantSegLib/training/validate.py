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
Scores = dict[str, float | None]


def slices(scan: Scan, axes: list[int], count: int) -> Iterator[tuple[Array, Array]]:
    """Whole slices of a scan, evenly spaced among those with labels: image float32 and labels uint8, both 2D."""
    for axis in axes:
        known = scan.known[axis]
        chosen = np.unique(((np.arange(count) + 0.5) * len(known) / count).astype(int))
        for index in known[chosen]:
            yield scan.cut(axis, int(index), slice(None), slice(None))


def validate(predict: Predict, scans: list[Scan], axes: list[int], run: Run) -> Scores:
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
        ``mean_iou_percent`` and ``iou_percent.<class>``; of the pixel faces between implant and bone in the slices:
        ``contact_iou_percent`` (both, over either), ``contact_bias_percent`` (relative error of their number) and
        ``contact_error_percent`` (the mean over the scans of its absolute value). None is undefined.
    """
    table = np.zeros((len(NAMES), len(NAMES)), np.int64)
    by_scan = np.zeros((len(scans), 3), np.int64)
    for index, scan in enumerate(scans):
        for image, truth in slices(scan, axes, run.validation_slices):
            prediction = predict(image)
            table += confusion(prediction, truth)
            by_scan[index] += contact_faces(prediction, truth)
    scores: Scores = {"mean_iou_percent": mean_iou_percent(table)}
    scores |= {f"iou_percent.{name}": value for name, value in iou_percent(table).items()}
    return scores | _contact_scores(by_scan)


def _contact_scores(by_scan: Array) -> Scores:
    """Scores of the contact from the counts of :func:`contact_faces`, one row per scan."""
    predicted, true, both = (int(count) for count in by_scan.sum(axis=0))
    touching = by_scan[by_scan[:, 1] > 0]  # without true contact its relative error is undefined
    errors = np.abs(touching[:, 0] / touching[:, 1] - 1)
    return {
        "contact_iou_percent": 100 * both / (predicted + true - both) if predicted + true else None,
        "contact_bias_percent": 100 * (predicted - true) / true if true else None,
        "contact_error_percent": 100 * float(errors.mean()) if len(errors) else None,
    }


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


def criterion(scores: Scores, run: Run) -> float:
    """Score by which the weights are chosen; higher is better, undefined counts 0."""
    mean = scores["mean_iou_percent"] or 0.0
    if run.criterion == "mean_iou":
        return mean
    if run.criterion == "degradation_layer":
        return scores["iou_percent.degradation_layer"] or 0.0
    error = scores["contact_error_percent"]
    return mean if error is None else (mean + max(100 - error, 0)) / 2
