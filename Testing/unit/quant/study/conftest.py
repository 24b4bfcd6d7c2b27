"""Small cohorts: results that were made up, and pins in bone that are measured in seconds."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[3]))  # study_cohort.py

from ImplantSegLib.volumes import Volume, write
from ImplantSegQuantLib.pose import Pose, save_pose

MM = 0.05
SHAPE = (12, 60, 60)


@pytest.fixture
def pins(tmp_path):
    """Cohort file of two pins whose pose is known, each with labels of two models."""
    y, x = ((np.arange(n) - 29.4) * MM for n in SHAPE[1:])
    radius = np.broadcast_to(np.hypot(y[:, None], x), SHAPE)
    bone = np.where(np.arange(SHAPE[2]) > 29, 3, 0)
    write(Volume((radius < 0.6).astype(np.uint8), (MM,) * 3), tmp_path / "reference.nrrd")
    save_pose(Pose(np.eye(4)), tmp_path / "known.tfm")
    lines = ['name = "pins"', 'reference = "reference.nrrd"', "surfaces = false"]
    for name, weeks, metal in (("a", 6, 0.5), ("b", 12, 0.4)):
        labels = np.where(radius < metal, 1, np.where(radius < 0.7, 2, bone)).astype(np.uint8)
        for model in ("one", "two"):
            write(Volume(labels, (MM,) * 3), tmp_path / f"{name}-{model}.nrrd")
        lines += ["[[samples]]", f'name = "{name}"', f"weeks = {weeks}", 'site = "tibia"', 'pose = "known.tfm"']
        lines += [f'segmentations = {{ one = "{name}-one.nrrd", two = "{name}-two.nrrd" }}']
    (tmp_path / "cohort.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "cohort.toml"
