"""The reference's surface with distances: balls of known radii, anisotropic voxels, every kind of reference."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ImplantSegLib.volumes import FieldOfView, Volume, write
from ImplantSegQuantLib import reference as references
from ImplantSegQuantLib.pose import Pose
from ImplantSegQuantLib.surface_map import in_view, reference_surface, triangulated

REFERENCE_MM = 0.8
SPACING = (0.05, 0.04, 0.06)
SHAPE = (60, 70, 50)


def tilted():
    return Rotation.from_euler("xyz", [20, -30, 50], degrees=True).as_matrix()


def pose():
    matrix = np.eye(4)
    matrix[:3, :3] = tilted().T
    matrix[:3, 3] = 0.3, -0.1, 0.2
    return Pose(matrix)


def radius_mm(grid):
    index = np.indices(grid.shape).reshape(3, -1).T
    world = index @ grid.index_to_world[:3, :3].T + grid.index_to_world[:3, 3]
    return np.linalg.norm(pose().apply(world), axis=1).reshape(grid.shape)


def scan(metal_mm, layer_mm, shape=SHAPE):
    """A ball of metal in a ball of layer, both with the centre of the reference, on a mirrored and tilted grid."""
    direction = np.diag([1.0, -1.0, 1.0]) @ tilted()
    centre = pose().inverse().apply(np.zeros((1, 3)))[0]
    origin = centre - direction @ (np.multiply(np.array(SHAPE) - 1, SPACING)[::-1] / 2)
    grid = Volume(np.zeros(shape, np.uint8), SPACING, tuple(origin), tuple(map(tuple, direction)))
    radius = radius_mm(grid)
    return grid.like(np.where(radius < metal_mm, 1, np.where(radius < layer_mm, 2, 0)).astype(np.uint8))


@pytest.fixture(scope="module")
def ball():
    grid = Volume(np.zeros((50, 50, 50), np.uint8), (0.04,) * 3, (-0.98,) * 3)
    z, y, x = (np.indices(grid.shape) - 24.5) * 0.04
    return references.of_labels(grid.like((np.sqrt(z * z + y * y + x * x) < REFERENCE_MM).astype(np.uint8)))


def test_distances_of_a_ball_in_a_ball(ball):
    surface = reference_surface(ball, pose(), scan(0.6, 0.7), FieldOfView())
    data = surface.point_data
    assert (data["inside_fov"] == 1).all()
    np.testing.assert_allclose(np.linalg.norm(pose().apply(surface.points_mm), axis=1), REFERENCE_MM, atol=0.015)
    assert data["distance_um"].mean() == pytest.approx(-100, abs=6)  # smoothing shrinks a ball by a tenth of a voxel
    assert data["corrosion_depth_um"].mean() == pytest.approx(200, abs=6)
    assert data["distance_um"].std() < 10  # a sixth of a voxel
    assert data["distance_um"].dtype == np.float32


def test_a_layer_that_swells_has_a_positive_distance(ball):
    surface = reference_surface(ball, pose(), scan(0.7, 0.9), FieldOfView())
    assert surface.point_data["distance_um"].mean() == pytest.approx(100, abs=6)
    assert surface.point_data["corrosion_depth_um"].mean() == pytest.approx(100, abs=6)


def test_the_surface_closes_and_looks_outwards(ball):
    surface = reference_surface(ball, pose(), scan(0.6, 0.7), FieldOfView())
    a, b, c = (surface.points_mm.astype(float)[surface.cells[:, k]] for k in range(3))
    volume = np.einsum("ij,ij->", a, np.cross(b, c)) / 6
    assert volume == pytest.approx(4 / 3 * np.pi * REFERENCE_MM**3, rel=0.01)


def test_fewer_points_when_asked(ball):
    full, _, fine_mm = triangulated(ball.field)
    points, triangles, step_mm = triangulated(ball.field, len(full) // 3)
    assert len(points) <= len(full) // 3
    assert step_mm == 2 * fine_mm
    assert triangles.max() == len(points) - 1
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), REFERENCE_MM, atol=0.015)


def test_what_the_field_of_view_cuts_off_is_told_and_its_edge_is_no_surface(ball):
    labels = scan(0.6, 0.7)
    fov = FieldOfView.parse("circle:34.5,24.5,15")  # 0.6 mm along y, 0.9 mm along x
    surface = reference_surface(ball, pose(), labels, fov)
    inside = surface.point_data["inside_fov"] == 1
    assert 0.1 < inside.mean() < 0.9
    assert (surface.point_data["distance_um"][~inside] == 0).all()
    assert np.abs(surface.point_data["distance_um"][inside] + 100).max() < 40  # a voxel is up to 60 µm wide
    np.testing.assert_array_equal(inside, in_view(surface.points_mm, labels, fov))


def test_a_mask_is_a_field_of_view(ball, tmp_path):
    labels = scan(0.6, 0.7)
    mask = np.zeros(SHAPE, np.uint8)
    mask[:40] = 1
    write(labels.like(mask), tmp_path / "mask.nrrd")
    surface = reference_surface(ball, pose(), labels, FieldOfView.parse(str(tmp_path / "mask.nrrd")))
    index = (surface.points_mm - labels.index_to_world[:3, 3]) @ np.linalg.inv(labels.index_to_world[:3, :3]).T
    np.testing.assert_array_equal(surface.point_data["inside_fov"] == 1, np.rint(index[:, 0]) < 40)


def test_specks_outside_the_reference_are_no_metal(ball):
    labels = scan(0.6, 0.7)
    wrong = labels.array.copy()
    wrong[(radius_mm(labels) > 1.0) & (np.indices(SHAPE)[2] % 8 < 4)] = 1
    assert (wrong != labels.array).sum() > 1000
    surface = reference_surface(ball, pose(), labels.like(wrong), FieldOfView())
    assert surface.point_data["corrosion_depth_um"].mean() == pytest.approx(200, abs=6)


def test_without_metal_there_is_no_depth_and_distances_are_bounded(ball):
    surface = reference_surface(ball, pose(), scan(0.0, 0.2), FieldOfView())
    assert set(surface.point_data) == {"distance_um", "inside_fov"}
    assert surface.point_data["distance_um"].mean() == pytest.approx(-600, abs=10)


def test_a_reference_that_is_cut_off_has_no_surface_there():
    grid = Volume(np.zeros((30, 40, 40), np.uint8), (0.05,) * 3)
    y, x = (np.arange(40) - 19.5) * 0.05, (np.arange(40) - 19.5) * 0.05
    rod = np.broadcast_to(np.hypot(y[:, None], x) < 0.5, grid.shape)
    points, triangles, _ = triangulated(references.of_labels(grid.like(rod.astype(np.uint8))).field)
    np.testing.assert_allclose(np.hypot(*(points[:, :2] - 19.5 * 0.05).T), 0.5, atol=0.03)
    assert np.ptp(points[:, 2]) == pytest.approx(1.5, abs=0.06)
    assert triangles.size


@pytest.mark.parametrize("kind", ["labels", "mesh", "screw"])
def test_every_kind_of_reference_has_a_surface(tmp_path, monkeypatch, kind):
    from vtkmodules.vtkFiltersSources import vtkSphereSource
    from vtkmodules.vtkIOGeometry import vtkSTLWriter

    from ImplantSegQuantLib import implicit

    monkeypatch.setattr(implicit, "MAX_NODES", 200_000)
    source, writer = vtkSphereSource(), vtkSTLWriter()
    source.SetRadius(REFERENCE_MM)
    writer.SetInputConnection(source.GetOutputPort())
    writer.SetFileName(str(tmp_path / "mesh.stl"))
    writer.Write()
    write(scan(0.8, 0.8), tmp_path / "labels.nrrd")
    text = {"labels": tmp_path / "labels.nrrd", "mesh": tmp_path / "mesh.stl", "screw": "screw:length=6"}[kind]
    found = references.load(text)
    points, triangles, _ = triangulated(found.field)
    assert np.abs(found.distance(points)).max() < 0.03
    assert len(triangles) > 500
