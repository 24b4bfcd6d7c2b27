import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.preprocess.binning import binned, tails
from ImplantSegLib.volumes import Volume

OBLIQUE = ((0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, 1.0))


def test_voxels_are_the_means_of_their_blocks():
    array = np.random.default_rng(0).integers(0, 65536, (7, 9, 11)).astype(np.uint16)
    wanted = array[:6, :9, :9].reshape(2, 3, 3, 3, 3, 3).mean(axis=(1, 3, 5))
    result = binned(Volume(array), 3)
    np.testing.assert_allclose(result.array[:], wanted, rtol=1e-6)
    assert result.dtype == np.float32
    assert tails(array.shape, 3) == (1, 0, 2)


def test_slabs_are_the_same_as_the_whole():
    result = binned(Volume(np.random.default_rng(0).random((9, 6, 6))), 3)
    whole = result.array[:]
    np.testing.assert_array_equal(np.concatenate([result.array[z : z + 1] for z in range(3)]), whole)
    np.testing.assert_array_equal(result.array[::2, 0], whole[::2, 0])


def test_blocks_stay_at_their_place_in_the_world():
    scan = Volume(np.zeros((6, 6, 8), np.uint8), (0.003, 0.002, 0.001), (4.0, -5.0, 6.0), OBLIQUE)
    result = binned(scan, 2)
    assert result.spacing_mm == pytest.approx((0.006, 0.004, 0.002), rel=1e-12)
    # the centre of block (2, 1, 3) is the mean of the centres of its eight voxels
    corners = [scan.index_to_world @ (z, y, x, 1) for z in (4, 5) for y in (2, 3) for x in (6, 7)]
    np.testing.assert_allclose(result.index_to_world @ (2, 1, 3, 1), np.mean(corners, axis=0), atol=1e-12)


def test_circle_stays_at_its_place_in_the_world():
    scan = Volume(np.zeros((3, 30, 30), np.uint8), metadata={"fov": "circle:14.5,13,9"})
    result = binned(scan, 3)
    text = result.metadata["fov"].removeprefix("circle:")
    cy, cx, radius = map(float, text.split(","))
    assert (cy * 3 + 1, cx * 3 + 1, radius * 3) == pytest.approx((14.5, 13, 9), abs=1e-4)


def test_factor_1_changes_nothing():
    scan = Volume(np.zeros((3, 4, 5), np.uint8))
    assert binned(scan, 1) is scan


@pytest.mark.parametrize("factor", [0, -2, 4])
def test_impossible_factor_is_refused(factor):
    with pytest.raises(InputError, match=f"got binning {factor}"):
        binned(Volume(np.zeros((3, 9, 9), np.uint8)), factor)


def test_mask_as_field_of_view_is_refused(tmp_path):
    (tmp_path / "mask.nrrd").touch()
    scan = Volume(np.zeros((3, 9, 9), np.uint8), metadata={"fov": str(tmp_path / "mask.nrrd")})
    with pytest.raises(InputError, match="cannot be binned along"):
        binned(scan, 3)
