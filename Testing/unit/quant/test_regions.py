import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ImplantSegLib.phantom.screw import Screw
from ImplantSegLib.volumes import FieldOfView, Volume
from ImplantSegQuantLib.implicit import field_of
from ImplantSegQuantLib.region_measures import degradation_by_region
from ImplantSegQuantLib.regions import Regions, axis_from_tip, regions_of
from ImplantSegQuantLib.sample import Sample

MM = 0.02
SHAPE = (30, 80, 80)
WEEKS = 365.25 / 7  # a year


def test_regions_of_a_screw_are_where_it_was_designed():
    screw = Screw()
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", [40, 50, 60], degrees=True).as_matrix()
    pose[:3, 3] = 3, -2, 1
    found = regions_of(field_of(screw.signed_distance, np.array(screw.bounds_mm), finest_mm=0.06), pose)
    root_mm = screw.diameter_mm / 2 - screw.thread_depth_mm
    assert found.core_radius_mm == pytest.approx(root_mm + 0.15 * screw.thread_depth_mm, abs=0.03)
    middle = screw.length_mm / 2
    points = np.array([[0, 0, middle], [root_mm, 0, middle], [0, root_mm + 0.2, middle]])
    heads = np.array([[0, 0, z] for z in (0.3, screw.length_mm - 0.3)])
    back = np.linalg.inv(pose)
    assert list(found.of(points @ back[:3, :3].T + back[:3, 3])) == [0, 0, 1]
    assert sorted(found.of(heads @ back[:3, :3].T + back[:3, 3])) == [0, 2]


def test_a_pin_without_a_thread_has_no_regions():
    def pin(points):
        return np.maximum(np.hypot(*points[:, :2].T) - 0.8, np.abs(points[:, 2]) - 3)

    assert regions_of(field_of(pin, np.array([[-0.8, -0.8, -3], [0.8, 0.8, 3]]), finest_mm=0.05), np.eye(4)) is None


@pytest.mark.parametrize("radius_mm", [0.3, 1.0])
def test_a_ball_has_no_regions(radius_mm):
    def ball(points):
        return np.linalg.norm(points, axis=1) - radius_mm

    bounds = np.array([[-radius_mm] * 3, [radius_mm] * 3])
    assert regions_of(field_of(ball, bounds, finest_mm=radius_mm / 8), np.eye(4)) is None


@pytest.mark.parametrize("slab", [4, 30])
def test_rates_in_closed_form(slab):
    """A pin of 0.6 mm through the field of view: the core ends at 0.4 mm, the head is the upper third."""
    y, x = ((np.arange(n) - 39.4) * MM for n in SHAPE[1:])
    radius = np.broadcast_to(np.hypot(y[:, None], x), SHAPE)
    metal_mm = np.where(np.arange(30) < 20, 0.5, 0.3)[:, None, None]
    labels = np.where(radius < metal_mm, 1, np.where(radius < 0.6, 2, 0)).astype(np.uint8)
    labels[:, :2, :2] = 1  # far from the reference: no part of it
    matrix = np.eye(4)
    matrix[:2, 3] = -39.4 * MM
    regions = Regions(matrix, 0.4, (19.5 * MM, np.inf))
    sample = Sample(Volume(labels, (MM,) * 3), FieldOfView(), slab)
    found = degradation_by_region(sample, lambda z: (radius[z] - 0.6).astype(np.float32), regions, WEEKS)[
        "degradation_by_region"
    ]
    shank, head = 20 * MM, 10 * MM
    for name, outer, inner, metal, height in (
        ("core", 0.4, 0.0, 0.4, shank), ("thread", 0.6, 0.4, 0.5, shank), ("head", 0.6, 0.0, 0.3, head)
    ):  # fmt: skip
        part = found[name]
        initial, residual = (np.pi * (r**2 - inner**2) * height for r in (outer, metal))
        assert part["initial_volume_mm3"] == pytest.approx(initial, rel=0.01)
        assert part["residual_volume_mm3"] == pytest.approx(residual, rel=0.02)
        surface = 0 if name == "core" else 2 * np.pi * 0.6 * height
        assert part["initial_surface_mm2"] == pytest.approx(surface, rel=0.01)
        if name == "core":
            assert part["degradation_rate_mm_per_year"] is None
        else:
            assert part["degradation_rate_mm_per_year"] == pytest.approx((initial - residual) / surface, rel=0.05)
    assert sum(part["initial_volume_mm3"] for part in found.values()) == pytest.approx(np.pi * 0.36 * 30 * MM, rel=1e-3)


def test_the_bare_surface_of_the_core_is_the_root_of_the_thread():
    screw = Screw()
    field = field_of(screw.signed_distance, np.array(screw.bounds_mm), finest_mm=0.04)
    pitches, step = 2, 0.05
    shape = (round(pitches * screw.pitch_mm / step), 80, 80)
    grid = Volume(np.ones(shape, np.uint8), (step,) * 3, (-39.5 * step, -39.5 * step, 7.0))

    def distance(z):
        affine = grid.index_to_world
        return field.sample_grid(affine, z.start, (z.stop - z.start, *shape[1:]))

    found = degradation_by_region(Sample(grid, FieldOfView()), distance, regions_of(field, np.eye(4)), WEEKS)[
        "degradation_by_region"
    ]
    root_mm = screw.diameter_mm / 2 - screw.thread_depth_mm
    root_mm2 = pitches * screw.root_mm * 2 * np.pi * root_mm
    assert set(found) == {"core", "thread"}
    assert 0.9 * root_mm2 < found["core"]["initial_surface_mm2"] < 2 * root_mm2  # and the feet of the flanks
    assert found["core"]["initial_volume_mm3"] == pytest.approx(np.pi * root_mm**2 * pitches * screw.pitch_mm, rel=0.12)


def test_regions_outside_the_field_of_view_are_absent():
    sample = Sample(Volume(np.ones((4, 9, 9), np.uint8), (MM,) * 3), FieldOfView())
    regions = Regions(np.eye(4), 10.0, (np.inf, np.inf))
    found = degradation_by_region(sample, lambda z: np.full((z.stop - z.start, 9, 9), -1, np.float32), regions, WEEKS)
    assert list(found["degradation_by_region"]) == ["core"]


@pytest.mark.parametrize("slab", [7, 30])
def test_rates_along_the_axis_in_closed_form(slab):
    """Slices of 0.25 mm hold 13, 12 and 5 slices of the scan; from number 20 on the metal is thinner."""
    y, x = ((np.arange(n) - 39.4) * MM for n in SHAPE[1:])
    radius = np.broadcast_to(np.hypot(y[:, None], x), SHAPE)
    metal_mm = np.where(np.arange(30) < 20, 0.5, 0.3)
    labels = np.where(radius < metal_mm[:, None, None], 1, 0).astype(np.uint8)
    matrix = np.eye(4)
    matrix[:2, 3] = -39.4 * MM
    regions = Regions(matrix, 0.4, (np.inf, np.inf), (0.0, 0.58))
    sample = Sample(Volume(labels, (MM,) * 3), FieldOfView(), slab)
    found = degradation_by_region(sample, lambda z: (radius[z] - 0.6).astype(np.float32), regions, WEEKS)
    along = found["degradation_along_axis"]
    np.testing.assert_allclose(along["edges_mm"], [0, 0.25, 0.5, 0.75])
    for k, part in enumerate((slice(0, 13), slice(13, 25), slice(25, 30))):
        height = MM * (part.stop - part.start)
        residual = np.pi * MM * float((metal_mm[part] ** 2).sum())
        initial, surface = np.pi * 0.36 * height, 2 * np.pi * 0.6 * height
        assert along["initial_volume_mm3"][k] == pytest.approx(initial, rel=1e-3)
        assert along["residual_volume_mm3"][k] == pytest.approx(residual, rel=0.02)
        assert along["initial_surface_mm2"][k] == pytest.approx(surface, rel=1e-2)
        assert along["degradation_rate_mm_per_year"][k] == pytest.approx((initial - residual) / surface, rel=0.04)
        assert along["volume_loss_percent"][k] == pytest.approx(100 * (initial - residual) / initial, rel=0.04)
    by_region = found["degradation_by_region"]
    total = sum(part["initial_volume_mm3"] for part in by_region.values())
    assert sum(along["initial_volume_mm3"]) == pytest.approx(total, rel=1e-12)


def test_a_slice_that_the_field_of_view_hardly_shows_is_undefined():
    """13 slices of the scan and one of which a single voxel lies in the field of view."""
    labels = np.ones((14, 9, 9), np.uint8)
    labels[13].flat[1:] = 200
    sample = Sample(Volume(labels, (MM,) * 3), FieldOfView())
    regions = Regions(np.eye(4), 10.0, (np.inf, np.inf), (0.0, 10.0))
    found = degradation_by_region(sample, lambda z: np.full((z.stop - z.start, 9, 9), -1, np.float32), regions, WEEKS)
    along = found["degradation_along_axis"]
    np.testing.assert_allclose(along["edges_mm"], [0, 0.25, 0.5])
    assert along["volume_loss_percent"] == [pytest.approx(0), None]


@pytest.mark.parametrize("upside_down", [False, True])
def test_the_tip_is_the_narrow_end_and_heights_rise_from_it(upside_down):
    screw = Screw()
    pose = np.diag([1.0, -1.0, -1.0, 1.0]) if upside_down else np.eye(4)
    found = regions_of(field_of(screw.signed_distance, np.array(screw.bounds_mm), finest_mm=0.06), pose)
    assert found.tip_known
    assert found.frame[2, 2] == pytest.approx(-1 if upside_down else 1, abs=1e-3)
    # the underside of 45° is as wide as the thread a thread's depth above its beginning
    head_mm = screw.length_mm - screw.head_height_mm + screw.thread_depth_mm
    assert found.head_mm[0] - found.ends_mm[0] == pytest.approx(head_mm, abs=0.15)
    assert found.thread_mm[0] - found.ends_mm[0] == pytest.approx(screw.tip_mm, abs=0.6)


def test_the_axis_of_a_screw_begins_at_its_tip():
    screw = Screw()

    def moved(points):
        return screw.signed_distance(points * [1, -1, -1] + [0, 0, 5])  # the tip at z = 5, the head below

    bounds = np.array(screw.bounds_mm)
    bounds[:, 2] = 5 - screw.length_mm, 5
    axis = axis_from_tip(field_of(moved, bounds, finest_mm=0.06))
    np.testing.assert_allclose(axis.direction, [0, 0, -1], atol=3e-3)
    np.testing.assert_allclose(axis.point_mm, [0, 0, 5], atol=0.05)


def test_ends_as_wide_as_each_other_leave_the_tip_unknown():
    screw = Screw()

    def shank(points):
        return np.maximum(screw.signed_distance(points), np.abs(points[:, 2] - 7) - 3)

    bounds = np.array(screw.bounds_mm)
    bounds[:, 2] = 4, 10
    found = regions_of(field_of(shank, bounds, finest_mm=0.06), np.eye(4))
    assert found is not None
    assert not found.tip_known
