import numpy as np
import pytest

from ImplantSegQuantLib.roi import Region, in_roi


def test_voxel_dilated_by_ten_voxels():
    z, y, x = np.ogrid[-12:13, -12:13, -12:13]
    distance = (0.1 * np.sqrt(z * z + y * y + x * x)).astype(np.float32)  # to a point, in mm
    assert in_roi(distance, np.ones(distance.shape, bool)).sum() == 4169


def test_field_of_view_and_interior():
    distance = np.array([[[-5.0, 0.5, 1.0, 1.0001, 0.2]]], np.float32)
    inside = np.array([[[True, True, True, True, False]]])
    assert in_roi(distance, inside).tolist() == [[[True, True, True, False, False]]]
    assert in_roi(distance, inside, 0.2).tolist() == [[[True, False, False, False, False]]]


@pytest.mark.parametrize("width", [1, 7, 8, 9, 30])
def test_region_gives_back_what_was_put(width):
    mask = np.random.default_rng(width).random((7, 5, width)) < 0.5
    region = Region(mask.shape)
    for start in range(0, 7, 3):
        region.put(slice(start, min(start + 3, 7)), mask[start : start + 3])
    np.testing.assert_array_equal(region.mask(slice(0, 7)), mask)
    np.testing.assert_array_equal(region[2:5], mask[2:5])
    np.testing.assert_array_equal(region[2], mask[2])
    np.testing.assert_array_equal(region[1:6, 2, ::-1], mask[1:6, 2, ::-1])
    np.testing.assert_array_equal(np.asarray(region), mask)
    assert region[0:1].dtype == region.dtype == np.uint8
