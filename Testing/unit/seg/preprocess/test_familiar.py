"""Scans against the ranges of training scans: inside, at the margin, outside."""

import json

import numpy as np
import pytest

from ImplantSegLib.preprocess import familiar
from ImplantSegLib.preprocess.familiar import training_data, unfamiliar
from ImplantSegLib.preprocess.fingerprint import BINS, Fingerprint


def made(centre=0.4, noise=5.0, snr=10.0, voxel=10.0):
    """A scan whose grey values lie around ``centre``."""
    centres = (np.arange(BINS) + 0.5) / BINS
    shares = np.exp(-(((centres - centre) / 0.1) ** 2))
    measures = {"voxel_size_um": voxel, "noise_percent": noise, "snr": snr}
    return Fingerprint(measures, shares / shares.sum())


@pytest.fixture
def trained():
    """Three training scans, as a model file gives them back."""
    scans = [made(0.38, 4.0, 9.0), made(0.40, 5.0, 10.0), made(0.42, 6.0, None)]
    return json.loads(json.dumps(training_data(scans)))


def names(scan, trained):
    return [one["measure"] for one in unfamiliar(scan, trained)]


def test_the_ranges_are_those_of_the_scans(trained):
    assert trained["scans"] == 3
    assert trained["measures"]["noise_percent"] == [4.0, 6.0]
    assert trained["measures"]["voxel_size_um"] == [10.0, 10.0]
    assert trained["measures"]["snr"] == [9.0, 10.0]  # of the scans for which it is defined
    assert np.sum(trained["histogram"]) == pytest.approx(1, abs=1e-4)
    # an outer scan lies 0.02 away from its neighbour: shifted curves differ by the shift
    assert trained["measures"]["grey_distance"] == [0.0, pytest.approx(0.02, rel=0.01)]


@pytest.mark.parametrize(
    "scan", [made(), made(0.38), made(0.43), made(noise=6 * 1.19), made(voxel=11.9), made(snr=7.6)]
)
def test_within_the_margin_nothing_is_told(trained, scan):
    assert unfamiliar(scan, trained) == []


@pytest.mark.parametrize(
    ("scan", "measure"),
    [
        (made(noise=6 * 1.21), "noise_percent"),
        (made(noise=4 / 1.21), "noise_percent"),
        (made(voxel=30.0), "voxel_size_um"),
        (made(snr=7.4), "snr"),
        (made(centre=0.6), "grey_distance"),
        (made(centre=0.2), "grey_distance"),
    ],
)
def test_what_is_outside_is_told(trained, scan, measure):
    assert names(scan, trained) == [measure]


def test_a_warning_is_a_number_a_range_and_a_sentence(trained):
    assert unfamiliar(made(voxel=30.0), trained) == [
        {
            "measure": "voxel_size_um",
            "value": 30.0,
            "low": 10.0,
            "high": 10.0,
            "sentence": "its voxels have 30 µm, in training 10 µm",
        }
    ]


def test_the_distance_is_that_of_wasserstein_beyond_the_band(trained):
    warning = unfamiliar(made(centre=0.62), trained)[0]
    assert warning["value"] == pytest.approx(0.2, rel=0.01)  # moved by 0.2 beyond the outermost scan


def test_what_is_unknown_is_not_told(trained):
    assert unfamiliar(made(voxel=None, snr=None), trained) == []


def test_a_model_that_does_not_tell_warns_of_nothing():
    assert unfamiliar(made(0.9), {}) == []


def test_a_single_scan_leaves_room_for_others():
    alone = training_data([made()])
    assert alone["measures"]["grey_distance"] == [0.0, familiar.DISTANCE_FROM_ONE]
    assert names(made(0.44), alone) == []
    assert names(made(0.5), alone) == ["grey_distance"]


def test_equal_scans_leave_room_too():
    assert training_data([made(), made()])["measures"]["grey_distance"] == [0.0, familiar.LEAST_DISTANCE]


def test_every_measure_has_its_sentence(trained):
    for scan in (made(0.9, 90.0, 0.1, 90.0), made(0.1, 0.1, 90.0, 1.0)):
        told = unfamiliar(scan, trained)
        assert len(told) == len(trained["measures"])
        assert all("{" not in one["sentence"] for one in told)
