import math

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.metrics import OUTSIDE
from ImplantSegQuantLib.degradation import SPECK_MM, DepthMeter, degradation_rate, volume_loss_percent, years
from ImplantSegQuantLib.sample import windows


def test_slab_that_recedes_a_tenth_of_a_millimetre_in_a_tenth_of_a_year():
    weeks = 36.525 / 7
    assert years(weeks) == pytest.approx(0.1)
    assert degradation_rate(0.1 * 25.0, 25.0, weeks) == pytest.approx(1.0, abs=5e-4)


def test_swelling_is_a_negative_rate():
    assert degradation_rate(-1.0, 10.0, 52) < 0


def test_no_surface_no_rate():
    assert degradation_rate(1.0, 0.0, 12) is None
    assert volume_loss_percent(0.0, 0.0) is None


@pytest.mark.parametrize("weeks", [0, -1, math.nan, math.inf])
def test_weeks_must_be_above_zero(weeks):
    with pytest.raises(InputError, match="wanted a number above 0"):
        years(weeks)


def depth_um(labels, distance, near=None, slab=16):
    meter = DepthMeter()
    seen = labels if near is None else np.where(near | (labels != 1), labels, np.uint8(OUTSIDE))
    for window in windows(labels.shape[0], slab, halo=1):
        meter.add(seen[window.read], distance[window.read], window.inner)
    return meter.depth_um()


@pytest.mark.parametrize("slab", [1, 2, 16])
def test_plane_below_the_reference(slab):
    x = np.arange(20) * 0.01
    distance = np.broadcast_to(x - 0.145, (5, 6, 20)).astype(np.float32)  # reference: x < 0.145, between two voxels
    labels = np.where(np.arange(20) < 8, 1, np.where(np.arange(20) < 16, 2, 3))  # metal: x < 0.075
    labels = np.broadcast_to(labels, (5, 6, 20)).astype(np.uint8)
    assert depth_um(labels, distance, slab=slab) == pytest.approx(70, rel=1e-4)


def test_sphere_in_a_sphere():
    z, y, x = (np.arange(60) - 29.6 for _ in range(3))
    radius = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
    labels = np.where(radius < 20, 1, np.where(radius < 26, 2, 0)).astype(np.uint8)
    depth = depth_um(labels, (0.01 * (radius - 25)).astype(np.float32))
    assert depth == pytest.approx(50, abs=1)  # a tenth of a voxel


def test_islands_outside_the_region_do_not_count():
    labels = np.zeros((4, 4, 12), np.uint8)
    labels[..., :3] = labels[..., 9:] = 1
    distance = np.broadcast_to(np.arange(12) * 0.01 - 0.045, labels.shape).astype(np.float32)
    near = np.broadcast_to(np.arange(12) < 8, labels.shape)
    assert depth_um(labels, distance, near) == pytest.approx(20, rel=1e-4)


def test_no_metal_no_depth():
    assert depth_um(np.full((3, 3, 3), 2, np.uint8), np.zeros((3, 3, 3), np.float32)) is None


def test_specks_outside_the_reference_do_not_count():
    z, y, x = (np.arange(60) - 29.6 for _ in range(3))
    radius = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
    distance = (0.01 * (radius - 25)).astype(np.float32)
    labels = np.where(radius < 20, 1, np.where(radius < 26, 2, 0)).astype(np.uint8)
    true_um = depth_um(labels, distance)
    labels[(np.random.default_rng(0).random(labels.shape) < 0.05) & (distance > SPECK_MM)] = 1
    assert (labels == 1).sum() > 1.05 * (radius < 20).sum()
    assert depth_um(labels, distance) == true_um
