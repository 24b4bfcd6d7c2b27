import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ImplantSegQuantLib.axis import Axis, axis_of
from ImplantSegQuantLib.mesh_file import Surface
from ImplantSegQuantLib.pose import Pose
from ImplantSegQuantLib.unroll import unrolled, unrolled_cells, unrolled_points

TILTED = Rotation.from_euler("xyz", [30, -40, 20], degrees=True).as_matrix()
AXIS = Axis(np.array([1.0, 2.0, 3.0]), TILTED[:, 2])


def tube(radius_mm=2.0, height_mm=3.0, count=400):
    """Quads of a tube about the axis: their corners, and angle (from any zero) and height of each."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    height = np.linspace(-0.5 * height_mm, 0.5 * height_mm, 101)
    local = np.stack([
        np.tile(radius_mm * np.cos(angle), 101), np.tile(radius_mm * np.sin(angle), 101), np.repeat(height, count)
    ], axis=1)  # fmt: skip
    first = np.arange(count * 100).reshape(100, count)
    beside = np.roll(first, -1, axis=1)
    cells = np.stack([first, beside, beside + count, first + count], axis=-1).reshape(-1, 4)
    return local @ TILTED.T + AXIS.point_mm, cells, np.tile(angle, 100), np.repeat(height[:-1] + 0.015, count)


def test_a_band_and_a_sector_of_a_tube():
    points, cells, angle, height = tube()
    pose = Pose(np.eye(4))
    for chosen, share in ((height > 0.75, 0.25), (angle < np.pi / 2, 0.25)):
        surface = Surface(points, cells.astype(np.int32), cell_data={"contact": chosen.astype(np.int16)})
        found = unrolled_cells(surface, "contact", pose, AXIS)
        assert found.values.shape == (42, 180)  # squares: 3 mm over 2° of 2 mm
        assert found.radius_mm == pytest.approx(2, rel=1e-4)
        np.testing.assert_allclose(np.diff(found.heights_mm).sum(), 3, atol=0.04)
        assert not np.isnan(found.values).any()
        assert found.values.mean() == pytest.approx(share, abs=0.02)
        assert set(np.unique(found.values)) >= {0.0, 1.0}


def test_bands_vary_with_height_and_sectors_with_the_angle():
    points, cells, angle, height = tube()
    surface = Surface(points, cells, cell_data={"band": height > 0, "sector": angle < np.pi})
    band, sector = (unrolled_cells(surface, name, Pose(np.eye(4)), AXIS).values for name in ("band", "sector"))
    assert (np.ptp(band, axis=1) == 0).sum() >= len(band) - 1
    assert (np.ptp(sector, axis=0) == 0).sum() >= 180 - 4
    assert list(band.mean(axis=1)[[0, -1]]) == [0, 1]


def test_points_are_taken_to_the_reference_and_those_not_seen_left_out():
    points, _, _, _ = tube()
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = TILTED, AXIS.point_mm
    seen = np.arange(len(points)) % 2
    depth = np.where(seen == 1, 100.0, 0.0)
    surface = Surface(Pose(matrix).inverse().apply(points), np.empty((0, 3)), {"inside_fov": seen, "depth": depth})
    found = unrolled_points(surface, "depth", Pose(matrix), AXIS)
    assert np.nanmin(found.values) == np.nanmax(found.values) == 100
    assert unrolled_points(surface, "other", Pose(matrix), AXIS) is None


def test_few_points_have_wide_bins():
    few = np.random.default_rng(0).normal(size=(500, 3))
    assert unrolled(few, np.ones(500), np.ones(500), AXIS).values.shape[1] == 36


def test_where_there_is_no_surface_there_is_no_value():
    found = unrolled(np.array([[1.0, 2, 0], [1, 4, 1]]), np.ones(2), np.ones(2), Axis(np.zeros(3), np.eye(3)[2]))
    assert np.isnan(found.values).sum() == found.values.size - 2


def test_the_axis_of_a_screw_is_its_own():
    from ImplantSegLib.phantom.screw import Screw
    from ImplantSegQuantLib.implicit import field_of
    from ImplantSegQuantLib.surface import surface_points

    screw = Screw()
    field = field_of(screw.signed_distance, np.array(screw.bounds_mm), finest_mm=0.1)
    axis = axis_of(field, surface_points(field))
    assert abs(axis.direction[2]) == pytest.approx(1, abs=1e-3)
    assert np.hypot(*axis.point_mm[:2]) < 0.05


def test_nothing_is_unrolled_of_nothing():
    nothing = Surface(np.empty((0, 3)), np.empty((0, 4), np.int32), cell_data={"contact": np.empty(0)})
    assert unrolled_cells(nothing, "contact", Pose(np.eye(4)), AXIS) is None
