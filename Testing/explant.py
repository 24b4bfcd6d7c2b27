"""A screw in bone whose pose and labels are known, small enough for a test, and results as ``quantify`` writes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ImplantSegLib.labels import Label
from ImplantSegLib.phantom.screw import Screw
from ImplantSegLib.volumes import Volume, write
from ImplantSegQuantLib.mesh_file import Surface, write_surface
from ImplantSegQuantLib.pose import Pose, save_pose
from ImplantSegQuantLib.results import write_results

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


MEASURES = {
    "initial_volume": (20.0, "mm^3"),
    "degradation_rate": (0.3, "mm/a"),
    "bone_implant_contact": (40.0, "%"),
    "bone_volume_fraction": (35.0, "%"),
    "degradation_layer_thickness": (None, "µm"),
}


def write_folder(folder: Path, weeks: float = 12.0, factor: float = 1.0, truth: bool = False) -> Path:
    """Write a folder of results, its measures those of ``MEASURES`` times a factor; against a truth of factor 1."""
    measured = {name: {"value": value and factor * value, "unit": unit} for name, (value, unit) in MEASURES.items()}
    result: dict[str, Any] = {
        "measurements": measured,
        "warnings": ["little bone"],
        "registration": {"pose": "given", "sound_percent": 80.0, "outside_percent": 0.0, "filled_percent": 99.0},
        "job": {"segmentation": "labels.nrrd", "weeks": weeks, "roi_mm": 1.0},
        "provenance": {},
    }
    if truth:
        result["truth"] = {name: {"value": value, "unit": unit} for name, (value, unit) in MEASURES.items()}
        result["relative_error_percent"] = {
            name: None if value is None else 100 * (factor - 1) for name, (value, _) in MEASURES.items()
        }
        result["mean_iou_percent"] = 91.5
    write_results(folder, result)
    (folder / "report.html").write_text("<html></html>", encoding="utf-8")
    save_pose(Pose(explant().pose), folder / "pose.tfm")
    grid = explant().volume
    write(Volume((grid.array > 0).astype(np.uint8), grid.spacing_mm, grid.origin_mm), folder / "roi.nrrd")
    corners = np.array([[0, 0, 31], [1, 0, 31], [1, 1, 31], [0, 1, 31]], np.float32)
    quad = np.array([[0, 1, 2, 3]], np.int32)
    write_surface(Surface(corners, quad, cell_data={"contact": np.ones(1, np.uint8)}), folder / "contact.vtp")
    points = {"distance_um": np.zeros(4, np.float32), "inside_fov": np.ones(4, np.uint8)}
    write_surface(Surface(corners, quad, points), folder / "reference.vtp")
    return folder
