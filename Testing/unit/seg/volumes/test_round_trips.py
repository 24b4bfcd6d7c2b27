from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from ImplantSegLib.volumes import Volume, create, read, write

EXACT = ("a.nrrd", "a.mha", "a.mhd", "a.tif", "slices", "a.ome.zarr")
"""Formats that keep geometry to 1e-12, and metadata."""

TYPES = ("uint8", "int16", "uint16", "int32", "float32", "float64")


@st.composite
def volumes(draw: st.DrawFn) -> Volume:
    shape = draw(st.tuples(*[st.integers(1, 5)] * 3))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    axes, _ = np.linalg.qr(random.normal(size=(3, 3)))  # any rotation, with or without a reflection
    spacing = draw(st.tuples(*[st.floats(1e-4, 2.0)] * 3))
    origin = draw(st.tuples(*[st.floats(-1e3, 1e3)] * 3))
    key = st.text("aZ09_.", min_size=1, max_size=8)
    # what could end a line, a value or an escape in one of the formats
    metadata = draw(st.dictionaries(key, st.text("a9 =:;#%{}\"'\\\n\r\t\0éµ漢😀", max_size=12), max_size=3))
    array = (random.random(shape) * 100).astype(draw(st.sampled_from(TYPES)))
    direction = tuple(tuple(row) for row in axes.tolist())
    return Volume(array, spacing, origin, direction, {**metadata, "voxel_size_known": "yes"})


@pytest.mark.parametrize("name", EXACT)
@given(volume=volumes(), compress=st.sampled_from([None, False, True]))
@settings(max_examples=12)
def test_geometry_voxels_and_metadata_survive(name: str, volume: Volume, compress: bool | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(volume, Path(folder) / name, compress)
        again = read(Path(folder) / name)
        np.testing.assert_array_equal(np.asarray(again.array), volume.array)
    assert again.dtype == volume.dtype
    np.testing.assert_allclose(again.spacing_mm, volume.spacing_mm, rtol=1e-12, atol=0)
    np.testing.assert_allclose(again.origin_mm, volume.origin_mm, rtol=1e-12, atol=0)
    np.testing.assert_allclose(again.direction, volume.direction, rtol=0, atol=1e-12)
    assert again.metadata == volume.metadata


@pytest.mark.parametrize("name", [*EXACT, "a.nii", "a.nii.gz"])
def test_micrometre_voxels_far_from_the_origin(name: str, scan: Volume, tmp_path: Path) -> None:
    write(scan, tmp_path / name)
    again = read(tmp_path / name)
    np.testing.assert_array_equal(np.asarray(again.array), scan.array)
    # NIfTI has a float32 affine: 7 digits of the largest number, 101.1 mm
    tolerance = 1e-5 if ".nii" in name else 1e-12
    np.testing.assert_allclose(again.index_to_world, scan.index_to_world, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", [*EXACT, "a.nii", "a.nii.gz", "a.seg.nrrd"])
def test_slabs_of_any_depth_give_the_same_file(name: str, labels: Volume, tmp_path: Path) -> None:
    with create(tmp_path / name, labels, labels.dtype) as put:
        for z in (slice(0, 1), slice(1, 4), slice(4, 5)):
            put(labels.array[z])
    again = read(tmp_path / name)
    np.testing.assert_array_equal(np.asarray(again.array), labels.array)
    np.testing.assert_array_equal(again.array[1:3, 2:5, ::2], labels.array[1:3, 2:5, ::2])
    np.testing.assert_array_equal(again.array[-1], labels.array[-1])
    assert again.array[2, 3, 4] == labels.array[2, 3, 4]
    assert isinstance(again.array[0:1], np.ndarray)


@pytest.mark.parametrize("name", ["a.nrrd", "a.seg.nrrd", "a.mha", "a.tif", "a.nii.gz"])
def test_the_same_voxels_give_the_same_bytes(name: str, labels: Volume, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    write(labels, tmp_path / name, True if name != "a.tif" else None)
    write(labels, tmp_path / "b" / name, True if name != "a.tif" else None)
    assert (tmp_path / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
