import numpy as np
import pytest

from ImplantSegQuantLib.field import NO_SURFACE_MM
from ImplantSegQuantLib.morphometry import ShapeMeter
from ImplantSegQuantLib.sample import windows


def grid(shape, spacing_mm):
    """Coordinates (z, y, x) of the voxel centres in mm, with 0 in the middle of the box."""
    return np.ogrid[tuple(slice(-(n - 1) / 2 * s, n / 2 * s, s) for n, s in zip(shape, spacing_mm, strict=True))]


def measured(distance, spacing_mm=(1.0, 1.0, 1.0), inside=None, slab=16):
    distance = np.ascontiguousarray(distance, np.float32)
    inside = np.ones(distance.shape, bool) if inside is None else np.broadcast_to(inside, distance.shape).copy()
    meter = ShapeMeter(spacing_mm)
    for window in windows(distance.shape[0], slab, halo=1):
        meter.add(distance[window.read], inside[window.read], window.inner)
    return meter.shape()


def box_distance(coordinates, half_mm):
    q = np.stack(np.broadcast_arrays(*(np.abs(c) - h for c, h in zip(coordinates, half_mm, strict=True))))
    return np.linalg.norm(np.maximum(q, 0), axis=0) + np.minimum(q.max(axis=0), 0)


@pytest.mark.parametrize("radius", [20, 28])
@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_sphere(radius, offset):
    z, y, x = grid((64, 64, 64), (1, 1, 1))
    shape = measured(np.sqrt((z - offset) ** 2 + (y + 0.1) ** 2 + (x - 0.4) ** 2) - radius)
    assert shape.volume_mm3 == pytest.approx(4 / 3 * np.pi * radius**3, rel=5e-5)
    assert shape.area_mm2 == pytest.approx(4 * np.pi * radius**2, rel=2e-3)
    assert shape.faces_mm2 / shape.area_mm2 == pytest.approx(1.5, abs=0.02)
    assert 0.78 < shape.surface_voxels_mm2 / shape.area_mm2 < 0.89


def test_sphere_with_anisotropic_voxels():
    spacing = (0.02, 0.01, 0.005)
    z, y, x = grid((28, 48, 96), spacing)
    shape = measured(np.sqrt(z**2 + y**2 + x**2) - 0.2, spacing)
    assert shape.volume_mm3 == pytest.approx(4 / 3 * np.pi * 0.2**3, rel=3e-4)  # 10 slices
    assert shape.area_mm2 == pytest.approx(4 * np.pi * 0.2**2, rel=2e-3)


@pytest.mark.parametrize(("tilt_degrees", "faces_over_area"), [(0, 1.27), (10, 1.37), (30, 1.50), (45, 1.53)])
def test_cylinder_that_the_field_of_view_cuts(tilt_degrees, faces_over_area):
    tilt = np.deg2rad(tilt_degrees)
    z, y, x = grid((24, 90, 50), (1, 1, 1))
    across = np.cos(tilt) * y - np.sin(tilt) * z
    shape = measured(np.sqrt(across**2 + (x - 0.3) ** 2) - 20)
    assert shape.volume_mm3 == pytest.approx(np.pi * 400 * 24 / np.cos(tilt), rel=1e-4)
    assert shape.area_mm2 == pytest.approx(2 * np.pi * 20 * 24 / np.cos(tilt), rel=1e-3)
    assert shape.faces_mm2 / shape.area_mm2 == pytest.approx(faces_over_area, abs=0.01)


def test_box_on_the_grid():
    shape = measured(box_distance(grid((14, 16, 24), (1, 1, 1)), (4.0, 5.0, 10.0)))
    assert shape.volume_mm3 == pytest.approx(8 * 10 * 20, abs=0.1 * 8)  # corners are rounded
    assert shape.faces_mm2 == 2 * (8 * 10 + 10 * 20 + 20 * 8)


def test_box_with_anisotropic_voxels():
    spacing = (0.5, 1.0, 2.0)
    shape = measured(box_distance(grid((12, 14, 16), spacing), (2.0, 5.0, 10.0)), spacing)
    assert shape.faces_mm2 == 2 * (4 * 10 + 10 * 20 + 20 * 4)
    edge_voxels = 4 * (8 + 10 + 10)
    assert shape.volume_mm3 == pytest.approx(4 * 10 * 20, abs=0.15 * edge_voxels)  # of 1 mm³: sharp edges are rounded


def test_box_through_the_field_of_view_has_no_caps():
    _, y, x = grid((6, 20, 20), (1, 1, 1))
    distance = np.broadcast_to(np.maximum(np.abs(y) - 5, np.abs(x) - 4), (6, 20, 20))
    shape = measured(distance)
    assert shape.faces_mm2 == 2 * (10 + 8) * 6
    assert shape.surface_voxels_mm2 == (2 * (10 + 8) - 4) * 6
    assert shape.volume_mm3 == pytest.approx(10 * 8 * 6, abs=0.02 * 4 * 6)
    assert shape.area_mm2 == pytest.approx(2 * (10 + 8) * 6, abs=0.3 * 4 * 6)  # a right-angled edge is rounded


def test_circular_field_of_view_adds_no_surface():
    z, y, x = grid((8, 60, 60), (1, 1, 1))
    half_space = np.broadcast_to(x + 0 * y, (8, 60, 60)) + 0 * z
    inside = y**2 + x**2 <= 25**2
    shape = measured(half_space, inside=inside)
    chord = inside[0, :, 30].sum()
    assert shape.faces_mm2 == chord * 8
    assert shape.area_mm2 == pytest.approx(chord * 8, rel=0.01)
    assert shape.volume_mm3 == pytest.approx(inside[0, :, :30].sum() * 8)


def test_cut_end_of_the_reference_is_no_surface():
    _, _, x = grid((6, 8, 20), (1, 1, 1))
    whole = np.broadcast_to(x, (6, 8, 20)).astype(np.float32)
    cut = whole.copy()
    cut[:, 6:] = NO_SURFACE_MM
    shape, wanted = measured(cut), measured(whole[:, :6])
    assert shape == wanted
    assert shape.faces_mm2 == 6 * 6


@pytest.mark.parametrize("slab", [1, 3, 7, 100])
def test_slabs_of_any_depth_give_the_same_bits(slab):
    z, y, x = grid((23, 30, 30), (1, 1, 1))
    distance = np.sqrt(z**2 + (y - 0.2) ** 2 + (x * 1.1) ** 2) - 9
    assert measured(distance, slab=slab) == measured(distance, slab=23)


def test_nothing_and_everything():
    assert measured(np.full((3, 4, 5), 9.0)).volume_mm3 == 0
    everything = measured(np.full((3, 4, 5), -9.0))
    assert (everything.volume_mm3, everything.area_mm2, everything.faces_mm2) == (60, 0, 0)
