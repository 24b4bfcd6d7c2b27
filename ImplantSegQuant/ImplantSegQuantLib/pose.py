"""Where the reference lies in a scan: a rigid motion, kept in a file that ITK and Slicer read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegLib.files import atomic_path, check_writable, refuse_folder

Array = np.ndarray[Any, Any]

SUFFIXES = (".tfm", ".txt", ".h5")
"""Files of transforms that a pose is written to."""

RIGID_TOLERANCE = 1e-4
"""How far RᵀR of a loaded pose may be from the identity."""


@dataclass(frozen=True)
class Pose:
    """Rigid motion from the world of the scan to the world of the reference, both LPS, in mm.

    Parameters
    ----------
    matrix : float64, shape (4, 4)
        Takes a point (x, y, z, 1) of the scan to the point of the reference that lies there: the direction
        in which ITK resamples the reference on the scan.
    quality : mapping of str to float
        What the fit says about itself; see :func:`ImplantSegQuantLib.fit.quality`. Not kept in the file.
    """

    matrix: Array
    quality: Mapping[str, float] = field(default_factory=dict)

    def apply(self, points_mm: Array) -> Array:
        """Points of the reference (N, 3) for points of the scan (N, 3), (x, y, z) in mm."""
        return np.asarray(points_mm @ self.matrix[:3, :3].T + self.matrix[:3, 3])

    def inverse(self) -> Pose:
        """Motion from the reference to the scan."""
        return Pose(np.linalg.inv(self.matrix), self.quality)


def check_output(path: str | Path) -> None:
    """Refuse a name that no pose can be written to, before one is looked for.

    Raises
    ------
    InputError
        For another suffix, a folder, or a place that may not be written.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"got the pose {path}, wanted a name that ends with {', '.join(SUFFIXES)}", "choose one of them"
        )
    refuse_folder(path)
    check_writable(path.parent)


def save_pose(pose: Pose, path: str | Path) -> None:
    """Write a pose as an ITK transform (``.tfm``, ``.txt`` or ``.h5``).

    It is written as an affine transform: its matrix is kept to the last digit, where the angles of the
    rigid classes would be rounded.
    """
    import SimpleITK as sitk  # noqa: N813

    transform = sitk.AffineTransform(3)
    transform.SetMatrix(pose.matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(pose.matrix[:3, 3].tolist())
    with atomic_path(path) as temporary:
        sitk.WriteTransform(transform, str(temporary))


def load_pose(path: str | Path) -> Pose:
    """Read a pose from any linear ITK transform that is rigid.

    Raises
    ------
    InputError
        When the file is missing or no transform, or the transform bends, scales or mirrors.
    """
    import SimpleITK as sitk  # noqa: N813

    if not Path(path).is_file():
        raise InputError(f"there is no file {path}", "correct the path of the pose")
    try:
        transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise InputError(f"{path} is not a transform that ITK can read", "pass a .tfm file from register") from error
    if transform.GetDimension() != 3 or not transform.IsLinear():
        raise InputError(f"{path} is not a linear transform of space", "pass a rigid transform")
    return Pose(_checked_rigid(_matrix_of(transform), path))


def _matrix_of(transform: Any) -> Array:
    """Matrix of a linear transform, whatever its class and centre."""
    matrix = np.eye(4)
    matrix[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
    for axis in range(3):
        unit = tuple(float(axis == other) for other in range(3))
        matrix[:3, axis] = np.array(transform.TransformPoint(unit)) - matrix[:3, 3]
    return matrix


def _checked_rigid(matrix: Array, path: str | Path) -> Array:
    rotation = matrix[:3, :3]
    error = float(np.abs(rotation.T @ rotation - np.eye(3)).max())
    if error > RIGID_TOLERANCE or np.linalg.det(rotation) < 0:
        raise InputError(
            f"the transform {path} is not rigid: it scales, shears or mirrors (RᵀR differs by {error:.2g})",
            "pass a rotation with a translation, in mm, LPS",
        )
    return matrix
