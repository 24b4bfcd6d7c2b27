from __future__ import annotations

from pathlib import Path

import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Volume, formats, read, write


@pytest.mark.parametrize("name", formats.FORMATS)
def test_every_format_reads_and_writes(name: str) -> None:
    module = formats.module(name)
    assert callable(module.read)
    assert callable(module.writer)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.seg.nrrd", "seg.nrrd"),
        ("A.NRRD", "nrrd"),
        ("a.b.tif", "tiff"),
        ("folder", "tiff"),
        ("a.nii.gz", "nifti"),
        ("a.ome.zarr", "zarr"),
    ],
)
def test_a_suffix_chooses_the_format(path: str, name: str) -> None:
    assert formats.of_output(Path(path)) == name


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.nrrd does not exist; check the path"):
        read(tmp_path / "no.nrrd")


def test_an_unknown_suffix_tells_the_known_ones(labels: Volume, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    with pytest.raises(InputError, match=r"got photo\.png, wanted a volume: \.seg\.nrrd, .*\.tif"):
        read(tmp_path / "photo.png")
    with pytest.raises(InputError, match=r"got a\.jpg"):
        write(labels, tmp_path / "a.jpg")


def test_a_wrong_suffix_tells_what_the_content_is(labels: Volume, tmp_path: Path) -> None:
    write(labels, tmp_path / "a.tif")
    (tmp_path / "a.tif").rename(tmp_path / "a.nrrd")
    with pytest.raises(InputError, match=r"rename it to \.tif: its content looks like TIFF"):
        read(tmp_path / "a.nrrd")
    (tmp_path / "b.mha").write_bytes(b"")
    with pytest.raises(InputError, match=r"b\.mha is empty"):
        read(tmp_path / "b.mha")
