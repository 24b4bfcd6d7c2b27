"""Measures of a scan whose noise and grey values are known."""

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.preprocess import fingerprint as module
from ImplantSegLib.preprocess.fingerprint import as_seen, fingerprint
from ImplantSegLib.preprocess.normalise import KEY
from ImplantSegLib.volumes import Volume

SIGMA = 0.02


def scan(spacing_mm=(0.01, 0.01, 0.01), **metadata):
    """Two halves of the grey values 0.2 and 0.7 with noise of 0.02, scaled to [0, 1] already."""
    array = np.where(np.arange(64) < 32, 0.2, 0.7) * np.ones((6, 48, 1))
    array += np.random.default_rng(0).normal(0, SIGMA, array.shape)
    return Volume(array.astype(np.float32), spacing_mm, metadata={KEY: "0.0,1.0", **metadata})


def test_measures_of_two_materials():
    found = fingerprint(scan()).measures
    # the mean and one standard deviation of the patches' deviations, as denoising takes it
    assert found["noise_percent"] == pytest.approx(100 * SIGMA, rel=0.15)
    # the brightest of four classes is the upper part of the bright half
    assert 0.7 < found["snr"] * found["noise_percent"] / 100 < 0.7 + 2 * SIGMA
    assert 0.5 < found["cnr"] * found["noise_percent"] / 100 < 0.5 + 4 * SIGMA
    assert found["mean_grey"] == pytest.approx(0.45, abs=1e-3)
    assert found["voxel_size_um"] == pytest.approx(10)


def test_the_histogram_holds_shares():
    found = fingerprint(scan())
    assert found.histogram.shape == (module.BINS,)
    assert found.histogram.sum() == pytest.approx(1)
    assert found.cumulated[module.BINS * 45 // 100] == pytest.approx(0.5)


def test_the_voxel_size_is_the_geometric_mean_and_may_be_unknown():
    assert fingerprint(scan((0.03, 0.01, 0.01))).measures["voxel_size_um"] == pytest.approx(10 * 3 ** (1 / 3))
    assert fingerprint(scan(voxel_size_known="no")).measures["voxel_size_um"] is None


def test_only_the_field_of_view_counts():
    array = np.where((np.arange(48)[:, None] - 23.5) ** 2 + (np.arange(64) - 31.5) ** 2 <= 400, scan().array, 1.0)
    inside = Volume(array.astype(np.float32), metadata={KEY: "0.0,1.0", "fov": "circle:23.5,31.5,20"})
    found = fingerprint(inside)
    assert found.measures["mean_grey"] == pytest.approx(0.45, abs=1e-3)
    assert found.histogram[-1] == 0
    with pytest.raises(InputError, match="no voxel lies inside"):
        fingerprint(inside.like(array.astype(np.float32), fov="circle:-90,-90,2"))


def test_grey_values_are_seen_as_the_model_sees_them():
    raw = scan()
    raw = Volume((1000 + 4000 * np.asarray(raw.array)).astype(np.uint16), raw.spacing_mm)
    seen = as_seen(raw)
    low, high = map(float, seen.metadata[KEY].split(","))
    assert 1400 < low < 1800 < 3800 < high < 4200
    assert fingerprint(seen).measures["mean_grey"] == pytest.approx((2800 - low) / (high - low), abs=0.01)
    assert as_seen(scan()).metadata[KEY] == "0.0,1.0"


def test_few_slices_of_a_large_scan_are_read(monkeypatch):
    read = []

    class Counting:
        shape, dtype = (400, 48, 64), np.dtype(np.float32)

        def __getitem__(self, z):
            read.append(z)
            return np.asarray(scan().array[:1])

    fingerprint(Volume(Counting(), metadata={KEY: "0.0,1.0"}))
    assert len(read) == module.SLICES
    assert (read[0].start, read[-1].start) == (12, 387)
    monkeypatch.setattr(module, "_PIXELS", 3 * 48 * 64)
    read.clear()
    fingerprint(Volume(Counting(), metadata={KEY: "0.0,1.0"}))
    assert len(read) == 3


def test_a_scan_without_noise_has_no_ratios():
    flat = Volume(np.zeros((2, 14, 64), np.float32), metadata={KEY: "0.0,1.0"})
    assert fingerprint(flat).measures == {
        "voxel_size_um": 1000.0,
        "noise_percent": 0.0,
        "snr": None,
        "cnr": None,
        "mean_grey": 0.0,
    }
