"""Nodes of the scene as files and back; the scene keeps no trace of the files.

Here alone the world of Slicer (RAS) meets that of the library (LPS): Slicer's storage nodes turn one into the
other when they read and write, and :func:`ijk_to_ras` does it for the header of a file that is not loaded.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer

from ImplantSegLib.errors import InputError, size_text

_DIRECT = (".nrrd", ".nhdr", ".mha", ".mhd")
"""Formats in which Slicer and the library find the voxels at the same place in the world."""

_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


def check_scan(node: Any) -> None:
    """Refuse what cannot be segmented.

    Raises
    ------
    InputError
        When there is no volume, it holds labels or colours, or lies under a transform that bends it.
    """
    if node is None:
        raise InputError("no scan was chosen", "choose a volume")
    name = node.GetName()
    if node.GetImageData() is None or node.GetImageData().GetNumberOfPoints() == 0:
        raise InputError(f"{name} has no voxels", "load it again, or choose another volume")
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        raise InputError(f"{name} holds labels, no grey values", "choose the scan")
    if node.GetImageData().GetNumberOfScalarComponents() != 1:
        raise InputError(f"{name} has several values at each voxel, wanted one grey value", "choose the scan")
    transform = node.GetParentTransformNode()
    if transform is not None and not transform.IsTransformToWorldLinear():
        raise InputError(
            f"{name} lies under {transform.GetName()}, which bends it",
            "harden that transform in the module Transforms, or take the volume out of it",
        )


def file_of(node: Any) -> Path | None:
    """Give the file that holds just what a volume node holds; ``None`` where there is none that we read alike."""
    storage = node.GetStorageNode()
    if storage is None or storage.GetNumberOfFileNames() > 1 or node.GetModifiedSinceRead():
        return None
    path = Path(storage.GetFullNameFromFileName() or "")
    return path if path.name.lower().endswith(_DIRECT) and path.is_file() else None


def save_volume(node: Any, path: Path) -> Path:
    """Write a scalar volume node as uncompressed NRRD, where its voxels lie before any parent transform.

    Raises
    ------
    InputError
        When it is no scan, or the disk has too little space.
    """
    check_scan(node)
    needed, free = 1024 * node.GetImageData().GetActualMemorySize(), shutil.disk_usage(path.parent).free
    if needed > free:
        raise InputError(
            f"cannot write a copy of {node.GetName()} to {path.parent}: it needs {size_text(needed)} of disk",
            f"{size_text(free)} are free there: free some space, or save the volume as a file yourself and load it",
        )
    return _write(node, slicer.vtkMRMLNRRDStorageNode(), path)


def save_segmentation(node: Any, path: Path) -> Path:
    """Write a segmentation node as ``.seg.nrrd``.

    Raises
    ------
    InputError
        When there is none, or it lies under a transform: what is on disk lies where the voxels lie.
    """
    if node is None:
        raise InputError("no segmentation was chosen", "choose one in the form")
    if node.GetParentTransformNode() is not None:
        raise InputError(
            f"{node.GetName()} lies under the transform {node.GetParentTransformNode().GetName()}",
            "harden the transform or take the node out of it",
        )
    return _write(node, slicer.vtkMRMLSegmentationStorageNode(), path)


def _write(node: Any, storage: Any, path: Path) -> Path:
    storage.SetFileName(str(path))
    storage.SetUseCompression(0)
    if not storage.WriteData(node):
        raise InputError(f"Slicer could not write {node.GetName()} to {path}", "look at the free space on that disk")
    return path


def load_segmentation(path: Path, name: str, into: Any = None) -> Any:
    """Load a ``.seg.nrrd`` with its segments, their ids and terminology, all in one layer.

    Parameters
    ----------
    path : Path
        The file; the node forgets it.
    name : str
        Name of a new node.
    into : vtkMRMLSegmentationNode, optional
        Node of the scene whose segments are replaced; it keeps its name.

    Raises
    ------
    InputError
        When the file cannot be read; then nothing has changed.
    """
    # read elsewhere first: a node of the scene never holds half a result
    elsewhere = slicer.vtkMRMLScene()
    loaded = elsewhere.AddNode(slicer.vtkMRMLSegmentationNode())
    _read(loaded, slicer.vtkMRMLSegmentationStorageNode(), path)
    node = into or slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    # a deep copy keeps the segments in one shared layer; taking them over one by one would not
    node.GetSegmentation().DeepCopy(loaded.GetSegmentation())
    return node


def load_volume(path: Path, name: str, into: Any = None) -> Any:
    """Load a NRRD as a scalar volume, into a node of the scene where one is given; the node forgets the file.

    Raises
    ------
    InputError
        When the file cannot be read.
    """
    node = into or slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    try:
        _read(node, slicer.vtkMRMLNRRDStorageNode(), path)
    except InputError:
        if into is None:
            slicer.mrmlScene.RemoveNode(node)
        raise
    node.CreateDefaultDisplayNodes()
    return node


def load_table(path: Path, name: str) -> Any:
    """Load a CSV file as a new table node."""
    node = slicer.util.loadTable(str(path))
    node.SetName(name)
    return node


def _read(node: Any, storage: Any, path: Path) -> None:
    storage.SetFileName(str(path))
    if not path.is_file() or not storage.ReadData(node):
        raise InputError(f"Slicer could not read {path}", "look whether it is there, and how large it is")


def ijk_to_ras(facts: Mapping[str, Any], voxel_size_um: float = 0.0) -> npt.NDArray[np.floating[Any]]:
    """Matrix (4, 4) from voxels (i, j, k) to Slicer's world (RAS, mm) of a file that ``info --json`` describes.

    Parameters
    ----------
    facts : mapping
        What ``info`` tells.
    voxel_size_um : float
        Side of a voxel instead of what the file says; 0 to believe the file.
    """
    steps_um = [voxel_size_um] * 3 if voxel_size_um > 0 else facts["voxel_size_um"][::-1]  # along (x, y, z)
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(facts["direction"]) * np.array(steps_um) / 1000
    matrix[:3, 3] = facts["origin_mm"]
    return _FLIP @ matrix
