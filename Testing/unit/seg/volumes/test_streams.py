from __future__ import annotations

import errno
import gc
import gzip
import tempfile
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Volume, create, read
from ImplantSegLib.volumes.streams import DeflatedVoxels, inflate

ARRAY = np.random.default_rng(0).integers(0, 3, (6, 50, 60)).astype(np.uint8)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_gzip_and_zlib_behind_a_header(pack, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"header" + pack(b"skipped" + ARRAY.tobytes() + b"trailing"))
    voxels = DeflatedVoxels(tmp_path / "a", ARRAY.dtype, ARRAY.shape, offset=6, skip=7)
    np.testing.assert_array_equal(voxels[:], ARRAY)


def test_zeros_are_holes_but_still_there(tmp_path: Path) -> None:
    array = np.zeros((4, 1000, 1000), np.uint8)
    array[1, 5] = 7
    (tmp_path / "a").write_bytes(gzip.compress(array.tobytes()))
    voxels = DeflatedVoxels(tmp_path / "a", array.dtype, array.shape)
    np.testing.assert_array_equal(voxels[:], array)


def test_the_temporary_file_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "a").write_bytes(gzip.compress(ARRAY.tobytes()))
    voxels = DeflatedVoxels(tmp_path / "a", ARRAY.dtype, ARRAY.shape)
    np.testing.assert_array_equal(voxels[2:4], ARRAY[2:4])
    del voxels
    gc.collect()
    assert list((tmp_path / "temporary").iterdir()) == []


def test_no_room_to_unpack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(gzip.compress(ARRAY.tobytes()))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ImplantSegLib.volumes.streams._copy", full)
    with pytest.raises(InputError, match="TMPDIR names the folder.*: the disk is full"):
        DeflatedVoxels(tmp_path / "a", ARRAY.dtype, ARRAY.shape)[0]


def test_damaged_bytes(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(ARRAY.tobytes()))
    packed[len(packed) // 2] ^= 255
    (tmp_path / "a").write_bytes(packed)
    with pytest.raises(InputError, match="is damaged: its compressed voxels cannot be unpacked"):
        list(inflate(tmp_path / "a"))


@pytest.mark.parametrize("name", ["a.nrrd", "a.seg.nrrd", "a.mha", "a.tif", "slices", "a.ome.zarr"])
def test_memory_does_not_grow_with_the_volume(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """16 MiB pass through; a slab has 256 KiB, and a layer of zarr chunks 1 MiB."""
    monkeypatch.setattr("ImplantSegLib.volumes.zarr.CHUNK", (4, 512, 512))
    shape = (64, 512, 512)
    slab = np.zeros((1, 512, 512), np.uint8)
    with create(tmp_path / name, Volume(np.broadcast_to(slab, shape)), np.uint8) as put:  # imports happen here
        for _ in range(shape[0]):
            put(slab)
    volume = read(tmp_path / name)
    np.asarray(volume.array[0:1])
    tracemalloc.start()
    with create(tmp_path / f"again-{name}", volume, np.uint8) as put:
        for _, block in volume.slabs(1):
            put(block)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 2**20
