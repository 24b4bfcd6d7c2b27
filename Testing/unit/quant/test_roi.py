import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ImplantSegLib.volumes import FieldOfView, Volume
from ImplantSegQuantLib.field import DistanceField
from ImplantSegQuantLib.pose import Pose
from ImplantSegQuantLib.reference import Reference
from ImplantSegQuantLib.roi import Region, Registered, within
from ImplantSegQuantLib.sample import Sample


def test_voxel_dilated_by_ten_voxels():
    z, y, x = np.ogrid[-12:13, -12:13, -12:13]
    distance = (0.1 * np.sqrt(z * z + y * y + x * x)).astype(np.float32)  # to a point, in mm
    assert within(distance).sum() == 4169


def test_the_interior_and_the_rim_belong_to_it():
    distance = np.array([[[-5.0, 0.5, 1.0, 1.0001, 0.2]]], np.float32)
    assert within(distance).tolist() == [[[True, True, True, False, True]]]
    assert within(distance, 0.2).tolist() == [[[True, False, False, False, True]]]


def rough_field(seed, cut):
    """A field of 30³ nodes that is no true distance: steep, with noise, and cut off at one end."""
    rng = np.random.default_rng(seed)
    z, y, x = np.ogrid[:30, :30, :30]
    values = np.sqrt((z - 14.0) ** 2 + (y - 15.0) ** 2 + (x - 13.0) ** 2) * 0.1 - 0.8 + 0.05 * rng.random((30, 30, 30))
    limits = np.tile([-1e9, 1e9], (3, 1))
    if cut:
        limits[rng.integers(3), rng.integers(2)] = 12.3
    return DistanceField(values.astype(np.float32), (0.1,) * 3, np.diag([10, 10, 10, 1.0])[[2, 1, 0, 3]], limits)


@given(st.integers(0, 10**6), st.booleans(), st.sampled_from([0.0, 0.3, 1.0]))
@settings(max_examples=25, deadline=None)
def test_blocks_decide_as_their_voxels_do(seed, cut, radius):
    field, rng = rough_field(seed, cut), np.random.default_rng(seed)
    turned = Rotation.random(random_state=seed).as_matrix()
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turned, 1.5 + rng.normal(size=3) - turned @ [1.5, 1.5, 1.5]
    grid = Volume(np.zeros((9, 61, 53), np.uint8), tuple(rng.uniform(0.04, 0.08, 3)))
    distance = Registered(Reference(field, "test"), Pose(pose), grid)
    near = distance(slice(2, 9)) <= np.float32(radius)
    np.testing.assert_array_equal(distance.within(slice(2, 9), radius), near)


def test_values_do_not_depend_on_what_is_read_with_them():
    field = rough_field(0, True)
    grid = Volume(np.zeros((9, 60, 50), np.uint8), (0.07, 0.05, 0.06))
    distance = Registered(Reference(field, "test"), Pose(np.eye(4)), grid)
    np.testing.assert_array_equal(np.concatenate([distance(slice(z, z + 1)) for z in range(9)]), distance(slice(0, 9)))


@pytest.fixture
def region():
    distance = np.random.default_rng(0).uniform(0.5, 1.5, (7, 21, 30)).astype(np.float32)
    sample = Sample(Volume(np.zeros(distance.shape, np.uint8)), FieldOfView((10, 14, 9)))
    y, x = np.ogrid[:21, :30]
    return Region(sample, lambda z: distance[z]), (distance <= 1) & ((y - 10) ** 2 + (x - 14) ** 2 <= 81)


def test_a_region_reads_like_an_array(region):
    found, wanted = region
    np.testing.assert_array_equal(found.mask(slice(2, 5)), wanted[2:5])
    for key in (slice(2, 5), 2, -1, (slice(1, 6), 2, slice(None, None, -1)), (3, 4), slice(None, None, 3), slice(5, 5)):
        np.testing.assert_array_equal(found[key], wanted[key])
    np.testing.assert_array_equal(np.asarray(found), wanted)
    assert found[0:1].dtype == found.dtype == np.uint8
    with pytest.raises(IndexError):
        found[7]
