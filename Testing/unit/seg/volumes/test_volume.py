from __future__ import annotations

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Volume
from ImplantSegLib.volumes.voxels import Blank, RawVoxels, Slices, how


def test_index_to_world() -> None:
    turned = ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))  # the index axis x points along world y
    volume = Volume(np.zeros((2, 3, 4)), (5.0, 3.0, 2.0), (10.0, 20.0, 30.0), turned)
    np.testing.assert_allclose(volume.index_to_world @ (1, 1, 1, 1), (10 - 3, 20 + 2, 30 + 5, 1))
    assert volume.voxel_volume_mm3 == 30.0


@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 4, 3)])
def test_only_three_dimensions(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="wanted a 3D volume"):
        Volume(np.zeros(shape))


@pytest.mark.parametrize("step", [0.0, -1.0, np.nan, np.inf])
def test_only_positive_spacing(step: float) -> None:
    with pytest.raises(InputError, match="three positive numbers; pass --spacing-um"):
        Volume(np.zeros((2, 2, 2)), (1.0, step, 1.0))


def test_same_grid(scan: Volume) -> None:
    assert scan.same_grid(scan.like(np.zeros(scan.shape)))
    assert not scan.same_grid(Volume(scan.array, scan.spacing_mm, scan.origin_mm))
    assert not scan.same_grid(scan.like(scan.array[1:]))


def test_slabs_cover_everything_once(scan: Volume) -> None:
    for depth in (1, 2, 5, 9):
        slabs = list(scan.slabs(depth))
        assert [z.start for z, _ in slabs] == list(range(0, 5, depth))
        np.testing.assert_array_equal(np.concatenate([block for _, block in slabs]), scan.array)


def test_slab_depth(scan: Volume) -> None:
    slice_bytes = 6 * 7 * 2
    assert scan.slab_depth() == 5
    assert scan.slab_depth(3 * slice_bytes) == 3
    assert scan.slab_depth(1) == 1


def test_metadata_are_added(scan: Volume) -> None:
    assert scan.like(scan.array, fov="box", new="x").metadata == {**scan.metadata, "fov": "box", "new": "x"}


def test_how_voxels_are_read(tmp_path) -> None:
    assert how(np.zeros(3)) == "in memory"
    np.arange(24, dtype=">u2").tofile(tmp_path / "a.raw")
    voxels = RawVoxels(tmp_path / "a.raw", np.dtype(">u2"), (2, 3, 4))
    assert how(voxels) == "memory-mapped"
    assert voxels.dtype.isnative
    assert voxels.nbytes == 48


def test_slices_index_as_arrays_do() -> None:
    array = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    lazy = Slices(array.shape, array.dtype, lambda z: array[z], "slice by slice")
    keys = (
        2, -1, slice(1, 3), slice(None, None, 2), slice(3, 1), (1, 2, 3), (slice(1, 3), 2), (-2, slice(1, 4), ...),
        ..., (..., 3), (slice(0, 2), slice(None), slice(2, 4)),
    )  # fmt: skip
    for key in keys:
        np.testing.assert_array_equal(lazy[key], array[key])
    with pytest.raises(IndexError):
        lazy[4]
    np.testing.assert_array_equal(np.asarray(lazy, dtype=float), array.astype(float))


def test_blank_voxels_cannot_be_read() -> None:
    with pytest.raises(TypeError, match="yet to be written"):
        Blank((1, 2, 3), np.dtype(np.uint8))[0]
