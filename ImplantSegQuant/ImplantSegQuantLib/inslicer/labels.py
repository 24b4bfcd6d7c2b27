"""Which segment is what, and voxels of nodes as files: labels, masks, grey values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ImplantSegLib.errors import InputError
from ImplantSegLib.inslicer.classes import label_of
from ImplantSegLib.labels import IMPLANT, NAMES, TITLES
from ImplantSegQuantLib.inslicer.geometry import array_of, matrix_of, moved_axes, to_world

Array = np.ndarray[Any, Any]


class Found(NamedTuple):
    """What the segments of a segmentation are."""

    labels: dict[str, int]
    """Segment id → label."""
    foreign: list[str]
    """Names of segments that are none of the labels."""


def find(node: Any) -> Found:
    """Tell which segments are the classes of the project: by id, else by name, else by terminology."""
    labels: dict[str, int] = {}
    foreign: list[str] = []
    segmentation = node.GetSegmentation()
    for number in range(segmentation.GetNumberOfSegments()):
        identity = segmentation.GetNthSegmentID(number)
        segment = segmentation.GetSegment(identity)
        label = label_of(identity, segment)
        if label in NAMES and label not in labels.values():
            labels[identity] = label
        else:
            foreign.append(segment.GetName())
    return Found(labels, foreign)


def check(node: Any, what: str) -> Found:
    """Give the classes of a segmentation that is to be measured.

    Raises
    ------
    InputError
        When none of its segments is implant, with the names that it has.
    """
    found = find(node)
    if set(found.labels.values()) & set(IMPLANT):
        return found
    names = f"its segments are {', '.join(found.foreign)}" if found.foreign else "it has no segments"
    raise InputError(
        f"the {what} {node.GetName()} has no implant: {names}",
        f"name them {', '.join(TITLES[label] for label in list(TITLES)[1:])} in the Segment Editor",
    )


def save_labels(node: Any, path: Path, what: str = "segmentation") -> Path:
    """Write the classes of a segmentation as NRRD on its own reference geometry.

    Parent transforms are in the geometry of the file.

    Raises
    ------
    InputError
        When no segment is implant, or a parent transform is not linear or shears.
    """
    labels = check(node, what).labels
    return _save(node, list(labels), list(labels.values()), path, what)


def save_mask(node: Any, path: Path, what: str) -> Path:
    """Write all segments of a segmentation, or all non-zero voxels of a volume, as ones.

    Raises
    ------
    InputError
        When it is empty, or a parent transform is not linear or shears.
    """
    if not node.IsA("vtkMRMLSegmentationNode"):
        return _save_volume_mask(node, path, what)
    segmentation = node.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(number) for number in range(segmentation.GetNumberOfSegments())]
    if not ids:
        raise InputError(f"the {what} {node.GetName()} has no segments", "choose another one")
    return _save(node, ids, [1] * len(ids), path, what)


def save_volume(node: Any, path: Path, what: str) -> Path:
    """Write a scalar volume as NRRD, its parent transforms in the geometry of the file.

    Raises
    ------
    InputError
        When it is empty, or a parent transform is not linear or shears.
    """
    return _write(_image_of(node, what), _placed(node, what), path)


def _save(node: Any, ids: Sequence[str], labels: Sequence[int], path: Path, what: str) -> Path:
    merged = _merged(node, ids)
    if merged is None:
        raise InputError(
            f"the {what} {node.GetName()} is empty", "choose another one, or draw it in the Segment Editor"
        )
    numbers = np.array([0, *labels], np.uint8)
    image = _with_voxels(merged, numbers[vtk_to_numpy(merged.GetPointData().GetScalars())])
    geometry, first = vtk.vtkMatrix4x4(), np.eye(4)
    merged.GetImageToWorldMatrix(geometry)
    first[:3, 3] = merged.GetExtent()[::2]  # in a file the first voxel is voxel 0
    return _write(image, moved_axes(to_world(node, what), array_of(geometry) @ first, node, what), path)


def _merged(node: Any, ids: Sequence[str]) -> Any:
    """Segments as one ``vtkOrientedImageData`` of 1, 2, …, in the order of ``ids``; None where all are empty."""
    chosen = vtk.vtkStringArray()
    for identity in ids:
        chosen.InsertNextValue(identity)
    image, kinds = slicer.vtkOrientedImageData(), slicer.vtkSegmentation
    known = node.GetSegmentation().GetConversionParameter("Reference image geometry")
    extent = kinds.EXTENT_REFERENCE_GEOMETRY if known else kinds.EXTENT_UNION_OF_SEGMENTS
    done = node.GenerateMergedLabelmapForAllSegments(image, extent, None, chosen)
    return image if done and image.GetNumberOfPoints() and image.GetPointData().GetScalars() else None


def _save_volume_mask(node: Any, path: Path, what: str) -> Path:
    image = _image_of(node, what)
    voxels = vtk_to_numpy(image.GetPointData().GetScalars()) != 0
    return _write(_with_voxels(image, voxels.astype(np.uint8)), _placed(node, what), path)


def _image_of(node: Any, what: str) -> Any:
    image = node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None:
        raise InputError(f"the {what} {node.GetName()} is empty", "choose another one")
    return image


def _placed(node: Any, what: str) -> Array:
    geometry = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(geometry)
    return moved_axes(to_world(node, what), array_of(geometry), node, what)


def _with_voxels(like: Any, voxels: Array) -> Any:
    image = vtk.vtkImageData()
    image.SetDimensions(*like.GetDimensions())
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(voxels), deep=True))
    return image


def _write(image: Any, ijk_to_ras: Array, path: Path) -> Path:
    node, storage = slicer.vtkMRMLScalarVolumeNode(), slicer.vtkMRMLNRRDStorageNode()
    node.SetAndObserveImageData(image)
    node.SetIJKToRASMatrix(matrix_of(ijk_to_ras))
    storage.SetFileName(str(path))
    storage.SetUseCompression(0)  # read once, by the child, and deleted
    if not storage.WriteData(node):
        raise InputError(f"Slicer could not write {path}", "look at the free space on that disk")
    return path
