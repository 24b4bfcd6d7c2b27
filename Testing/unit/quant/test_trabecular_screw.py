"""A real trabecular screw (zhou436/Bone-Screw-Constructs-eFEM, MIT) in real bone (gianthk/ciclope, MIT)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat
from scipy.ndimage import distance_transform_edt, map_coordinates
from scipy.spatial.transform import Rotation

from ImplantSegLib.volumes import Volume, read
from ImplantSegQuantLib.quantify import quantify
from ImplantSegQuantLib.reference import Reference, of_labels
from ImplantSegQuantLib.register import register

VOXEL_MM = 0.039
SHAPE = (96, 152, 152)
MARGIN = 28
"""Voxels round the scan in which the truth is known, too: the region of interest of what is out of sight reaches in."""


@pytest.fixture(scope="module")
def screw(real_data: Path) -> Volume:
    """The screw with the tip where it stands; 512 voxels are 15 mm, which the published 29.3 µm round."""
    voxels = np.moveaxis(loadmat(real_data / "trabecular_screw" / "volLTS.mat")["vol"], 2, 0)[:, :113, :113] > 0
    size_mm = 15 / 512
    assert voxels.sum() * size_mm**3 == pytest.approx(75.22, abs=0.005)
    return Volume(np.pad(voxels, 4).astype(np.uint8), (size_mm,) * 3)


@pytest.fixture(scope="module")
def reference(screw: Volume) -> Reference:
    return of_labels(screw, "volLTS.mat")


@pytest.fixture(scope="module")
def bone(real_data: Path) -> np.ndarray:
    """Thresholded bone, every second voxel of it, mirrored until it is as large as the scan with its margin."""
    scan = read(real_data / "lhdl_trabecular" / "slices", (19.5, 19.5, 19.5)).array[:]
    found = np.asarray(scan)[::2, ::2, ::2] > 63
    wanted = np.array(SHAPE) + 2 * MARGIN
    return np.pad(found, [(0, int(n - have)) for n, have in zip(wanted, found.shape, strict=True)], mode="symmetric")


def placed(screw: Volume, matrix: np.ndarray) -> np.ndarray:
    """Voxels of the scan and its margin whose centre lies in the screw: by linear interpolation of its voxels."""
    index = np.indices(np.array(SHAPE) + 2 * MARGIN).reshape(3, -1) - MARGIN
    world = VOXEL_MM * index[::-1]
    there = (matrix[:3, :3] @ world + matrix[:3, 3:])[::-1] / screw.spacing_mm[0]
    return map_coordinates(screw.array.astype(np.float32), there, order=1).reshape(np.array(SHAPE) + 2 * MARGIN) > 0.5


def pose(screw: Volume, height_mm: float, angles_deg: tuple[float, float, float]) -> np.ndarray:
    """Scan to screw: a height on the screw's axis in the middle of the scan, turned by Euler angles."""
    rotation = Rotation.from_euler("zyx", angles_deg, degrees=True).as_matrix()
    middle = VOXEL_MM * (np.array(SHAPE[::-1]) - 1) / 2
    axis = screw.spacing_mm[0] * (screw.shape[1] - 1) / 2
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, np.array([axis, axis, height_mm]) - rotation @ middle
    return matrix


def inner(values: np.ndarray) -> np.ndarray:
    return values[MARGIN:-MARGIN, MARGIN:-MARGIN, MARGIN:-MARGIN]


def contact_percent(implant: np.ndarray, bone: np.ndarray) -> float:
    """Faces of the implant to bone over those to bone or background, by shifts of whole arrays."""
    contact = surface = 0
    for axis in range(3):
        for one, other in ((slice(None, -1), slice(1, None)), (slice(1, None), slice(None, -1))):
            here, there = [slice(None)] * 3, [slice(None)] * 3
            here[axis], there[axis] = one, other
            faces = implant[tuple(here)] & ~implant[tuple(there)]
            surface += int(faces.sum())
            contact += int((faces & bone[tuple(there)]).sum())
    return 100 * contact / surface


@pytest.mark.slow
@pytest.mark.parametrize(
    ("height_mm", "angles_deg"),
    [(7.5, (40.0, 12.0, -9.0)), (2.0, (-75.0, 10.0, 168.0)), (13.0, (10.0, 35.0, 20.0))],
    ids=["middle", "lower end, upside down", "upper end, tilted by 40°"],
)
def test_a_real_screw_in_real_bone_gives_the_known_answer(screw, reference, bone, height_mm, angles_deg):
    matrix = pose(screw, height_mm, angles_deg)
    implant = placed(screw, matrix)
    labels = np.where(implant, 1, np.where(bone, 3, 0)).astype(np.uint8)
    scan = Volume(np.ascontiguousarray(inner(labels)), (VOXEL_MM,) * 3)
    found = register(scan, reference)
    values = {one.name: one.value for one in quantify(scan, reference, found, weeks=12)}
    voxels = inner(implant).sum() * VOXEL_MM**3
    assert values["residual_volume"] == pytest.approx(voxels, rel=1e-12)
    assert values["initial_volume"] == pytest.approx(voxels, rel=2e-3)
    assert values["bone_implant_contact"] == pytest.approx(contact_percent(inner(implant), inner(bone)), abs=1e-9)
    # between voxel centres: the nearest one in the screw lies a quarter of a voxel behind its surface on average
    roi = inner(distance_transform_edt(~implant, sampling=VOXEL_MM) <= 1.0 + 0.25 * VOXEL_MM)
    tissue = roi & ~inner(implant)
    assert values["bone_volume_fraction"] == pytest.approx(100 * inner(bone)[tissue].mean(), rel=5e-3)
    assert values["roi_volume"] == pytest.approx(roi.sum() * VOXEL_MM**3, rel=0.01)
    assert found.quality["surface_distance_mean_um"] < 0.25 * 1000 * VOXEL_MM
