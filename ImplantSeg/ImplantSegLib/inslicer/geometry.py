"""Where a scan lies: its voxel size, and the box of voxels that a region of interest covers.

Voxels are counted in Slicer's order (i, j, k) here; the box that comes out is in the library's order (z, y, x).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Box

Matrix = npt.NDArray[np.floating[Any]]

_ROUNDING = 1e-3
"""Part of a voxel by which a face may miss the face of a voxel and still mean it."""

_CORNERS = np.stack(np.meshgrid(*[(-0.5, 0.5)] * 3), axis=-1).reshape(8, 3)


def roi_box(roi: Any, to_world: Matrix, shape: tuple[int, int, int]) -> Box:
    """Give the smallest box of whole voxels that covers a region of interest.

    Parameters
    ----------
    roi : vtkMRMLMarkupsROINode
        The region, under whatever linear transforms.
    to_world : ndarray, (4, 4)
        From voxels (i, j, k) of the scan to the world, as :func:`ijk_to_world` gives it.
    shape : tuple of int
        Voxels of the scan along (z, y, x).

    Returns
    -------
    Box
        Half-open ranges along (z, y, x), inside the scan.

    Raises
    ------
    InputError
        When the region has no size, or nothing in common with the scan.
    """
    if roi.GetNumberOfDefinedControlPoints() == 0 or min(roi.GetSize()) <= 0:
        raise InputError(f"the region {roi.GetName()} has no size", "draw it, or choose no region")
    corners = _transformed(np.linalg.inv(to_world), roi_corners(roi))
    # voxel i reaches from i - 0.5 to i + 0.5
    first = np.floor(corners.min(axis=0) + 0.5 + _ROUNDING).astype(int)
    last = np.ceil(corners.max(axis=0) + 0.5 - _ROUNDING).astype(int)
    size = np.array(shape[::-1])
    first, last = np.clip(first, 0, size), np.clip(last, 0, size)
    if (first >= last).any():
        raise InputError(
            f"the region {roi.GetName()} lies outside the scan", "move it over the scan, or choose no region"
        )
    i, j, k = ((int(start), int(stop)) for start, stop in zip(first, last, strict=True))
    return Box(k, j, i)


def roi_corners(roi: Any) -> Matrix:
    """Corners (8, 3) of a region of interest in the world, in mm."""
    return _transformed(_array(roi.GetObjectToWorldMatrix()), _CORNERS * np.array(roi.GetSize()))


def fit_roi(roi: Any, to_world: Matrix, shape: tuple[int, int, int]) -> None:
    """Give a region of interest the place and the axes of a scan, and its size.

    Parameters
    ----------
    roi : vtkMRMLMarkupsROINode
        The region; it leaves its parent transform.
    to_world : ndarray, (4, 4)
        From voxels (i, j, k) of the scan to the world.
    shape : tuple of int
        Voxels of the scan along (z, y, x).
    """
    size = np.array(shape[::-1])
    steps_mm = np.linalg.norm(to_world[:3, :3], axis=0)
    pose = np.eye(4)
    pose[:3, :3] = to_world[:3, :3] / steps_mm
    pose[:3, 3] = _transformed(to_world, (size - 1) / 2)
    roi.SetAndObserveTransformNodeID(None)
    roi.SetROIType(roi.ROITypeBox)
    roi.SetAndObserveObjectToNodeMatrix(_vtk_matrix(pose))
    roi.SetSize(*(size * steps_mm))


def ijk_to_world(volume: Any) -> Matrix:
    """Matrix (4, 4) from voxels (i, j, k) of a volume node to the world, through its linear parent transforms."""
    import vtk

    ijk_to_ras, to_world = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(ijk_to_ras)
    if volume.GetParentTransformNode() is not None:
        volume.GetParentTransformNode().GetMatrixTransformToWorld(to_world)
    return _array(to_world) @ _array(ijk_to_ras)


def shape(volume: Any) -> tuple[int, int, int]:
    """Voxels of a volume node along (z, y, x)."""
    nx, ny, nz = volume.GetImageData().GetDimensions()
    return nz, ny, nx


def voxel_size_um(volume: Any) -> tuple[float, float, float]:
    """Voxel size of a volume node along (z, y, x) in µm."""
    x, y, z = volume.GetSpacing()
    return 1000 * z, 1000 * y, 1000 * x


def voxel_size_known(volume: Any) -> bool:
    """Whether a volume node knows its voxel size; 1 × 1 × 1 mm is what Slicer takes where a file says nothing."""
    return tuple(volume.GetSpacing()) != (1.0, 1.0, 1.0)


def set_voxel_size(volume: Any, side_um: float) -> None:
    """Give a volume node cubes of this side (µm) as voxels; its first voxel stays where it is."""
    volume.SetSpacing(*[side_um / 1000] * 3)


def _array(matrix: Any) -> Matrix:
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def _vtk_matrix(matrix: Matrix) -> Any:
    import vtk

    result = vtk.vtkMatrix4x4()
    result.DeepCopy(matrix.flatten())
    return result


def _transformed(matrix: Matrix, points: Matrix) -> Matrix:
    return points @ matrix[:3, :3].T + matrix[:3, 3]
