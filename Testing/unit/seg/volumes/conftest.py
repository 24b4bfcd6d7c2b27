"""Volumes that the tests of all formats share."""

from __future__ import annotations

import numpy as np
import pytest

from ImplantSegLib.volumes import Volume

# a rotation about all three axes, made by hand (x by 20°, then y by 35°, then z by 50°): no value is simple
ANGLES = np.deg2rad([20.0, 35.0, 50.0])


def rotation() -> np.ndarray:
    (cx, cy, cz), (sx, sy, sz) = np.cos(ANGLES), np.sin(ANGLES)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


@pytest.fixture
def scan() -> Volume:
    """Oblique scan of 2.76 µm voxels, anisotropic, far from the origin; every voxel has another value."""
    array = np.arange(5 * 6 * 7, dtype=np.uint16).reshape(5, 6, 7)
    direction = tuple(tuple(row) for row in rotation().tolist())
    metadata = {"fov": "circle:2.5,3,2.25", "note": "two\nlines, µm and a \\ backslash", "voxel_size_known": "yes"}
    return Volume(array, (0.00276, 0.00277, 0.003), (-12.345678901234567, 101.1, 0.1), direction, metadata)


@pytest.fixture
def labels(scan: Volume) -> Volume:
    """Labels 0 to 3 on the grid of the scan."""
    return scan.like((np.asarray(scan.array) % 4).astype(np.uint8))
