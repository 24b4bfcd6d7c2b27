"""The bound from a shift of half a voxel: areas of known shapes, each measure's change, and gaps that close."""

import math

import numpy as np
import pytest

from ImplantSegLib.volumes import FieldOfView, Volume
from ImplantSegQuantLib.bounds import Closed, Surfaces, half_voxel_bounds, half_voxel_shifts, surfaces_of
from ImplantSegQuantLib.degradation import years
from ImplantSegQuantLib.sample import Sample

MM = 0.1


def sample(labels, spacing=(MM,) * 3, slab=7):
    return Sample(Volume(labels, spacing), FieldOfView(), slab)


def everywhere(shape):
    return lambda z: np.ones((len(range(shape[0])[z]), *shape[1:]), bool)


def radius_mm(shape, spacing):
    middle = [(n - 1) / 2 + 0.2 for n in shape]
    grid = np.indices(shape, dtype=float)
    return np.sqrt(sum(((grid[k] - middle[k]) * spacing[k]) ** 2 for k in range(3)))


@pytest.mark.parametrize("spacing", [(0.1, 0.1, 0.1), (0.15, 0.1, 0.1)])
def test_area_of_a_metal_sphere_in_a_shell_of_layer(spacing):
    shape = (48, 60, 60)
    radius = radius_mm(shape, spacing)
    labels = np.where(radius < 1.5, 1, np.where(radius < 2.2, 2, 0)).astype(np.uint8)
    found = surfaces_of(sample(labels, spacing), everywhere(shape))
    assert found.metal_mm2 == pytest.approx(4 * math.pi * 1.5**2, rel=0.03)
    assert found.layer_mm2 == pytest.approx(4 * math.pi * (1.5**2 + 2.2**2), rel=0.03)
    assert found.tissue_mm2 == 0
    assert found.tissue_mm3 == pytest.approx((labels == 0).sum() * math.prod(spacing))


@pytest.mark.parametrize("normal", [(0, 0, 1), (0, 0.6, 0.8), (1, 1, 1), (0.3, -0.5, 0.81)])
def test_area_between_bone_and_background_does_not_depend_on_its_direction(normal):
    shape = (50, 50, 50)
    unit = np.array(normal) / np.linalg.norm(normal)
    points = np.indices(shape, dtype=float) - 24.7
    labels = np.where(np.tensordot(unit, points, 1) < 0, 3, 0).astype(np.uint8)
    labels[np.linalg.norm(points, axis=0) > 20] = 254
    view = Volume(np.where(labels == 254, 0, labels).astype(np.uint8), (MM,) * 3)
    inside = labels != 254
    found = surfaces_of(Sample(view, FieldOfView()), lambda z: inside[z])
    assert found.tissue_mm2 == pytest.approx(math.pi * 2.0**2, rel=0.04)
    assert found.tissue_mm3 == pytest.approx(inside.sum() * MM**3)


def test_area_of_a_box_that_the_field_of_view_cuts():
    labels = np.zeros((30, 40, 40), np.uint8)
    labels[:, 10:30, 5:35] = 1
    found = surfaces_of(sample(labels), everywhere(labels.shape))
    exact = 30 * 2 * (20 + 30) * MM**2  # the cut planes are no surface; four edges lose up to a voxel of area each
    assert 0.96 * exact < found.metal_mm2 <= exact
    for slab in (1, 11, 30):
        assert surfaces_of(sample(labels, slab=slab), everywhere(labels.shape)) == pytest.approx(found, rel=1e-12)


def test_shifts_of_every_measure():
    values = {
        "initial_volume": 20.0, "residual_volume": 12.0, "volume_loss": 8.0, "volume_loss_fraction": 40.0,
        "degradation_layer_volume": 5.0, "initial_surface": 60.0, "initial_surface_unbiased": 40.0,
        "degradation_rate": 0.5, "degradation_rate_unbiased": 0.8, "corrosion_depth": 90.0,
        "degradation_layer_thickness": 70.0, "bone_volume_fraction": 30.0,
    }  # fmt: skip
    labels = np.zeros((2, 2, 2), np.uint8)
    shifts = half_voxel_shifts(sample(labels, (0.2, 0.1, 0.05)), Surfaces(30.0, 50.0, 8.0, 10.0), values, 12.0)
    half = 0.1 / 2  # the voxel is as large as a cube of 0.1 mm
    assert shifts == pytest.approx(
        {
            "residual_volume": 30 * half, "volume_loss": 30 * half, "volume_loss_fraction": 100 * 30 * half / 20,
            "degradation_layer_volume": 50 * half, "degradation_rate": 30 * half / 60 / years(12),
            "degradation_rate_unbiased": 30 * half / 40 / years(12), "corrosion_depth": 50.0,
            "degradation_layer_thickness": 100.0, "bone_volume_fraction": 100 * 8 * half / 10,
        }
    )  # fmt: skip
    bounds = half_voxel_bounds({**values, "bone_implant_contact": 40.0}, shifts, {"bone_implant_contact": 65.0})
    assert bounds["residual_volume"] == pytest.approx((10.5, 13.5))
    assert bounds["degradation_layer_thickness"] == pytest.approx((0.0, 170.0))  # no thickness below 0
    assert bounds["bone_implant_contact"] == (0.0, 65.0)
    assert "initial_volume" not in bounds
    del values["corrosion_depth"]
    assert "corrosion_depth" not in half_voxel_shifts(sample(labels), Surfaces(1, 1, 1, 0), values, 12.0)


def test_a_sphere_changes_by_its_shell():
    """Half a voxel to either side of a sphere is what spheres of that radius hold."""
    shape = (50, 50, 50)
    labels = (radius_mm(shape, (MM,) * 3) < 2.0).astype(np.uint8)
    values = {"initial_volume": 40.0, "residual_volume": labels.sum() * MM**3}
    one = sample(labels)
    shifts = half_voxel_shifts(one, surfaces_of(one, everywhere(shape)), values, 12.0)
    low, high = half_voxel_bounds(values, shifts, {})["residual_volume"]
    for bound, radius in ((low, 1.95), (high, 2.05)):
        assert bound == pytest.approx(4 / 3 * math.pi * radius**3, rel=0.004)


def test_gaps_of_one_voxel_close_and_wider_ones_stay():
    labels = np.zeros((5, 6, 12), np.uint8)
    labels[:, :, :4] = 2
    labels[:, :3, 5:] = 3  # one voxel of gap
    labels[:, 3:, 6:] = 3  # two
    closed = Closed(labels)
    expected = labels.copy()
    expected[:, :3, 4] = 3
    np.testing.assert_array_equal(closed[0:5], expected)
    np.testing.assert_array_equal(closed[2:3], expected[2:3])
    across = np.array([1, 0, 3], np.uint8).reshape(3, 1, 1)
    assert Closed(across)[1:2].item() == 3
