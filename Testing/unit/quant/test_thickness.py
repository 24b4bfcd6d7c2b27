import numpy as np
import pytest

from ImplantSegLib.metrics import OUTSIDE
from ImplantSegQuantLib import thickness
from ImplantSegQuantLib.thickness import layer_thickness, local_thickness, mean_thickness

ISOTROPIC = (0.01, 0.01, 0.01)


def coordinates(size, spacing=(1.0, 1.0, 1.0)):
    return [(axis - size / 2 + 0.37) * step for axis, step in zip(np.ogrid[:size, :size, :size], spacing, strict=True)]


def brute_force(classes, spacing_mm):
    """Largest of all spheres that cover a voxel, every voxel's sphere against every voxel."""
    points = np.argwhere(np.ones(classes.shape)) * np.array(spacing_mm)
    values = classes.reshape(-1)
    gaps = np.linalg.norm(points[:, None] - points[None, values == 0], axis=2)
    radius = np.where(values == 1, gaps.min(axis=1), 0)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    covered = np.where(distance < radius[None] * (1 - 1e-6), radius[None], 0).max(axis=1)
    return np.where(values == 1, 2 * (covered - thickness.HALF_GAP * np.mean(spacing_mm)), 0).reshape(classes.shape)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 1.0, 1.5)])
@pytest.mark.parametrize("seed", range(3))
def test_equals_every_sphere_against_every_voxel(monkeypatch, spacing, seed):
    monkeypatch.setattr(thickness, "PRUNING", 1e-6)
    noise = np.random.default_rng(seed).random((8, 9, 10))
    classes = np.digitize(noise, [0.12, 0.97]).astype(np.uint8)  # 0 bounds, 1 layer, 2 unknown
    np.testing.assert_allclose(local_thickness(classes, spacing), brute_force(classes, spacing), rtol=1e-5)


def test_plate_on_the_grid():
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[:, :, 10:17] = 2  # seven voxels; the gap of a quarter of a voxel costs half a voxel at odd numbers
    assert mean_thickness(labels, ISOTROPIC).mean_um == pytest.approx(75, abs=0.1)
    labels[:, :, 10:18] = 2
    assert mean_thickness(labels, ISOTROPIC).mean_um == pytest.approx(75, abs=0.1)


@pytest.mark.parametrize(("radius", "wanted"), [(18, 6), (18, 8), (20, 12)])
def test_spherical_shell(radius, wanted):
    z, y, x = coordinates(56)
    distance = np.sqrt(z * z + y * y + x * x)
    labels = np.where(distance < radius - wanted / 2, 1, np.where(distance < radius + wanted / 2, 2, 3))
    assert mean_thickness(labels, ISOTROPIC).mean_um == pytest.approx(10 * wanted, rel=0.03)


def test_spherical_shell_with_anisotropic_voxels():
    z, y, x = coordinates(56, (1.5, 1.0, 1.0))
    distance = np.sqrt(z * z + y * y + x * x)
    labels = np.where(distance < 15, 1, np.where(distance < 25, 2, 3))
    assert mean_thickness(labels, (0.015, 0.01, 0.01)).mean_um == pytest.approx(100, rel=0.03)


def test_cut_planes_bound_no_sphere():
    labels = np.zeros((4, 40, 40), np.uint8)  # far fewer slices than the layer is thick
    labels[:, 10:31] = 2
    assert mean_thickness(labels, ISOTROPIC).mean_um == pytest.approx(215, abs=0.1)
    labels[:, :, 30:] = OUTSIDE
    assert mean_thickness(labels, ISOTROPIC).mean_um == pytest.approx(215, abs=0.1)


def test_large_boxes_are_coarsened():
    z, y, x = coordinates(60)
    distance = np.sqrt(z * z + y * y + x * x)
    labels = np.where(distance < 12, 1, np.where(distance < 28, 2, 0)).astype(np.uint8)
    coarse = mean_thickness(labels, ISOTROPIC, max_voxels=60**3 // 4)
    assert coarse.coarsened == 2
    assert coarse.mean_um == pytest.approx(mean_thickness(labels, ISOTROPIC).mean_um, rel=0.05)


def test_no_layer_is_undefined_and_says_so():
    measurement, spread = layer_thickness(np.zeros((3, 3, 3), np.uint8), ISOTROPIC)
    assert spread is None
    assert measurement.value is None
    assert "no degradation layer" in measurement.warning


def test_layer_without_surface_is_undefined():
    assert mean_thickness(np.full((3, 3, 3), 2, np.uint8), ISOTROPIC).mean_um is None


def test_distribution_of_two_plates():
    labels = np.zeros((60, 20, 20), np.uint8)
    labels[5:10] = labels[30:45] = 2  # 4.5 and 14.5 voxels thick by the mean gap, 1 to 3 by volume
    measurement, spread = layer_thickness(labels, ISOTROPIC)
    thin, thick = mean_thickness(labels[:20], ISOTROPIC).mean_um, mean_thickness(labels[20:], ISOTROPIC).mean_um
    assert measurement.value == pytest.approx((thin + 3 * thick) / 4)
    assert [spread["percentiles_um"][p] for p in ("5", "50", "95")] == pytest.approx([thin, thick, thick])
    assert spread["sd_um"] == pytest.approx((thick - thin) * np.sqrt(3 / 16))
    assert spread["edges_um"][0] == 0
    assert spread["edges_um"][-1] == pytest.approx(thick)
    percent = dict(zip(np.digitize([thin, thick - 1e-6], spread["edges_um"]) - 1, (25, 75), strict=True))
    assert spread["percent"] == [pytest.approx(percent.get(k, 0)) for k in range(20)]


def test_a_distribution_adds_up():
    spread = thickness.distribution(np.random.default_rng(0).gamma(4, 10, 1000))
    assert sum(spread["percent"]) == pytest.approx(100)
    assert len(spread["edges_um"]) == len(spread["percent"]) + 1


def test_flat_voxels_have_a_thickness_above_zero():
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[1, 2, 2] = 2
    thickness = mean_thickness(labels, (0.004, 0.03, 0.03))
    assert thickness.mean_um == pytest.approx(4, abs=0.01)
    assert sum(thickness.distribution["percent"]) == pytest.approx(100)
