"""A screw in bone whose pose and labels are known, small enough for a test: its tip, voxels of 0.1 mm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ImplantSegLib.labels import Label
from ImplantSegLib.phantom.screw import Screw
from ImplantSegLib.volumes import Volume, write

Array = np.ndarray[Any, Any]

SPACING_MM = 0.1
SHAPE = (44, 44, 40)
LOSS_MM = 0.1
"""Depth to which the screw has become a layer of degradation products."""


@dataclass(frozen=True)
class Explant:
    """Labels of the explant and where the screw lies in it."""

    volume: Volume
    pose: Array
    """Matrix (4, 4) from the scan to the screw, LPS, mm."""

    def write(self, path: Path) -> Path:
        """Write the labels."""
        write(self.volume, path)
        return path


def explant(angle_deg: float = 25.0, loss_mm: float = LOSS_MM) -> Explant:
    """Make the explant.

    Parameters
    ----------
    angle_deg : float
        Turn of the screw about its axis, which is tilted by 8° against z.
    loss_mm : float
        Depth of the corrosion.
    """
    origin = (-2.2, -1.9, 30.0)
    index = np.indices(SHAPE).reshape(3, -1).T[:, ::-1]
    points = index * SPACING_MM + np.array(origin)
    pose = _pose(angle_deg, points.mean(axis=0))
    distance = Screw().signed_distance(points @ pose[:3, :3].T + pose[:3, 3]).reshape(SHAPE)
    labels = np.zeros(SHAPE, np.uint8)
    x, y, z = (axis.reshape(SHAPE) for axis in points.T)
    labels[np.sin(4 * x) + np.sin(5 * y) + np.sin(3 * z) > 0.3] = Label.BONE
    labels[distance < 0] = Label.DEGRADATION_LAYER
    labels[distance < -loss_mm] = Label.RESIDUAL_MATERIAL
    return Explant(Volume(labels, (SPACING_MM,) * 3, origin), pose)


def _pose(angle_deg: float, centre: Array) -> Array:
    """Turn about z, tilt about x; the middle of the view is 2 mm above the tip."""
    turn, tilt = np.radians(angle_deg), np.radians(8)
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    pose = np.eye(4)
    pose[:3, :3] = about_z @ about_x
    pose[:3, 3] = np.array([0, 0, 1.9]) - pose[:3, :3] @ centre
    return pose
