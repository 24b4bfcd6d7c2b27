from __future__ import annotations

import logging
from pathlib import Path

import nibabel
import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Volume, read, write

RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def affine(volume: Volume) -> np.ndarray:
    """Affine from (x, y, z) indices to RAS, as nibabel has it."""
    return RAS @ volume.index_to_world[:, [2, 1, 0, 3]]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_nibabel_reads_what_we_write(name: str, mirrored: bool, scan: Volume, tmp_path: Path) -> None:
    columns = np.asarray(scan.direction) * ([1, 1, -1] if mirrored else [1, 1, 1])
    volume = Volume(scan.array, scan.spacing_mm, scan.origin_mm, tuple(tuple(row) for row in columns.tolist()))
    write(volume, tmp_path / name)
    image = nibabel.load(tmp_path / name)
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, scan.array)
    np.testing.assert_allclose(image.get_sform(), affine(volume), rtol=0, atol=1e-5)
    np.testing.assert_allclose(image.get_qform(), image.get_sform(), rtol=0, atol=1e-5)
    np.testing.assert_allclose(image.header.get_zooms()[::-1], volume.spacing_mm, rtol=1e-6)


@pytest.mark.parametrize("form", ["sform", "qform"])
def test_we_read_what_nibabel_writes(form: str, scan: Volume, tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.asarray(scan.array).T, affine(scan))
    image.set_qform(affine(scan), 1 if form == "qform" else 0)
    image.set_sform(affine(scan), 1 if form == "sform" else 0)
    nibabel.save(image, tmp_path / "a.nii.gz")
    volume = read(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(np.asarray(volume.array), scan.array)
    np.testing.assert_allclose(volume.index_to_world, scan.index_to_world, rtol=0, atol=1e-5)


def test_scaled_values_and_micrometres(scan: Volume, tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.asarray(scan.array, np.int16).T, np.diag([3.0, 4.0, 5.0, 1.0]))
    image.header.set_slope_inter(0.5, -3.0)
    image.header.set_xyzt_units("micron")
    nibabel.save(image, tmp_path / "a.nii")
    volume = read(tmp_path / "a.nii")
    np.testing.assert_allclose(volume.array[1:3], nibabel.load(tmp_path / "a.nii").get_fdata().T[1:3])
    np.testing.assert_allclose(volume.spacing_mm, (0.005, 0.004, 0.003))
    assert volume.dtype == np.float32


def test_big_endian(scan: Volume, tmp_path: Path) -> None:
    header = nibabel.Nifti1Header(endianness=">")
    image = nibabel.Nifti1Image(np.asarray(scan.array).astype(">u2").T, np.eye(4), header)
    nibabel.save(image, tmp_path / "a.nii")
    np.testing.assert_array_equal(np.asarray(read(tmp_path / "a.nii").array), scan.array)


def test_reading_and_writing_warn_once(scan: Volume, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        write(scan, tmp_path / "a.nii")
        assert caplog.text.count("7 digits of the geometry") == 1
        read(tmp_path / "a.nii")
        assert caplog.text.count("7 digits of the geometry") == 2


def test_no_voxel_size(scan: Volume, tmp_path: Path) -> None:
    write(scan, tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[76:108] = bytes(32)  # pixdim
    content[252:256] = bytes(4)  # qform_code, sform_code
    (tmp_path / "a.nii").write_bytes(content)
    assert read(tmp_path / "a.nii").metadata["voxel_size_known"] == "no"


def test_files_that_cannot_be_used(scan: Volume, tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti2Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)), tmp_path / "two.nii")
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2, 3), np.uint8), np.eye(4)), tmp_path / "time.nii")
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2), np.complex64), np.eye(4)), tmp_path / "complex.nii")
    write(scan, tmp_path / "short.nii")
    (tmp_path / "short.nii").write_bytes((tmp_path / "short.nii").read_bytes()[:-1])
    reasons = {"two": "is no NIfTI-1", "time": "wanted a 3D volume", "complex": "NIfTI type 32", "short": "cut off"}
    for name, reason in reasons.items():
        with pytest.raises(InputError, match=reason):
            read(tmp_path / f"{name}.nii")


def test_what_nifti_cannot_do(scan: Volume, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="which is not compressed; choose"):
        write(scan, tmp_path / "a.nii", compress=True)
    with pytest.raises(InputError, match="cannot hold float16"):
        write(Volume(np.zeros((2, 2, 2), np.float16)), tmp_path / "a.nii")
    with pytest.raises(InputError, match="of shape"):
        write(Volume(np.zeros((1, 1, 40000), np.uint8)), tmp_path / "a.nii")
