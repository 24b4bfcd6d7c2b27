"""Scans that nobody on this project made, with the figures published for them."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.morphology import ball, closing

from ImplantSegLib import cli
from ImplantSegLib.preprocess.binning import binned
from ImplantSegLib.preprocess.quality import quality_by_labels
from ImplantSegLib.volumes import read


@pytest.fixture(scope="module")
def bone(real_data):
    """Human trabecular bone, 200 TIFF slices of 200 × 200 (gianthk/ciclope, MIT)."""
    return read(real_data / "lhdl_trabecular" / "slices", (19.5, 19.5, 19.5))


def half(array):
    return ndimage.zoom(ndimage.gaussian_filter(array.astype(float), 1), 0.5, order=2)


def ciclope_threshold(array):
    """Bone as the notebook of the data's authors finds it, and Otsu's threshold on the way there."""
    smooth = half(array)
    parts, _ = ndimage.label(closing(smooth > 63, ball(3)))
    return parts == np.bincount(parts.ravel())[1:].argmax() + 1, threshold_otsu(smooth)


def test_bone_volume_fraction_is_the_published_one(bone):
    mask, otsu = ciclope_threshold(bone.array[:])
    assert otsu == pytest.approx(80.7247, abs=1e-4)
    assert 100 * mask.mean() == pytest.approx(24.71, abs=0.01)


def test_bone_goes_through_preprocess_and_quality(bone, real_data, tmp_path: Path):
    out = tmp_path / "bone.nrrd"
    arguments = [str(real_data / "lhdl_trabecular" / "slices"), str(out), "--spacing-um", "19.5", "--denoise", "nlm"]
    assert cli.main(["preprocess", *arguments, "--bin", "2", "--progress", "none"]) == 0
    result = read(out)
    assert result.shape == (100, 100, 100)
    assert result.spacing_mm == pytest.approx((0.039, 0.039, 0.039), rel=1e-12)
    # the published bone serves as labels, away from its borders: denoising must gain contrast there ...
    mask, _ = ciclope_threshold(bone.array[:])
    labels = result.like(np.where(mask, 3, 0).astype(np.uint8))
    noisy, clean = (quality_by_labels(scan, labels, erode_voxels=1) for scan in (binned(bone, 2), result))
    contrasts = [quality.cnr()["background/bone"]["over_background"] for quality in (noisy, clean)]
    assert contrasts[1] > 1.5 * contrasts[0] > 15
    # ... and must not move the border: the same raw threshold finds as much bone
    low, high = map(float, result.metadata["normalised"].split(","))
    closed = closing(result.array[:] * (high - low) + low > 63, ball(3))
    assert 100 * closed.mean() == pytest.approx(24.71, abs=1.5)


def test_synchrotron_slice_goes_through_preprocess(real_data, tmp_path: Path):
    scan = real_data / "goat_mandible_implant" / "implant.tiff"
    out = tmp_path / "implant.nrrd"
    assert (
        cli.main(["preprocess", str(scan), str(out), "--spacing-um", "5", "--denoise", "nlm", "--progress", "none"])
        == 0
    )
    result = read(out)
    assert result.shape == (1, 512, 512)
    assert result.metadata["fov"].startswith("circle:")
    # the published threshold between bone and metal keeps them apart after denoising and scaling too
    low, high = map(float, result.metadata["normalised"].split(","))
    raw = ndimage.median_filter(read(scan).array[0], 11)
    assert ((raw > 140) == (result.array[0] * (high - low) + low > 140)).mean() > 0.97
