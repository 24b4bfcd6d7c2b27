"""The pose of a reference as a transform of the scene, and as the file of ``register``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk

from ImplantSegLib.errors import InputError
from ImplantSegQuantLib.inslicer import names
from ImplantSegQuantLib.inslicer.geometry import array_of, matrix_of

Array = np.ndarray[Any, Any]


def read_pose(path: Path, node: Any) -> None:
    """Read the file of a pose into a transform: what is put under it moves from the reference's place to the scan.

    The file takes points of the scan to points of the reference, in LPS. Slicer reads it as the transform *from*
    parent, in RAS; its transform *to* parent, by which nodes under it are shown, goes the other way.

    Raises
    ------
    InputError
        When the file cannot be read.
    """
    storage = slicer.vtkMRMLTransformStorageNode()
    storage.SetFileName(str(path))
    if not path.is_file() or not storage.ReadData(node):
        raise InputError(f"there is no pose in {path}", "register or measure the sample again")


def write_pose(node: Any, path: Path) -> Path:
    """Write a transform, with those above it, as a pose that ``register`` and ``quantify`` read.

    Raises
    ------
    InputError
        When it scales, shears or mirrors, or cannot be written.
    """
    matrix = scan_from_reference(node)
    rotation = matrix[:3, :3]
    if np.abs(rotation.T @ rotation - np.eye(3)).max() > 1e-4 or np.linalg.det(rotation) < 0:
        raise InputError(
            f"the transform {node.GetName()} is not rigid: it scales, shears or mirrors",
            "undo that, or register again",
        )
    plain, storage = slicer.vtkMRMLLinearTransformNode(), slicer.vtkMRMLTransformStorageNode()
    plain.SetMatrixTransformToParent(matrix_of(matrix))
    storage.SetFileName(str(path))
    if not storage.WriteData(plain):
        raise InputError(f"Slicer could not write {path}", "look at the free space on that disk")
    return path


def scan_from_reference(node: Any) -> Array:
    """Matrix (4, 4), RAS in mm, that moves the reference to where it lies in the scan."""
    matrix = vtk.vtkMatrix4x4()
    node.GetMatrixTransformToWorld(matrix)
    return array_of(matrix)


def show_handles(node: Any, shown: bool) -> None:
    """Show handles that move and turn what lies under the transform, in all views; never any that scale it."""
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetEditorScalingEnabled(False)
    display.SetEditorScalingSliceEnabled(False)
    display.SetEditorVisibility3D(shown)
    display.SetEditorSliceIntersectionVisibility(shown)
    display.SetEditorVisibility(shown)


def centre_handles(node: Any, points: Any) -> None:
    """Put the handles into the middle of a surface that lies under the transform."""
    low_high = np.array(points.GetBounds()).reshape(3, 2)
    node.SetCenterOfTransformation(*low_high.mean(axis=1))


def quality(node: Any) -> dict[str, float]:
    """Figures of the fit; empty where the pose was set by hand."""
    return dict(json.loads(node.GetAttribute(names.QUALITY) or "{}"))


def settle(node: Any, figures: Mapping[str, Any], inputs: str) -> None:
    """Keep the pose as it is now, with the figures of its fit and a fingerprint of what it belongs to."""
    node.SetAttribute(names.QUALITY, json.dumps(figures) if figures else None)
    node.SetAttribute(names.MATRIX, json.dumps(scan_from_reference(node).ravel().tolist()))
    node.SetAttribute(names.INPUTS, inputs)


def was_moved(node: Any) -> bool:
    """Whether the pose is another one than was found or taken: by its handles, or in the module Transforms."""
    settled = np.array(json.loads(node.GetAttribute(names.MATRIX) or "[]"))
    return settled.size != 16 or not np.allclose(settled, scan_from_reference(node).ravel(), atol=1e-9)


def handles_shown(node: Any) -> bool:
    """Whether the handles of a transform are shown."""
    display = node.GetDisplayNode()
    return display is not None and bool(display.GetEditorVisibility())
