"""Overlap of a segmentation with the ground truth: confusion matrix, IoU, Dice, surface Dice.

All counts are integers, so those of slabs add up to those of the volume exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ImplantSegLib import threads
from ImplantSegLib.errors import InputError
from ImplantSegLib.labels import IGNORE, NAMES, Label
from ImplantSegLib.metrics.faces import OUTSIDE

Array = np.ndarray[Any, Any]
Scores = dict[str, float | None]

CLASSES = len(Label)

SURFACE_HALO = 2
"""Slices that :func:`surface_matches` needs beyond each side of the slices it answers for."""


def confusion(prediction: Array, truth: Array, mask: Array | None = None) -> Array:
    """Count how the labels of a prediction and of the truth meet.

    Parameters
    ----------
    prediction, truth : uint8, shape (Z, Y, X)
        Labels 0 to 3; voxels of value 255 in the truth are skipped.
    mask : bool, shape (Y, X) or (Z, Y, X), optional
        The field of view: voxels where it is False are skipped.

    Returns
    -------
    int64, shape (4, 4)
        Rows are the truth, columns the prediction.

    Raises
    ------
    InputError
        When the shapes differ or a label outside the table is met.
    """
    from ImplantSegLib.metrics import kernels

    if prediction.shape != truth.shape:
        raise InputError(
            f"got a prediction of shape {prediction.shape} and a truth of shape {truth.shape}, wanted the same",
            "pass two segmentations of the same scan",
        )
    counted = truth if mask is None else np.where(mask, truth, np.uint8(IGNORE))
    one, other = _bytes(counted), _bytes(prediction)

    def table_of(first: int, last: int) -> Array:
        table = np.zeros((256, 256), np.int64)
        kernels.count_pairs(one[first:last], other[first:last], table)
        return table

    table = np.sum(threads.each_range(table_of, 0, one.size), axis=0)
    table[IGNORE] = 0
    _check_labels("truth", table.sum(axis=1))
    _check_labels("prediction", table.sum(axis=0))
    return table[:CLASSES, :CLASSES].copy()


def iou_percent(counts: Array) -> Scores:
    """Intersection over union of every class in %; None where a class is in neither segmentation.

    Parameters
    ----------
    counts : int64, shape (4, 4)
        A confusion matrix of :func:`confusion`.
    """
    both, either = _both(counts), _sizes(counts) - _both(counts)
    return _percent(both, either)


def mean_iou_percent(counts: Array) -> float | None:
    """Mean of the IoU, in %, over the classes that are present; None when there is no voxel at all."""
    present = [value for value in iou_percent(counts).values() if value is not None]
    return sum(present) / len(present) if present else None


def dice_percent(counts: Array) -> Scores:
    """Dice coefficient of every class in %: twice the intersection over the sum of the sizes; None as for IoU."""
    return _percent(2 * _both(counts), _sizes(counts))


def surface_matches(prediction: Array, truth: Array, mask: Array | None, inner: slice) -> Array:
    """Count the surface voxels that have one of the other segmentation within a tolerance of one voxel.

    A surface voxel of a class has one of its six neighbours in another class; within one voxel is the voxel
    itself or one of its six neighbours. Voxels outside the field of view or of value 255 in the truth do not
    exist: they make no surface.

    Parameters
    ----------
    prediction, truth : uint8, shape (Z, Y, X)
        Labels of the slices asked for and up to :data:`SURFACE_HALO` slices on both sides.
    mask : bool, shape (Y, X) or (Z, Y, X), or None
        The field of view.
    inner : slice
        The slices asked for.

    Returns
    -------
    int64, shape (4, 2)
        For every class: surface voxels of both segmentations that are matched, and all of them.
    """
    valid = truth != IGNORE if mask is None else (truth != IGNORE) & mask
    surfaces = [surface_labels(np.where(valid, labels, np.uint8(OUTSIDE))) for labels in (prediction, truth)]
    counts = np.zeros((CLASSES, 2), np.int64)
    for one, other in (surfaces, surfaces[::-1]):
        near = _neighbour_bits(other, inner) | _bit(other[inner])
        for label in range(CLASSES):
            of_class = one[inner] == label
            counts[label] += np.count_nonzero(of_class & (near & (1 << label) > 0)), np.count_nonzero(of_class)
    return counts


def surface_dice_percent(matches: Array) -> Scores:
    """Surface Dice of every class in %, from the sums of :func:`surface_matches`; None where no surface is.

    Normalised surface Dice (doi:10.2196/26151) with surface elements counted as voxels.
    """
    return _percent(matches[:, 0], matches[:, 1])


def surface_labels(labels: Array) -> Array:
    """Labels, uint8 (Z, Y, X), where a voxel lies at the surface of its class, OUTSIDE elsewhere."""
    others = _neighbour_bits(labels, slice(0, labels.shape[0])) & ~_bit(labels)
    return np.where((others > 0) & (labels < CLASSES), labels, np.uint8(OUTSIDE))


def _neighbour_bits(labels: Array, inner: slice) -> Array:
    from ImplantSegLib.metrics import kernels

    return kernels.neighbour_bits(np.ascontiguousarray(labels), inner.start, inner.stop)


def _bit(labels: Array) -> Array:
    """``1 << label`` as uint8, 0 for values that are no label."""
    table = np.zeros(256, np.uint8)
    table[:CLASSES] = 1 << np.arange(CLASSES)
    return table[labels]


def _bytes(labels: Array) -> Array:
    return np.ascontiguousarray(labels, np.uint8).reshape(-1)


def _check_labels(role: str, counts: Array) -> None:
    wrong = [label for label in np.flatnonzero(counts) if label >= CLASSES]
    if wrong:
        known = ", ".join(f"{number} {name}" for number, name in NAMES.items())
        raise InputError(f"the {role} holds label {wrong[0]}, wanted one of: {known}", "correct the labels")


def _both(counts: Array) -> Array:
    return np.diagonal(counts)


def _sizes(counts: Array) -> Array:
    return counts.sum(axis=0) + counts.sum(axis=1)


def _percent(part: Array, whole: Array) -> Scores:
    return as_scores([100 * int(part[i]) / int(whole[i]) if whole[i] else None for i in range(CLASSES)])


def as_scores(values: Sequence[float | None]) -> Scores:
    """Give one value per class, in the order of the labels, under the names of the classes."""
    return {NAMES[i]: value for i, value in enumerate(values)}
