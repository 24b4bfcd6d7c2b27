"""Nodes of the scene as files and back; the scene keeps no trace of the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer

from ImplantSegLib.errors import InputError


def save_volume(node: Any, path: Path) -> Path:
    """Write a scalar volume node as uncompressed NRRD."""
    return _save(node, slicer.vtkMRMLNRRDStorageNode(), path, "volume")


def save_segmentation(node: Any, path: Path) -> Path:
    """Write a segmentation node as ``.seg.nrrd``."""
    return _save(node, slicer.vtkMRMLSegmentationStorageNode(), path, "segmentation")


def _save(node: Any, storage: Any, path: Path, what: str) -> Path:
    if node is None:
        raise InputError(f"no {what} was chosen", "choose one in the form")
    if node.GetParentTransformNode() is not None:
        # what is on disk lies where the voxels lie, not where the transform moves them on the screen
        raise InputError(
            f"{node.GetName()} lies under the transform {node.GetParentTransformNode().GetName()}",
            "harden the transform or take the node out of it",
        )
    storage.SetFileName(str(path))
    storage.SetUseCompression(0)
    if not storage.WriteData(node):
        raise InputError(f"Slicer could not write {node.GetName()} to {path}", "look at the free space on that disk")
    return path


def load_segmentation(path: Path, name: str) -> Any:
    """Load a segmentation as a new node that forgets the file it came from."""
    node = slicer.util.loadSegmentation(str(path))
    node.SetName(name)
    _forget_file(node)
    return node


def load_table(path: Path, name: str) -> Any:
    """Load a CSV file as a new table node."""
    node = slicer.util.loadTable(str(path))
    node.SetName(name)
    return node


def _forget_file(node: Any) -> None:
    storage = node.GetStorageNode()
    if storage is not None:
        slicer.mrmlScene.RemoveNode(storage)
