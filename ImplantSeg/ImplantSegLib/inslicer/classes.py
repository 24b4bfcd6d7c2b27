"""The classes of the project in a segmentation that somebody made or corrected: its labels on the grid of a scan."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ImplantSegLib.errors import InputError
from ImplantSegLib.labels import IGNORE, TITLES
from ImplantSegLib.volumes.segments import IGNORED, STANDARD

TOLERANCE = 1e-3
"""Part of a voxel by which a voxel of the segmentation may lie beside one of the scan."""

_CODES = {
    **{f"99IMPLANTSEG^{segment.id}": segment.value for segment in STANDARD},
    "SCT^272673000": next(segment.value for segment in STANDARD if segment.id == "bone"),
}
"""Codes of types in a terminology entry: our own ones, and bone in SNOMED CT."""

Array = npt.NDArray[Any]


def find(node: Any) -> dict[str, int]:
    """Tell what each segment is: by its id, else by its name, else by its terminology.

    Returns
    -------
    dict of str to int
        Label of each segment by its id; 255 for a segment of voxels that are to be ignored.

    Raises
    ------
    InputError
        When there are no segments, segments that are none of the classes, or two of one class.
    """
    segmentation = node.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(number) for number in range(segmentation.GetNumberOfSegments())]
    found = {identity: label_of(identity, segmentation.GetSegment(identity)) for identity in ids}
    wanted = ", ".join([*list(TITLES.values())[1:], IGNORED.name])
    foreign = [segmentation.GetSegment(identity).GetName() for identity in ids if found[identity] is None]
    if foreign or not ids:
        raise InputError(
            f"{node.GetName()} has the segments {', '.join(foreign)}"
            if foreign
            else f"{node.GetName()} has no segments",
            f"name its segments {wanted} in the Segment Editor, and delete others",
        )
    labels = {identity: label for identity, label in found.items() if label is not None}
    if len(set(labels.values())) < len(labels):
        raise InputError(
            f"{node.GetName()} has two segments of one class", "merge them in the Segment Editor (Logical operators)"
        )
    return labels


def label_of(identity: str, segment: Any) -> int | None:
    """Label of a segment; ``None`` where it is none of the classes."""
    known = {_plain(text): one.value for one in (*STANDARD, IGNORED) for text in (one.id, one.name)}
    for text in (identity, segment.GetName()):
        if _plain(text) in known:
            return known[_plain(text)]
    entry = vtk.mutable("")
    if not segment.GetTag("TerminologyEntry", entry):
        return None
    return next((value for code, value in _CODES.items() if code in str(entry)), None)


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", "", text).lower()


def labels_on(node: Any, scan: Any) -> Array:
    """Labels of a segmentation at the voxels of a scan; nothing is resampled.

    A segmentation of a part of the scan says nothing about the rest: there the voxels are unknown.

    Parameters
    ----------
    node : vtkMRMLSegmentationNode
        Segments of the classes; of segments that overlap the later one wins.
    scan : vtkMRMLScalarVolumeNode
        The scan.

    Returns
    -------
    ndarray, (z, y, x), uint8
        0 where there is no segment, 255 where nobody knows.

    Raises
    ------
    InputError
        When segments are no classes or no voxels, or their voxels are not those of the scan.
    """
    labels = find(node)
    if node.GetTransformNodeID() != scan.GetTransformNodeID():
        raise InputError(
            f"{node.GetName()} and {scan.GetName()} lie under different transforms",
            "put both under the same one, or none",
        )
    result = np.full(scan.GetImageData().GetDimensions()[::-1], IGNORE, np.uint8)
    result[_segmented(node, scan, result.shape)] = 0
    for identity, label in labels.items():
        segment = node.GetSegmentation().GetSegment(identity)
        layer = segment.GetRepresentation("Binary labelmap")
        if layer is None:
            raise InputError(f"{segment.GetName()} of {node.GetName()} has no voxels", "paint it in the Segment Editor")
        shift = _shift(layer, scan)
        if shift is None:
            raise InputError(
                f"{node.GetName()} does not lie on the voxels of {scan.GetName()}",
                "make the scan its source geometry in the Segment Editor, or choose the scan that it was made from",
            )
        _paste(result, layer, segment.GetLabelValue(), label, shift)
    return result


def _segmented(node: Any, scan: Any, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Give the part of the scan that the segmentation is about: its reference geometry, as far as it says one."""
    known = node.GetSegmentation().GetConversionParameter(
        slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    )
    grid = slicer.vtkOrientedImageData()
    if known and slicer.vtkSegmentationConverter.DeserializeImageGeometry(known, grid, False):
        shift = _shift(grid, scan)
        if shift is not None:
            return _overlap(grid.GetExtent(), shift, shape)[0]
    return tuple(slice(None) for _ in shape)


def _shift(layer: Any, scan: Any) -> tuple[int, int, int] | None:
    """Voxel (i, j, k) of the scan at which voxel 0 of a layer lies; ``None`` where it lies between voxels."""
    from_image, to_ras = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    layer.GetImageToWorldMatrix(from_image)
    scan.GetIJKToRASMatrix(to_ras)
    between = np.linalg.inv(slicer.util.arrayFromVTKMatrix(to_ras)) @ slicer.util.arrayFromVTKMatrix(from_image)
    shift = np.round(between[:3, 3])
    reach = max(1, *(abs(bound) for bound in layer.GetExtent()))  # what a turn moves grows with the distance
    turned = np.abs(between[:3, :3] - np.eye(3)).max() * reach
    if turned > TOLERANCE or np.abs(between[:3, 3] - shift).max() > TOLERANCE:
        return None
    i, j, k = map(int, shift)
    return i, j, k


def _paste(result: Array, layer: Any, value: int, label: int, shift: tuple[int, int, int]) -> None:
    """Write a label where a layer has a value, as far as the layer reaches into the result."""
    if layer.GetNumberOfPoints() == 0 or layer.GetPointData().GetScalars() is None:
        return  # a segment in which nothing is painted
    voxels = vtk_to_numpy(layer.GetPointData().GetScalars()).reshape(layer.GetDimensions()[::-1])
    inside, own = _overlap(layer.GetExtent(), shift, result.shape)
    result[inside][voxels[own] == value] = label


def _overlap(
    extent: Sequence[int], shift: tuple[int, int, int], shape: tuple[int, ...]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Tell where a layer reaches into a scan: voxels (z, y, x) of the scan, and the same ones of the layer."""
    inside, own = [], []
    for axis, size in zip((2, 1, 0), shape, strict=True):
        start, stop = (bound + shift[axis] for bound in (extent[2 * axis], extent[2 * axis + 1] + 1))
        first, last = max(start, 0), max(min(stop, size), 0)
        inside.append(slice(first, max(first, last)))
        own.append(slice(first - start, max(first, last) - start))
    return tuple(inside), tuple(own)


def save(labels: Array, scan: Any, path: Path) -> Path:
    """Write labels at the voxels of a scan as NRRD.

    Raises
    ------
    InputError
        When the file cannot be written.
    """
    image, matrix = vtk.vtkImageData(), vtk.vtkMatrix4x4()
    image.SetDimensions(*labels.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(labels.ravel(), deep=False))
    scan.GetIJKToRASMatrix(matrix)
    node, storage = slicer.vtkMRMLLabelMapVolumeNode(), slicer.vtkMRMLNRRDStorageNode()
    node.SetAndObserveImageData(image)
    node.SetIJKToRASMatrix(matrix)
    storage.SetFileName(str(path))
    storage.SetUseCompression(0)
    if not storage.WriteData(node):
        raise InputError(f"Slicer could not write {path}", "look at the free space on that disk")
    return path
