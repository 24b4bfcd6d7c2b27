"""Scores on validation scans, whole or in whole slices: IoU of every class, and how well the contact is met."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib import progress
from ImplantSegLib.labels import IMPLANT, NAMES, Label
from ImplantSegLib.metrics.overlap import confusion, iou_percent, mean_iou_percent
from ImplantSegLib.training.config import Run
from ImplantSegLib.training.data import Scan
from ImplantSegLib.training.wholescan import Contact, relative_error_percent, segmented

Array = npt.NDArray[Any]
Predict = Callable[[Array], Array]
Scores = dict[str, float | None]

WORST = 12
"""Slices of the lowest mIoU that a validation names."""


def slices(scan: Scan, axes: list[int], count: int) -> Iterator[tuple[int, int]]:
    """Slices of a scan, evenly spaced among those with labels along each axis: axis and index."""
    for axis in axes:
        for index in scan.known[axis][_chosen(scan, axis, count)]:
            yield axis, int(index)


def _chosen(scan: Scan, axis: int, count: int) -> Array:
    return np.unique(((np.arange(count) + 0.5) * len(scan.known[axis]) / count).astype(int))


def validate(predict: Predict, scans: list[Scan], axes: list[int], run: Run) -> tuple[Scores, list[dict[str, Any]]]:
    """Score a predictor on the validation scans.

    Parameters
    ----------
    predict : callable
        Gives probabilities float32 (4, Y, X) for an image float32 (Y, X) in [0, 1].
    scans : list of Scan
        Validation scans.
    axes : list of int
        Directions of the slices; whole scans are segmented along z in any case.
    run : Run
        Number of slices; 0: the whole scans.

    Returns
    -------
    dict
        ``mean_iou_percent`` and ``iou_percent.<class>``; of the pixel faces between implant and bone in the slices:
        ``contact_iou_percent`` (both, over either), ``contact_bias_percent`` (relative error of their number) and
        ``contact_error_percent`` (the mean over the scans of its absolute value). Of whole scans, ``bic_error_percent``
        and ``bic_bias_percent``: mean over the scans of the relative error of the BIC by faces of the volume, without
        and with its sign. None is undefined.
    list of dict
        The slices of the lowest mIoU, the lowest first: ``scan``, ``axis``, ``index``, ``mean_iou_percent`` and
        ``degradation_layer_iou_percent``.
    """
    table = np.zeros((len(NAMES), len(NAMES)), np.int64)
    by_scan = np.zeros((len(scans), 3), np.int64)
    errors: list[float | None] = []
    by_slice: list[dict[str, Any]] = []
    total = sum(_count(scan, axes, run.validation_slices) for scan in scans)
    with progress.stage("validate", total, "slice") as advance:
        for row, scan in enumerate(scans):
            contact = Contact(scan.spacing_mm)
            for axis, index, prediction, truth in _predictions(predict, scan, axes, run.validation_slices):
                counts = confusion(prediction, truth)
                table += counts
                by_scan[row] += contact_faces(prediction, truth)
                by_slice.append({"scan": scan.name, "axis": axis, "index": index, **_slice_scores(counts)})
                if not run.validation_slices:
                    contact.add(index, prediction, truth)
                advance()
            errors.append(relative_error_percent(*contact.bic_percent()))
    scores: Scores = {"mean_iou_percent": mean_iou_percent(table)}
    scores |= {f"iou_percent.{name}": value for name, value in iou_percent(table).items()}
    scores |= _contact_scores(by_scan)
    return scores | ({} if run.validation_slices else _bic_scores(errors)), _worst(by_slice)


def _count(scan: Scan, axes: list[int], count: int) -> int:
    return sum(len(_chosen(scan, axis, count)) for axis in axes) if count else len(scan.known[0])


def _predictions(predict: Predict, scan: Scan, axes: list[int], count: int) -> Iterator[tuple[int, int, Array, Array]]:
    """Axis, index, predicted and true labels of the slices that are scored."""
    if not count:
        yield from ((0, *found) for found in segmented(predict, scan))
        return
    for axis, index in slices(scan, axes, count):
        image, truth = scan.cut(axis, index, slice(None), slice(None))
        yield axis, index, predict(image).argmax(axis=0).astype(np.uint8), truth


def _slice_scores(counts: Array) -> Scores:
    layer = iou_percent(counts)[NAMES[Label.DEGRADATION_LAYER]]
    return {"mean_iou_percent": mean_iou_percent(counts), "degradation_layer_iou_percent": layer}


def _worst(by_slice: list[dict[str, Any]]) -> list[dict[str, Any]]:
    scored = [one for one in by_slice if one["mean_iou_percent"] is not None]
    return heapq.nsmallest(WORST, scored, key=lambda one: one["mean_iou_percent"])


def _bic_scores(errors: list[float | None]) -> Scores:
    """Scores of the BIC from its relative errors in %, one per scan; scans without true contact have none."""
    known = [error for error in errors if error is not None]
    return {
        "bic_error_percent": float(np.mean(np.abs(known))) if known else None,
        "bic_bias_percent": float(np.mean(known)) if known else None,
    }


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
    """Score by which the weights are chosen; higher is better, an undefined class counts 0.

    For ``interface`` the error is that of the BIC where whole scans are validated, else that of the contact in slices;
    where it is undefined, mIoU alone counts.
    """
    mean = scores["mean_iou_percent"] or 0.0
    if run.criterion == "mean_iou":
        return mean
    if run.criterion == "degradation_layer":
        return scores["iou_percent.degradation_layer"] or 0.0
    error = scores["contact_error_percent"] if run.validation_slices else scores["bic_error_percent"]
    return mean if error is None else (mean + max(100 - error, 0)) / 2
