import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from ImplantSegLib.inference import postprocess
from ImplantSegLib.inference.postprocess import cleaned, find_pieces
from ImplantSegLib.volumes import Volume

VOXEL = (0.1, 0.1, 0.1)  # mm: 0.001 mm³


def clean(array, voxels, keep_largest=False, **metadata):
    volume = Volume(array, VOXEL, metadata=metadata)
    return np.concatenate(list(cleaned(volume, voxels * 0.001, keep_largest)))


def brute_force(array, least):
    """The definition on the whole volume."""
    pieces, count = ndimage.label(np.isin(array, (1, 2)))
    result = array.copy()
    for number in range(1, count + 1):
        piece = pieces == number
        if piece.sum() >= least:
            continue
        faces = {0: 0, 3: 0}
        for axis in range(3):
            for a, b in ((piece, array), (np.flip(piece, axis), np.flip(array, axis))):
                here, there = (np.moveaxis(x, axis, 0) for x in (a, b))
                for label in faces:
                    faces[label] += np.count_nonzero(here[:-1] & (there[1:] == label))
        result[piece] = 3 if faces[3] > faces[0] else 0
    return result


@given(
    arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=7), elements=st.integers(0, 3)), st.integers(1, 9)
)
def test_slabs_agree_with_the_definition_on_the_whole(array, least):
    wanted = brute_force(array, least)
    slice_bytes = array[0].nbytes
    for depth in (1, 2, 3, 100):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(postprocess, "_SLAB_BYTES", 13 * depth * slice_bytes)
            np.testing.assert_array_equal(clean(array, least - 0.5), wanted)


def test_metal_and_layer_are_one_piece():
    array = np.zeros((4, 6, 6), np.uint8)
    array[1, 1:5, 2] = (2, 1, 1, 2)
    assert (clean(array, 4) == array).all()
    assert (clean(array, 5) == 0).all()


def test_island_in_bone_becomes_bone_and_in_air_background():
    array = np.zeros((5, 5, 12), np.uint8)
    array[:, :, 6:] = 3
    array[2, 2, 3], array[2, 2, 9] = 1, 2
    result = clean(array, 2)
    assert result[2, 2, 3] == 0
    assert result[2, 2, 9] == 3


def test_pieces_at_the_border_are_judged_alike():
    array = np.zeros((3, 4, 4), np.uint8)
    array[0, 0, :2] = 1
    assert (clean(array, 3) == 0).all()
    assert (clean(array, 2) == array).all()


def test_largest_piece_alone_is_kept_when_asked():
    array = np.zeros((3, 5, 20), np.uint8)
    array[1, 1:4, 1:7], array[1, 1:4, 10:14] = 1, 2
    result = clean(array, 0, keep_largest=True)
    assert (result[:, :, :8] == array[:, :, :8]).all()
    assert (result[:, :, 8:] == 0).all()


def test_piece_that_comes_together_late_is_one():
    array = np.zeros((6, 3, 9), np.uint8)
    array[:, 1, 1] = array[:, 1, 7] = 1
    array[5, 1, 1:8] = 1  # two legs that meet in the last slice
    pieces = find_pieces(Volume(array), 2)
    sizes = pieces.voxels.copy()
    sizes[pieces.offsets] = 0
    assert sorted(sizes[sizes > 0]) == [17]


@pytest.mark.parametrize("array", [np.zeros((3, 4, 5), np.uint8), np.full((3, 4, 5), 3, np.uint8)])
def test_without_implant_nothing_changes(array):
    assert (clean(array, 10, keep_largest=True) == array).all()


def test_unknown_voxel_size_counts_voxels():
    array = np.zeros((11, 12, 12), np.uint8)
    array[:10, :10, :10] = 1
    array[0, 0, 0] = 0  # 999 voxels
    assert (clean(array, 1, voxel_size_known="no") == 0).all()
    array[0, 0, 0] = 1
    assert (clean(array, 1, voxel_size_known="no") == array).all()


def test_nothing_is_an_island_below_one_voxel():
    array = np.random.default_rng(0).integers(0, 4, (5, 6, 7)).astype(np.uint8)
    assert (clean(array, 0) == array).all()
