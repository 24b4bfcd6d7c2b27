"""The measures of `quantify` as one would write them in an afternoon: every volume whole in memory.

Faces by six shifts, the confusion matrix by `bincount`, the region of interest by the Euclidean distance transform of
the reference resampled on the scan: of arrays, and of the files in the folder that bench_quantify.py fills.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from scipy import ndimage

from ImplantSegLib.labels import IMPLANT, Label
from ImplantSegLib.metrics import face_areas_mm2
from ImplantSegQuantLib.degradation import degradation_rate
from ImplantSegQuantLib.roi import ROI_MM

Array = np.ndarray[Any, Any]

WEEKS = 12.0
"""Healing time of the phantom."""

NUMBERS = (
    "initial_volume",
    "residual_volume",
    "degradation_layer_volume",
    "initial_surface",
    "degradation_rate",
    "corrosion_depth",
    "bone_implant_contact",
    "bone_volume_fraction",
    "roi_volume",
)
"""What both ways of the whole quantification give; the streamed one gives nine more."""


def faces(place: Path) -> Array:
    """Faces implant–bone and implant–background per axis, int64 (2, 3), of the labels in a file."""
    return faces_of(sitk.GetArrayFromImage(sitk.ReadImage(place / "labels.seg.nrrd")))


def faces_of(labels: Array) -> Array:
    """The same of an array: six shifts of it, padded with what is no label."""
    padded = np.pad(labels, 1, constant_values=255)
    implant, inner = np.isin(labels, IMPLANT), slice(1, -1)
    counts = np.zeros((2, 3), np.int64)
    for axis in range(3):
        for shift in (slice(0, -2), slice(2, None)):
            other = padded[tuple(shift if along == axis else inner for along in range(3))]
            for row, label in enumerate((Label.BONE, Label.BACKGROUND)):
                counts[row, axis] += np.count_nonzero(implant & (other == label))
    return counts


def confusion(place: Path) -> Array:
    """Confusion matrix, int64 (4, 4), of two files: rows the truth, columns the prediction."""
    truth, prediction = (
        sitk.GetArrayFromImage(sitk.ReadImage(place / f"{role}.seg.nrrd")) for role in ("labels", "prediction")
    )
    return confusion_of(truth, prediction)


def confusion_of(truth: Array, prediction: Array) -> Array:
    """The same of two arrays."""
    return np.bincount((4 * truth + prediction).ravel(), minlength=16).reshape(4, 4)


def roi(place: Path) -> Array:
    """Region of interest, bool (Z, Y, X), of the scan and the reference in files."""
    image = sitk.ReadImage(place / "labels.seg.nrrd")
    return roi_of(_resampled(place, image), image.GetSpacing()[::-1])


def roi_of(screw: Array, spacing_mm: tuple[float, ...]) -> Array:
    """The same of the reference as a mask, bool (Z, Y, X)."""
    return np.asarray(ndimage.distance_transform_edt(~screw, sampling=spacing_mm) <= ROI_MM)


def whole(place: Path) -> Array:
    """:data:`NUMBERS` from arrays of the whole volume."""
    image = sitk.ReadImage(place / "labels.seg.nrrd")
    labels, spacing = sitk.GetArrayFromImage(image), image.GetSpacing()[::-1]
    screw = _resampled(place, image)
    distance = ndimage.distance_transform_edt(~screw, sampling=spacing)
    distance -= ndimage.distance_transform_edt(screw, sampling=spacing)
    roi = distance <= ROI_MM
    voxel, face = float(np.prod(spacing)), face_areas_mm2(spacing)
    initial, residual, layer = (voxel * np.count_nonzero(part) for part in (screw, labels == 1, labels == 2))
    surface = float(_touching(screw, ~screw) @ face)
    metal = labels == Label.RESIDUAL_MATERIAL
    rim = metal & ~ndimage.binary_erosion(metal, border_value=1) & roi
    bone, background = (float(faces) for faces in _contact(labels, roi) @ face)
    tissue = np.bincount(labels[roi], minlength=4)
    rate = degradation_rate(initial - residual, surface, WEEKS)
    depth_um, contact = -1000 * float(distance[rim].mean()), 100 * bone / (bone + background)
    fraction = 100 * tissue[3] / (tissue[3] + tissue[0])
    return np.array([initial, residual, layer, surface, rate, depth_um, contact, fraction, voxel * tissue.sum()], float)


def _contact(labels: Array, where: Array | None = None) -> Array:
    implant = np.isin(labels, IMPLANT)
    if where is not None:
        implant &= where
    return np.stack([_touching(implant, labels == other) for other in (Label.BONE, Label.BACKGROUND)])


def _touching(one: Array, other: Array) -> Array:
    """Faces per axis between two masks: one shift up and one down along every axis."""
    counts = []
    for axis in range(3):
        low = tuple(slice(None, -1) if axis == along else slice(None) for along in range(3))
        high = tuple(slice(1, None) if axis == along else slice(None) for along in range(3))
        counts.append(np.count_nonzero(one[low] & other[high]) + np.count_nonzero(one[high] & other[low]))
    return np.array(counts)


def _resampled(place: Path, grid: sitk.Image) -> Array:
    """Reference on the grid of the scan, bool."""
    screw, pose = sitk.ReadImage(place / "reference.nrrd"), sitk.ReadTransform(place / "pose.tfm")
    return sitk.GetArrayFromImage(sitk.Resample(screw, grid, pose, sitk.sitkNearestNeighbor)) > 0
