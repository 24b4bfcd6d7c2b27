from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import tifffile

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Volume, create, read, write

ARRAY = np.arange(7 * 8 * 5, dtype=np.uint16).reshape(7, 8, 5)


def test_imagej_reads_what_we_write(scan: Volume, tmp_path: Path) -> None:
    for name, compress in (("raw.tif", None), ("packed.tif", True)):
        write(scan, tmp_path / name, compress)
        with tifffile.TiffFile(tmp_path / name) as tif:
            assert tif.is_imagej
            assert tif.imagej_metadata["unit"] == "um"
            assert tif.imagej_metadata["spacing"] == pytest.approx(2.76)
            dots, units = tif.pages[0].tags["XResolution"].value
            assert units / dots == pytest.approx(3.0)
            np.testing.assert_array_equal(tif.asarray(), scan.array)
    assert read(tmp_path / "raw.tif").array.how == "memory-mapped"
    assert read(tmp_path / "packed.tif").array.how == "page by page"


def test_a_folder_holds_slices_and_a_side_car(scan: Volume, tmp_path: Path) -> None:
    write(scan, tmp_path / "slices")
    names = sorted(path.name for path in (tmp_path / "slices").iterdir())
    assert names == [*(f"slice_{z:04}.tif" for z in range(5)), "volume.json"]
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "slices" / "slice_0003.tif"), scan.array[3])
    side_car = json.loads((tmp_path / "slices" / "volume.json").read_text())
    assert tuple(side_car["spacing_mm"]) == scan.spacing_mm
    (tmp_path / "slices" / "volume.json").unlink()  # the slices themselves know their size too
    assert read(tmp_path / "slices").spacing_mm == scan.spacing_mm


def test_bigtiff_where_the_voxels_need_it(scan: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ImplantSegLib.volumes.tiff._BIG", 100)
    write(scan, tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert tif.is_bigtiff
    again = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(np.asarray(again.array), scan.array)
    np.testing.assert_allclose(again.index_to_world, scan.index_to_world, rtol=0, atol=1e-12)


def test_voxel_size_of_imagej(tmp_path: Path) -> None:
    for unit, micrometres in (("um", 1), ("micron", 1), ("\\u00B5m", 1), ("mm", 1000), ("nm", 0.001)):
        tifffile.imwrite(
            tmp_path / "a.tif",
            ARRAY,
            imagej=True,
            resolution=(1 / 2.0, 1 / 4.0),
            metadata={"spacing": 3.0, "unit": unit},
        )
        volume = read(tmp_path / "a.tif")
        np.testing.assert_allclose(volume.spacing_mm, np.array([3.0, 4.0, 2.0]) * micrometres / 1000)
        np.testing.assert_array_equal(np.asarray(volume.array), ARRAY)


def test_voxel_size_of_ome(tmp_path: Path) -> None:
    metadata = {"axes": "ZYX", "PhysicalSizeX": 2.0, "PhysicalSizeY": 4.0, "PhysicalSizeZ": 3.0}
    tifffile.imwrite(tmp_path / "a.ome.tif", ARRAY, ome=True, metadata=metadata)
    np.testing.assert_allclose(read(tmp_path / "a.ome.tif").spacing_mm, (0.003, 0.004, 0.002))


@pytest.mark.parametrize(
    ("dots", "unit", "spacing_mm"),
    [
        (10000 / 2.5, "CENTIMETER", 0.0025),
        (25400 / 19.5, "INCH", 0.0195),
        (72, "INCH", None),
        (28.346, "CENTIMETER", None),
        (300, "INCH", None),
        (5, "NONE", None),
    ],
)
def test_resolution_tags_are_believed_unless_they_are_for_print(
    dots: float, unit: str, spacing_mm: float | None, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", ARRAY, resolution=(dots, dots), resolutionunit=unit)
    volume = read(tmp_path / "a.tif")
    assert volume.metadata["voxel_size_known"] == ("yes" if spacing_mm else "no")
    np.testing.assert_allclose(volume.spacing_mm, spacing_mm or 1.0, rtol=1e-6)


def test_slices_are_sorted_by_number_and_read_lazily(tmp_path: Path) -> None:
    for number in range(12):
        tifffile.imwrite(tmp_path / f"rec_{number}.tiff", np.full((3, 4), number, np.float32))
    (tmp_path / "log.txt").write_text("what the beamline wrote")
    (tmp_path / "._rec_1.tiff").write_bytes(b"what a Mac wrote")
    volume = read(tmp_path)
    assert volume.shape == (12, 3, 4)
    assert volume.array.how == "slice by slice"
    assert volume.array[:, 0, 0].tolist() == list(range(12))
    (tmp_path / "rec_5.tiff").unlink()
    np.testing.assert_array_equal(volume.array[9:11, 1, 1], [9, 10])


def test_one_2d_file_and_a_folder_of_one_file(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", ARRAY[0])
    assert read(tmp_path / "a.tif").shape == read(tmp_path).shape == (1, 8, 5)
    tifffile.imwrite(tmp_path / "a.tif", ARRAY)
    assert read(tmp_path).shape == (7, 8, 5)


@pytest.mark.parametrize("shape", [(1, 4, 5), (3, 1, 5), (3, 4, 1), (1, 1, 1)])
@pytest.mark.parametrize("name", ["a.tif", "slices"])
@pytest.mark.parametrize("compress", [None, True])
def test_axes_of_one_voxel(shape: tuple[int, ...], name: str, compress: bool | None, tmp_path: Path) -> None:
    array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    write(Volume(array), tmp_path / name, compress)
    np.testing.assert_array_equal(np.asarray(read(tmp_path / name).array), array)


def test_big_endian_and_tiles(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "big.tif", ARRAY, byteorder=">")
    tifffile.imwrite(tmp_path / "tiles.tif", np.tile(ARRAY, (1, 4, 8)), tile=(16, 16), compression="zlib")
    np.testing.assert_array_equal(np.asarray(read(tmp_path / "big.tif").array), ARRAY)
    np.testing.assert_array_equal(np.asarray(read(tmp_path / "tiles.tif").array), np.tile(ARRAY, (1, 4, 8)))
    assert read(tmp_path / "big.tif").array[:].dtype.isnative


def test_one_slice_of_another_size_or_type_is_named(tmp_path: Path) -> None:
    for number in range(4):
        tifffile.imwrite(tmp_path / f"s{number}.tif", ARRAY[0])
    tifffile.imwrite(tmp_path / "s2.tif", ARRAY[0, :3])
    with pytest.raises(InputError, match=r"s2\.tif has 3 × 5 pixels of uint16, wanted 8 × 5 .* as in s0\.tif"):
        read(tmp_path)
    tifffile.imwrite(tmp_path / "s2.tif", ARRAY[0].astype(np.uint8))
    with pytest.raises(InputError, match=r"s2\.tif has 8 × 5 pixels of uint8"):
        read(tmp_path)
    tifffile.imwrite(tmp_path / "s2.tif", ARRAY)
    with pytest.raises(InputError, match=r"s2\.tif has 7 slices, wanted one in each file"):
        read(tmp_path)


def test_colour_time_and_previews_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "colour.tif", np.zeros((4, 5, 3), np.uint8), photometric="rgb")
    tifffile.imwrite(tmp_path / "time.tif", np.zeros((2, 7, 1, 8, 5, 1), np.uint8), imagej=True)
    with tifffile.TiffWriter(tmp_path / "preview.tif") as tif:
        tif.write(ARRAY[0])
        tif.write(ARRAY[0, :2, :2])
    reasons = {"colour": "colour image of 3 channels", "time": "has axes TZYX", "preview": "pages of several sizes"}
    for name, reason in reasons.items():
        with pytest.raises(InputError, match=reason):
            read(tmp_path / f"{name}.tif")


def test_a_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds nothing, wanted TIFF slices"):
        read(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"holds \.png, wanted TIFF slices"):
        read(tmp_path)


def test_truncated_files(scan: Volume, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (6, 40, 40)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "pages.tif", noise, compression="zlib")
    tifffile.imwrite(tmp_path / "plain.tif", noise)
    write(Volume(noise), tmp_path / "ours.tif")
    write(Volume(noise), tmp_path / "ours-packed.tif", True)
    for path in tmp_path.iterdir():
        whole = path.read_bytes()
        for share in (0.02, 0.3, 0.6, 0.9):
            path.write_bytes(whole[: int(len(whole) * share)])
            with caplog.at_level(logging.ERROR), pytest.raises(InputError, match="cut off|cannot be read"):
                np.asarray(read(path).array)
    assert caplog.text == ""  # one sentence, and not tifffile's log too


def test_a_truncated_slice_is_named(tmp_path: Path) -> None:
    for number in range(3):
        tifffile.imwrite(tmp_path / f"s{number}.tif", np.zeros((40, 40), np.uint8))
    whole = (tmp_path / "s1.tif").read_bytes()
    (tmp_path / "s1.tif").write_bytes(whole[:-20])
    with pytest.raises(InputError, match=r"s1\.tif is cut off: got"):
        read(tmp_path)


def test_a_broken_side_car(scan: Volume, tmp_path: Path) -> None:
    write(scan, tmp_path / "slices")
    (tmp_path / "slices" / "volume.json").write_text('{"spacing_mm": 3}')
    with pytest.raises(InputError, match="side-car of .* cannot be read"):
        read(tmp_path / "slices")


def test_a_rare_compression_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile.imwrite(tmp_path / "a.tif", ARRAY, compression="zlib")

    def lacking(*_: object, **__: object) -> None:
        raise KeyError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    volume = read(tmp_path / "a.tif")
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lacking)
    with pytest.raises(InputError, match="LZW.* pip install imagecodecs"):
        volume.array[0:1]


def test_slices_are_written_as_they_come(scan: Volume, tmp_path: Path) -> None:
    with create(tmp_path / "slices", scan, scan.dtype) as put:
        put(scan.array[:2])
        (partial,) = tmp_path.iterdir()
        assert len(list(partial.glob("*.tif"))) == 2
        put(scan.array[2:])
    assert len(list((tmp_path / "slices").glob("*.tif"))) == 5


def test_a_text_that_names_more_slices_than_there_are_does_no_harm(tmp_path: Path) -> None:
    for number in range(3):  # slices of an ImageJ stack, saved one by one with the text of the stack
        tifffile.imwrite(
            tmp_path / f"s{number}.tif", ARRAY[number], description="ImageJ=1.53q\nimages=200\n", metadata=None
        )
    np.testing.assert_array_equal(np.asarray(read(tmp_path).array), ARRAY[:3])
    np.testing.assert_array_equal(np.asarray(read(tmp_path / "s1.tif").array), ARRAY[1:2])


def test_imagej_stacks_of_one_page(tmp_path: Path) -> None:
    """ImageJ writes stacks of more than 4 GB so: the other slices follow without a page of their own."""
    tifffile.imwrite(tmp_path / "a.tif", ARRAY, imagej=True, truncate=True)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert len(tif.pages) == 1
    volume = read(tmp_path / "a.tif")
    assert volume.array.how == "memory-mapped"
    np.testing.assert_array_equal(np.asarray(volume.array), ARRAY)
