import os
import shutil
import tracemalloc

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.training import data, mapped
from ImplantSegLib.training.config import Data, Pair
from ImplantSegLib.training.mapped import Cylinder, Part, indexable
from ImplantSegLib.volumes import FieldOfView, Volume, read, write
from ImplantSegLib.volumes.box import Box
from ImplantSegLib.volumes.voxels import how

CUTS = [
    (slice(2, 4),),
    (1, slice(2, 9), slice(3, 5)),
    (slice(None), 6, slice(3, 5)),
    (slice(1, 3), slice(2, 9), 4),
]


@pytest.fixture
def voxels():
    return np.random.default_rng(0).integers(0, 4, (6, 12, 10)).astype(np.uint8)


@pytest.mark.parametrize("name", ["a.seg.nrrd", "a.nii.gz", "slices"])
def test_what_cannot_be_mapped_is_unpacked_once(voxels, tmp_path, name, caplog):
    source = tmp_path / name
    write(Volume(voxels), source)
    caplog.set_level("INFO")
    for _ in range(2):
        found = indexable(read(source), source, tmp_path / "cache", in_memory_bytes=voxels.nbytes - 1)
        assert how(found) == "memory-mapped"
        for where in CUTS:
            np.testing.assert_array_equal(found[where], voxels[where])
    assert [record.getMessage().startswith("unpacking") for record in caplog.records].count(True) == 1
    (file,) = (tmp_path / "cache" / mapped.UNPACKED).iterdir()
    assert file.stat().st_size >= voxels.nbytes
    assert isinstance(indexable(read(source), source, tmp_path, in_memory_bytes=voxels.nbytes), np.ndarray)


def test_a_file_that_has_changed_is_unpacked_again(voxels, tmp_path):
    source = tmp_path / "a.seg.nrrd"
    for value in (1, 2):
        write(Volume(np.full_like(voxels, value)), source)
        os.utime(source, (value, value))
        assert indexable(read(source), source, tmp_path, 0)[0].max() == value


def test_a_large_zarr_is_read_by_chunks(voxels, tmp_path):
    source = tmp_path / "a.ome.zarr"
    write(Volume(voxels), source)
    found = indexable(read(source), source, tmp_path / "cache", in_memory_bytes=0)
    assert how(found) == "chunk by chunk"
    for where in CUTS:
        np.testing.assert_array_equal(found[where], voxels[where])
    assert not (tmp_path / "cache").exists()


def test_chunks_too_large_to_be_read_for_a_patch_are_unpacked(voxels, tmp_path, monkeypatch):
    source = tmp_path / "a.ome.zarr"
    write(Volume(voxels), source)
    monkeypatch.setattr(mapped, "_CHUNK_BYTES", 1000)
    found = indexable(read(source), source, tmp_path / "cache", in_memory_bytes=0)
    assert how(found) == "memory-mapped"
    np.testing.assert_array_equal(found[:], voxels)


def test_a_disk_that_is_too_small_is_explained(voxels, tmp_path, monkeypatch):
    source = tmp_path / "a.seg.nrrd"
    write(Volume(voxels), source)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1000, 990, 10))
    with pytest.raises(InputError, match=r"takes .* in .*unpacked, where .* are free; free some space, or"):
        indexable(read(source), source, tmp_path / "cache", 0)


def test_a_failed_unpacking_leaves_nothing(voxels, tmp_path, monkeypatch):
    source = tmp_path / "a.seg.nrrd"
    write(Volume(voxels), source)
    size = source.stat().st_size
    os.truncate(source, size - 20)
    with pytest.raises(InputError, match="cut off"):
        indexable(read(source), source, tmp_path / "cache", 0)
    assert list((tmp_path / "cache" / mapped.UNPACKED).iterdir()) == []


@pytest.mark.parametrize("where", CUTS)
def test_a_circle_is_computed_where_it_is_cut(where):
    shape = (6, 12, 10)
    fov = FieldOfView((5.5, 4.0, 3.3))
    whole = fov.slab_mask(slice(0, 6), shape)
    assert 0 < whole.mean() < 1
    np.testing.assert_array_equal(Cylinder(shape, *fov.circle)[where], whole[where])


@pytest.mark.parametrize("where", CUTS)
def test_a_part_of_a_mask_is_cut_where_it_lies(where):
    whole = np.random.default_rng(0).integers(0, 2, (9, 20, 15)).astype(np.uint8)
    box = Box((1, 7), (3, 15), (2, 12))
    np.testing.assert_array_equal(Part(whole, box)[where], whole[box.slices][where])


def test_opening_and_cutting_stays_in_the_memory_allowed(tmp_path, monkeypatch):
    shape = (64, 512, 512)
    labels = np.random.default_rng(0).integers(0, 4, shape, np.uint8)
    pair = Pair(str(tmp_path / "image.nrrd"), str(tmp_path / "labels.seg.nrrd"))
    told = {"fov": "circle:255,255,250", "normalised": "0.0,1.0"}  # how the range is found has its own bound and tests
    write(Volume(labels, metadata=told), pair.image, compress=True)
    write(Volume(labels), pair.labels)
    size = labels.nbytes
    del labels
    monkeypatch.setattr("ImplantSegLib.training.checks._SLAB_VOXELS", 2**18)
    monkeypatch.setattr("ImplantSegLib.preprocess.normalise.slab_depth", lambda _: 2)
    monkeypatch.setattr(mapped, "_SLAB_BYTES", 2**20)
    settings = Data(cohort="none", cache=str(tmp_path / "cache"), in_memory_mb=1)
    tracemalloc.start()
    scan = data.open_scan("large", pair, settings)
    known = scan.known
    for axis in range(3):
        image, truth = scan.cut(axis, 30, slice(0, 64), slice(200, 456))
        assert image.shape == truth.shape
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size / 2
    assert [len(indices) for indices in known] == [64, 501, 501]
