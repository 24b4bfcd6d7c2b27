import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ImplantSegLib.errors import InputError
from ImplantSegLib.preprocess import normalise
from ImplantSegLib.preprocess.normalise import normalised, robust_range, scale, value_range
from ImplantSegLib.volumes import FieldOfView, Volume


def volume(array, **metadata):
    return Volume(np.asarray(array), metadata=metadata)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_short_integers_give_exact_percentiles(dtype):
    array = np.random.default_rng(0).integers(0, 120, (5, 40, 30)).astype(dtype) - dtype(7 if dtype == np.int16 else 0)
    low, high = robust_range(volume(array), 5, 95)
    assert (low, high) == tuple(np.percentile(array, [5, 95], method="lower"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.uint32])
def test_wide_types_give_percentiles_to_a_thousandth(dtype):
    array = (np.random.default_rng(0).normal(1e5, 1e4, (6, 50, 50))).astype(dtype)
    wanted = np.percentile(array.astype(np.float64), [0.1, 99.9], method="lower")
    np.testing.assert_allclose(robust_range(volume(array)), wanted, atol=1e-3 * np.ptp(wanted))


def test_a_few_extreme_voxels_do_not_coarsen_the_result():
    array = np.random.default_rng(0).uniform(0, 1, (10, 60, 60)).astype(np.float32)
    array[3, 4, :3] = (1e9, -1e9, 1e6)
    low, high = robust_range(volume(array), 0.1, 99.9)
    assert low == pytest.approx(0.001, abs=1e-3)
    assert high == pytest.approx(0.999, abs=1e-3)


def test_only_voxels_inside_the_field_of_view_count():
    array = np.full((3, 21, 21), np.nan, np.float32)
    fov = FieldOfView.parse("circle:10,10,6")
    inside = fov.slab_mask(slice(0, 3), array.shape)
    array[inside] = np.linspace(2, 5, inside.sum())
    assert value_range(volume(array), fov) == (2, 5)
    assert robust_range(volume(array, fov="circle:10,10,6"), 0, 100) == pytest.approx((2, 5), abs=1e-3)


def test_result_does_not_depend_on_the_slabs(monkeypatch):
    scan = volume(np.random.default_rng(0).normal(size=(9, 20, 20)).astype(np.float32))
    whole = robust_range(scan)
    monkeypatch.setattr(normalise, "slab_depth", lambda *_: 2)
    assert robust_range(scan) == whole


def test_bad_voxels_are_counted_and_located():
    array = np.ones((6, 4, 4), np.float32)
    array[3, 0, 0], array[4, 1, :2], array[0, 0, 0] = np.nan, np.inf, 2
    with pytest.raises(InputError, match="3 voxels of the scan are NaN or infinite, the first in slice 3"):
        robust_range(volume(array))


@pytest.mark.parametrize("array", [np.full((2, 3, 3), 7, np.uint8), np.full((2, 3, 3), 7.0, np.float32)])
def test_constant_volume_is_refused(array):
    with pytest.raises(InputError, match="every voxel of the scan has the grey value 7"):
        robust_range(volume(array))


def test_volume_of_almost_one_value_is_refused():
    array = np.zeros((2, 100, 100), np.uint8)
    array[0, 0, 0] = 1
    with pytest.raises(InputError, match="no contrast"):
        robust_range(volume(array))


@pytest.mark.parametrize("percent", [(5, 5), (-1, 50), (50, 101)])
def test_percentiles_out_of_order_are_refused(percent):
    with pytest.raises(InputError, match="wanted 0 <= low < high <= 100"):
        robust_range(volume(np.arange(8, dtype=np.uint8).reshape(2, 2, 2)), *percent)


def test_empty_field_of_view_is_refused():
    with pytest.raises(InputError, match="no voxel lies inside"):
        robust_range(volume(np.arange(8.0).reshape(2, 2, 2), fov="circle:100,100,3"))


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_scale_takes_low_to_0_and_high_to_1(low, width):
    block = np.array([low - width, low, low + width / 2, low + width, low + 2 * width])
    np.testing.assert_allclose(scale(block, low, low + width), [0, 0, 0.5, 1, 1], atol=1e-5)


def test_scale_keeps_the_last_bits_of_wide_integers():
    block = np.array([2**31, 2**31 + 1, 2**31 + 2], np.uint32)
    np.testing.assert_array_equal(scale(block, 2**31, 2**31 + 2), [0, 0.5, 1])


def test_scale_turns_what_is_no_number_into_0():
    np.testing.assert_array_equal(scale(np.array([np.nan, -np.inf, np.inf], np.float32), 0, 1), [0, 0, 1])


def test_normalised_volume_is_scaled_when_read_and_says_so():
    scan = volume(np.arange(24, dtype=np.uint8).reshape(4, 2, 3))
    result = normalised(scan, 0.0, 23.0)
    assert result.metadata["normalised"] == "0.0,23.0"
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.array[1:3], scan.array[1:3] / 23, atol=1e-6)
