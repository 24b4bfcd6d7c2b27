"""Poses as plausible as the found one: around it, repeatable, and as far apart as the pose is uncertain."""

from __future__ import annotations

import numpy as np
import pytest

from ImplantSegLib.phantom.screw import Screw
from ImplantSegLib.volumes import FieldOfView, Volume
from ImplantSegQuantLib.implicit import field_of
from ImplantSegQuantLib.pose import Pose
from ImplantSegQuantLib.pose_spread import plausible_poses, volume_changes_percent
from ImplantSegQuantLib.reference import Reference, distance_slab

VOXEL_MM = 0.06
SHAPE = (40, 72, 72)


@pytest.fixture(scope="module")
def reference():
    screw = Screw()
    return Reference(field_of(screw.signed_distance, np.array(screw.bounds_mm), finest_mm=0.06), "test screw")


def scan(height_mm: float, wrong: float = 0.0) -> Volume:
    """An unharmed screw along z, upright, whose given height lies in the middle of the scan."""
    origin = (*(-0.5 * VOXEL_MM * (n - 1) for n in SHAPE[:0:-1]), height_mm - 0.5 * VOXEL_MM * (SHAPE[0] - 1))
    grid = Volume(np.zeros(SHAPE, np.uint8), (VOXEL_MM,) * 3, origin)
    index = np.indices(SHAPE).reshape(3, -1).T
    world = index @ grid.index_to_world[:3, :3].T + grid.index_to_world[:3, 3]
    labels = (Screw().signed_distance(world) < 0).reshape(SHAPE).astype(np.uint8)
    rng = np.random.default_rng(0)
    swapped = rng.random(SHAPE) < wrong
    return grid.like(np.where(swapped, rng.integers(0, 2, SHAPE, dtype=np.uint8), labels))


HERE = Pose(np.eye(4))


def displacement_mm(pose: Pose) -> float:
    """Largest motion of a corner of the scan."""
    corners = np.array([[x, y, z] for x in (-2, 2) for y in (-2, 2) for z in (0, 3)], float)
    return float(np.linalg.norm(pose.apply(corners) - corners, axis=1).max())


def test_the_same_seed_gives_the_same_poses_and_another_seed_others(reference):
    labels = scan(14.5)
    first, again, other = (plausible_poses(labels, reference, HERE, None, 3, seed) for seed in (1, 1, 2))
    for one, two, three in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one.matrix, two.matrix)
        assert not np.array_equal(one.matrix, three.matrix)


def test_poses_are_rigid_and_lie_round_the_given_one(reference):
    moved = np.eye(4)
    moved[:3, 3] = 0.05, -0.03, 0.02  # set by hand: not where the fit would end
    poses = plausible_poses(scan(14.5), reference, Pose(moved), None, 8, 0)
    for pose in poses:
        np.testing.assert_allclose(pose.matrix[:3, :3].T @ pose.matrix[:3, :3], np.eye(3), atol=1e-9)
        assert displacement_mm(Pose(pose.matrix @ np.linalg.inv(moved))) < VOXEL_MM


def test_wrong_labels_spread_the_poses(reference):
    clean, dirty = (
        np.mean([displacement_mm(pose) for pose in plausible_poses(scan(14.5, wrong), reference, HERE, None, 8, 0)])
        for wrong in (0.0, 0.3)
    )
    assert dirty > 1.5 * clean


def test_volume_changes_are_those_of_the_distance_field_itself(reference):
    """A tip pushed up by 60 µm: what comes into sight is a disc of the screw's section, 60 µm high."""
    labels = scan(1.0)
    up = np.eye(4)
    up[2, 3] = 0.06
    changes = volume_changes_percent(labels, reference, HERE, [HERE, Pose(up)], FieldOfView())
    volumes = [
        np.clip(0.5 - distance_slab(reference, pose, labels, slice(None)) / VOXEL_MM, 0, 1).sum()
        for pose in (HERE, Pose(up))
    ]
    assert changes[0] == 0
    assert changes[1] == pytest.approx(100 * (volumes[1] / volumes[0] - 1), rel=0.03)
