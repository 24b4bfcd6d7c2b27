"""Where a node lies in the world: its parent transforms as one matrix, RAS, mm."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk

from ImplantSegLib.errors import InputError
from ImplantSegQuantLib.inslicer.names import is_pose

Array = np.ndarray[Any, Any]

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""The flip between Slicer's world and that of files; its own inverse."""

ORTHOGONAL_TOLERANCE = 1e-6
"""How far the axes of a volume may be from right angles, as the cosine between them."""


def to_world(node: Any, what: str) -> Array:
    """Matrix (4, 4) from the node's own coordinates to the world, both RAS.

    A pose that this module has found counts as no transform: a reference that was put under it is shown in the
    scan, but is measured where it lies without it.

    Raises
    ------
    InputError
        When one of the transforms is not linear.
    """
    matrix = np.eye(4)
    transform = node.GetParentTransformNode()
    while transform is not None and not is_pose(transform):
        if not transform.IsLinear():
            raise InputError(
                f"the {what} {node.GetName()} lies under the transform {transform.GetName()}, which is not linear",
                "harden the transform, or take the node out of it",
            )
        step = vtk.vtkMatrix4x4()
        transform.GetMatrixTransformToParent(step)
        matrix = array_of(step) @ matrix
        transform = transform.GetParentTransformNode()
    return matrix


def moved_axes(matrix: Array, image_to_ras: Array, node: Any, what: str) -> Array:
    """Image-to-world matrix of a volume under a transform.

    Raises
    ------
    InputError
        When the transform shears the volume or makes it flat, for files keep voxels with right angles only.
    """
    moved: Array = matrix @ image_to_ras
    axes = moved[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if lengths.min() > 0:
        cosines = (axes / lengths).T @ (axes / lengths) - np.eye(3)
        if np.abs(cosines).max() <= ORTHOGONAL_TOLERANCE:
            return moved
    raise InputError(
        f"the {what} {node.GetName()} lies under a transform that shears its voxels",
        "harden the transform, or take the node out of it",
    )


def array_of(matrix: Any) -> Array:
    """Numbers (4, 4) of a ``vtkMatrix4x4``."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def matrix_of(values: Array) -> Any:
    """Give a ``vtkMatrix4x4`` of numbers (4, 4)."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(values, float).ravel().tolist())
    return matrix
