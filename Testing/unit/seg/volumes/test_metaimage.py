from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 -- the name that its users know

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Volume, read, write

HEADER = "ObjectType = Image\nNDims = 3\nDimSize = 4 3 2\n"
ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def save(path: Path, fields: str, data: bytes = ARRAY.tobytes()) -> Path:
    path.write_bytes(f"{HEADER}{fields}ElementDataFile = LOCAL\n".encode() + data)
    return path


@pytest.mark.parametrize("name", ["a.mha", "a.mhd"])
@pytest.mark.parametrize("compress", [False, True])
def test_simpleitk_reads_what_we_write_and_back(name: str, compress: bool, scan: Volume, tmp_path: Path) -> None:
    write(scan, tmp_path / name, compress)
    image = sitk.ReadImage(tmp_path / name)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), scan.array)
    np.testing.assert_allclose(image.GetSpacing()[::-1], scan.spacing_mm, rtol=1e-15)
    np.testing.assert_allclose(image.GetOrigin(), scan.origin_mm, rtol=1e-15)
    np.testing.assert_allclose(image.GetDirection(), np.ravel(scan.direction), atol=1e-15)
    assert image.GetMetaData("fov") == scan.metadata["fov"]
    sitk.WriteImage(image, tmp_path / f"again-{name}", compress)
    volume = read(tmp_path / f"again-{name}")
    np.testing.assert_array_equal(np.asarray(volume.array), scan.array)
    np.testing.assert_allclose(volume.index_to_world, scan.index_to_world, rtol=0, atol=1e-12)


def test_metadata_with_names_of_the_format_itself(scan: Volume, tmp_path: Path) -> None:
    metadata = {"Name": "x", "DimSize": "1 1 1", "a = b": " %41 \t", "": "empty", "voxel_size_known": "yes"}
    write(Volume(scan.array, metadata=metadata), tmp_path / "a.mha")
    again = read(tmp_path / "a.mha")
    assert again.metadata == metadata
    assert again.shape == scan.shape


def test_big_endian_older_names_and_a_header_to_skip(tmp_path: Path) -> None:
    data = ARRAY.astype(">i2").tobytes()
    fields = "ElementType = MET_SHORT\nElementByteOrderMSB = True\nElementSize = 1 2 3\nPosition = 1 2 3\n"
    volume = read(save(tmp_path / "a.mha", fields + "HeaderSize = -1\n", b"what a scanner writes" + data))
    np.testing.assert_array_equal(np.asarray(volume.array), ARRAY)
    assert volume.spacing_mm == (3.0, 2.0, 1.0)
    assert volume.origin_mm == (1.0, 2.0, 3.0)


def test_no_voxel_size(tmp_path: Path) -> None:
    assert read(save(tmp_path / "a.mha", "ElementType = MET_UCHAR\n")).metadata == {"voxel_size_known": "no"}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ("ElementType = MET_UCHAR\nElementNumberOfChannels = 3\n", "and 3 channels, wanted a 3D volume of one"),
        ("ElementType = MET_OTHER\n", "has voxels of type MET_OTHER, wanted MET_CHAR"),
        ("ElementType = MET_USHORT\n", "cut off: got 24 bytes of voxels, wanted 48"),
        ("ElementType = MET_UCHAR\nElementSpacing = 1 a 1\n", "header of .* cannot be read"),
        ("", "header of .* cannot be read: KeyError"),
    ],
)
def test_headers_that_cannot_be_used(fields: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason):
        read(save(tmp_path / "a.mha", fields))


def test_the_second_file_is_missing(scan: Volume, tmp_path: Path) -> None:
    write(scan, tmp_path / "a.mhd")
    (tmp_path / "a.raw").unlink()
    with pytest.raises(InputError, match=r"keeps its voxels in a\.raw, which is not there"):
        read(tmp_path / "a.mhd")


def test_a_header_without_end(tmp_path: Path) -> None:
    (tmp_path / "a.mha").write_text(HEADER)
    with pytest.raises(InputError, match="has no field 'ElementDataFile'"):
        read(tmp_path / "a.mha")
