from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 -- the name that its users know

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Volume, read, write

ARRAY = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)


def save(path: Path, fields: str, data: bytes, pairs: str = "") -> Path:
    sizes = "" if "sizes" in fields else "dimension: 3\nsizes: 4 3 2\n"
    kind = "" if "type" in fields else "type: short\nendian: little\n"
    path.write_bytes(f"NRRD0005\n# a comment\n{kind}{sizes}{fields}\n{pairs}\n".encode() + data)
    return path


def test_simpleitk_reads_what_we_write(scan: Volume, tmp_path: Path) -> None:
    for compress in (False, True):
        write(scan, tmp_path / "a.nrrd", compress)
        image = sitk.ReadImage(tmp_path / "a.nrrd")
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), scan.array)
        np.testing.assert_allclose(image.GetSpacing()[::-1], scan.spacing_mm, rtol=1e-14)
        np.testing.assert_allclose(image.GetOrigin(), scan.origin_mm, rtol=1e-15)
        np.testing.assert_allclose(image.GetDirection(), np.ravel(scan.direction), atol=1e-14)
        assert image.GetMetaData("note") == scan.metadata["note"]


@pytest.mark.parametrize("compress", [False, True])
def test_we_read_what_simpleitk_writes(compress: bool, scan: Volume, tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(np.asarray(scan.array))
    image.SetSpacing(scan.spacing_mm[::-1])
    image.SetOrigin(scan.origin_mm)
    image.SetDirection(np.ravel(scan.direction))
    image.SetMetaData("fov", "circle:1,2,3")
    sitk.WriteImage(image, tmp_path / "a.nrrd", compress)
    volume = read(tmp_path / "a.nrrd")
    np.testing.assert_array_equal(np.asarray(volume.array), scan.array)
    np.testing.assert_allclose(volume.index_to_world, scan.index_to_world, rtol=0, atol=1e-12)
    assert volume.metadata["fov"] == "circle:1,2,3"


def test_raw_is_memory_mapped_and_gzip_unpacked_once(scan: Volume, tmp_path: Path) -> None:
    write(scan, tmp_path / "raw.nrrd")
    write(scan, tmp_path / "packed.nrrd", compress=True)
    assert read(tmp_path / "raw.nrrd").array.how == "memory-mapped"
    packed = read(tmp_path / "packed.nrrd").array
    assert "temporary" in packed.how
    np.testing.assert_array_equal(packed[3:], scan.array[3:])
    (tmp_path / "packed.nrrd").unlink()
    np.testing.assert_array_equal(packed[0], scan.array[0])  # not unpacked again


@pytest.mark.parametrize("compress", [False, True])
def test_a_volume_travels_to_another_process(compress: bool, scan: Volume, tmp_path: Path) -> None:
    write(scan, tmp_path / "a.nrrd", compress)
    volume = read(tmp_path / "a.nrrd")
    np.testing.assert_array_equal(volume.array[1], scan.array[1])
    again = pickle.loads(pickle.dumps(volume))
    np.testing.assert_array_equal(again.array[1], scan.array[1])


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (1, 1, 1)),
        ("LPS", (1, 1, 1)),
        ("right-anterior-superior", (-1, -1, 1)),
        ("left-anterior-superior", (1, -1, 1)),
    ],
)
def test_every_named_space_becomes_lps(space: str, signs: tuple[int, int, int], tmp_path: Path) -> None:
    fields = f"encoding: raw\nspace: {space}\nspace directions: (0.5,0,0) (0,0,0.25) (0,2,0)\nspace origin: (1,2,3)"
    volume = read(save(tmp_path / "a.nrrd", fields, ARRAY.tobytes()))
    assert volume.spacing_mm == (2.0, 0.25, 0.5)
    first = volume.index_to_world @ (0, 0, 0, 1)
    along_x = volume.index_to_world @ (0, 0, 1, 1) - first
    along_z = volume.index_to_world @ (1, 0, 0, 1) - first
    np.testing.assert_allclose(first[:3], np.multiply(signs, (1, 2, 3)))
    np.testing.assert_allclose(along_x[:3], np.multiply(signs, (0.5, 0, 0)))
    np.testing.assert_allclose(along_z[:3], np.multiply(signs, (0, 2, 0)))


@pytest.mark.parametrize(
    ("fields", "spacing_mm"),
    [
        ("encoding: raw\nspacings: 0.5 1 2", (2.0, 1.0, 0.5)),
        ('encoding: raw\nspacings: 5 10 20\nunits: "um" "µm" "microns"', (0.02, 0.01, 0.005)),
        (
            'encoding: raw\nspace dimension: 3\nspace directions: (5,0,0) (0,5,0) (0,0,5)\nspace units: "um" "um" "um"',
            (0.005, 0.005, 0.005),
        ),
    ],
)
def test_units_and_plain_spacings(fields: str, spacing_mm: tuple[float, ...], tmp_path: Path) -> None:
    volume = read(save(tmp_path / "a.nrrd", fields, ARRAY.tobytes()))
    np.testing.assert_allclose(volume.spacing_mm, spacing_mm)
    assert volume.metadata == {"voxel_size_known": "yes"}


def test_big_endian(tmp_path: Path) -> None:
    fields = "type: short\nendian: big\nencoding: raw\nspacings: 1 1 1"
    volume = read(save(tmp_path / "a.nrrd", fields, ARRAY.astype(">i2").tobytes()))
    np.testing.assert_array_equal(np.asarray(volume.array), ARRAY)
    assert volume.array[:].dtype.isnative


def test_an_axis_of_one_channel_is_left_out(tmp_path: Path) -> None:
    fields = (
        "dimension: 4\nsizes: 1 4 3 2\nkinds: vector domain domain domain\nencoding: raw\n"
        "space: left-posterior-superior\nspace directions: none (3,0,0) (0,2,0) (0,0,1)"
    )
    volume = read(save(tmp_path / "a.nrrd", fields, ARRAY.tobytes()))
    assert volume.spacing_mm == (1.0, 2.0, 3.0)
    np.testing.assert_array_equal(np.asarray(volume.array), ARRAY)


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_a_detached_header(encoding: str, tmp_path: Path) -> None:
    nrrd.write(str(tmp_path / "a.nhdr"), ARRAY, {"encoding": encoding, "spacings": [1, 2, 3]}, index_order="C")
    volume = read(tmp_path / "a.nhdr")
    np.testing.assert_array_equal(np.asarray(volume.array), ARRAY)
    next(path for path in tmp_path.iterdir() if path.suffix != ".nhdr").unlink()
    with pytest.raises(InputError, match="which is not there; put both files in one folder"):
        read(tmp_path / "a.nhdr")


def test_bytes_and_lines_to_skip(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(b"one line\nxyz" + ARRAY.tobytes())
    for skip in ("line skip: 1\nbyte skip: 3", "byte skip: -1"):
        fields = f"encoding: raw\nspacings: 1 1 1\ndata file: a.raw\n{skip}"
        volume = read(save(tmp_path / "a.nhdr", fields, b""))
        np.testing.assert_array_equal(np.asarray(volume.array), ARRAY)


def test_a_key_that_looks_like_a_field(tmp_path: Path) -> None:
    pairs = "dc:title:=a: b := c\ncontent:=mine\n"
    volume = read(save(tmp_path / "a.nrrd", "encoding: raw\nspacings: 1 1 1\ncontent: x:=y", ARRAY.tobytes(), pairs))
    assert volume.metadata == {"dc:title": "a: b := c", "content": "mine", "voxel_size_known": "yes"}


def test_truncated_raw(scan: Volume, tmp_path: Path) -> None:
    write(scan, tmp_path / "a.nrrd")
    (tmp_path / "a.nrrd").write_bytes((tmp_path / "a.nrrd").read_bytes()[:-7])
    with pytest.raises(InputError, match=r"a\.nrrd is cut off: got 413 bytes of voxels, wanted 420; copy"):
        read(tmp_path / "a.nrrd")


def test_truncated_or_damaged_gzip(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 2**16, (8, 64, 64)).astype(np.uint16)
    write(Volume(noise), tmp_path / "a.nrrd", compress=True)
    whole = (tmp_path / "a.nrrd").read_bytes()
    (tmp_path / "a.nrrd").write_bytes(whole[: len(whole) // 2])
    volume = read(tmp_path / "a.nrrd")
    with pytest.raises(InputError, match="is cut off: got"):
        volume.array[0:1]
    (tmp_path / "a.nrrd").write_bytes(whole[:3000] + bytes(200) + whole[3200:])
    with pytest.raises(InputError, match="cut off|damaged"):
        read(tmp_path / "a.nrrd").array[0:1]


def test_gzip_of_several_members(tmp_path: Path) -> None:
    data = gzip.compress(ARRAY[:1].tobytes()) + gzip.compress(ARRAY[1:].tobytes())
    volume = read(save(tmp_path / "a.nrrd", "encoding: gzip\nspacings: 1 1 1", data))
    np.testing.assert_array_equal(np.asarray(volume.array), ARRAY)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ("encoding: bzip2", "has the encoding 'bzip2', wanted raw or gzip"),
        ("type: block\nencoding: raw", "has voxels of type 'block', wanted int8"),
        ("dimension: 4\nsizes: 2 4 3 1\nencoding: raw", None),
        ("dimension: 4\nsizes: 2 4 3 2\nencoding: raw", "has 4 dimensions of sizes 2 × 4 × 3 × 2, wanted a 3D"),
        ("dimension: 2\nsizes: 4 3\nencoding: raw", "has 2 dimensions"),
        ("dimension: 3\nsizes: 4 x 2\nencoding: raw", "header of .* cannot be read"),
        ("spacings: 1 1 1", "has no field 'encoding'"),
        ("encoding: raw\nspacings: 1 0 1", "wanted steps above 0"),
        ('encoding: raw\nspacings: 1 1 1\nunits: "mm" "mm" "parsec"', "has the unit 'parsec'"),
        ("encoding: raw\ndata file: LIST", "keeps its voxels in many files"),
    ],
)
def test_headers_that_cannot_be_used(fields: str, reason: str | None, tmp_path: Path) -> None:
    path = save(tmp_path / "a.nrrd", fields, bytes(200))
    if reason is None:
        assert read(path).shape == (3, 4, 2)
        return
    with pytest.raises(InputError, match=reason):
        read(path)


def test_what_nrrd_cannot_hold(scan: Volume, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot hold voxels of type float16"):
        write(Volume(np.zeros((2, 2, 2), np.float16)), tmp_path / "a.nrrd")
    with pytest.raises(InputError, match="metadata key 'a:=b' cannot stand"):
        write(scan.like(scan.array, **{"a:=b": "c"}), tmp_path / "a.nrrd")
    assert list(tmp_path.iterdir()) == []


def test_a_colour_image_of_three_dimensions_is_refused(tmp_path: Path) -> None:
    colour = sitk.GetImageFromArray(np.zeros((4, 5, 3), np.uint8), isVector=True)
    sitk.WriteImage(colour, tmp_path / "colour.nrrd")
    with pytest.raises(InputError, match="axis of 3 values of kind 'vector', wanted one grey value per voxel"):
        read(tmp_path / "colour.nrrd")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "scan.nrrd").write_bytes(b"")
    with pytest.raises(InputError, match=r"scan.nrrd is empty"):
        read(tmp_path / "scan.nrrd")
