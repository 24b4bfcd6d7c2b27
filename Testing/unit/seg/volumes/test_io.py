from __future__ import annotations

import errno
import logging
from pathlib import Path

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Volume, create, read, write

NAMES = ("a.nrrd", "a.seg.nrrd", "a.mha", "a.mhd", "a.tif", "slices", "a.nii", "a.nii.gz", "a.ome.zarr")


def test_given_spacing_wins(scan: Volume, tmp_path: Path) -> None:
    write(scan, tmp_path / "a.nrrd")
    again = read(tmp_path / "a.nrrd", spacing_um=(1.5, 2.0, 2.5))
    assert again.spacing_mm == (0.0015, 0.002, 0.0025)
    assert again.metadata["voxel_size_known"] == "yes"


def test_a_missing_voxel_size_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.nrrd").write_bytes(
        b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n\n" + bytes(8)
    )
    with caplog.at_level(logging.WARNING):
        volume = read(tmp_path / "a.nrrd")
    assert volume.spacing_mm == (1.0, 1.0, 1.0)
    assert volume.metadata["voxel_size_known"] == "no"
    assert "--spacing-um" in caplog.text
    write(volume, tmp_path / "b.tif")
    assert read(tmp_path / "b.tif").metadata["voxel_size_known"] == "no"
    assert read(tmp_path / "b.tif", (1, 1, 1)).metadata["voxel_size_known"] == "yes"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_of_a_volume_that_was_not_finished(name: str, labels: Volume, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got 2 slices, wanted 5"), create(tmp_path / name, labels, "uint8") as put:
        put(labels.array[:2])
    with pytest.raises(KeyboardInterrupt), create(tmp_path / name, labels, "uint8") as put:
        put(labels.array[:2])
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_failed_write_leaves_the_old_file(name: str, labels: Volume, tmp_path: Path) -> None:
    write(labels, tmp_path / name)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(KeyboardInterrupt), create(tmp_path / name, labels, "uint8") as put:
        put(labels.array[:2] * 0)
        raise KeyboardInterrupt
    assert sorted(tmp_path.rglob("*")) == before
    np.testing.assert_array_equal(np.asarray(read(tmp_path / name).array), labels.array)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(name: str, number: int, labels: Volume, tmp_path: Path) -> None:
    wanted = pytest.raises(InputError, match="disk is full|permission is denied")
    with wanted, create(tmp_path / name, labels, "uint8") as put:
        put(labels.array[:2])
        raise OSError(number, "as the system says it")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_while_writing(labels: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ImplantSegLib.volumes.streams._write", full)
    with pytest.raises(InputError, match=r"cannot write .*a\.nrrd: the disk is full; free some space"):
        write(labels, tmp_path / "a.nrrd")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_written_over_itself(name: str, labels: Volume, tmp_path: Path) -> None:
    write(labels, tmp_path / name)
    write(read(tmp_path / name), tmp_path / name)
    np.testing.assert_array_equal(np.asarray(read(tmp_path / name).array), labels.array)


@pytest.mark.parametrize("name", ["things", "things.ome.zarr"])
def test_a_folder_with_other_things_is_not_replaced(name: str, labels: Volume, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.odt").write_text("years of work")
    with pytest.raises(InputError, match="would be lost"):
        write(labels, tmp_path / name)
    assert (tmp_path / name / "thesis.odt").read_text() == "years of work"


def test_another_shape_type_and_metadata(scan: Volume, tmp_path: Path) -> None:
    with create(tmp_path / "a.nrrd", scan, bool, shape=(2, 3, 4), metadata={"only": "this"}) as put:
        put(np.ones((2, 3, 4), bool))
    mask = read(tmp_path / "a.nrrd")
    assert (mask.shape, mask.dtype) == ((2, 3, 4), np.uint8)
    assert mask.metadata == {"only": "this", "voxel_size_known": "yes"}
    assert b"encoding: gzip" in (tmp_path / "a.nrrd").read_bytes()


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (np.zeros((1, 6, 8), np.uint8), "got block"),
        (np.zeros((6, 6, 7), np.uint8), "slices up to 6"),
        (np.zeros((1, 6, 7), np.int64), "convert it first"),
        (np.zeros((1, 6, 7), np.float32), "convert it first"),
    ],
)
def test_blocks_that_do_not_fit(block: np.ndarray, reason: str, labels: Volume, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=reason), create(tmp_path / "a.nrrd", labels, "uint8") as put:
        put(block)


def test_metadata_of_the_callers_are_kept_apart(scan: Volume, tmp_path: Path) -> None:
    metadata = {"a": "1"}
    with create(tmp_path / "a.nrrd", scan, scan.dtype, metadata=metadata) as put:
        metadata["a"] = "2"
        put(scan.array)
    assert read(tmp_path / "a.nrrd").metadata["a"] == "1"
