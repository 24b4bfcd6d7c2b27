"""Meshes with closed-form volumes, whole and damaged: what is mended, what is told, what is refused."""

import numpy as np
import pytest
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkFiltersCore import vtkTriangleFilter
from vtkmodules.vtkFiltersSources import vtkCubeSource, vtkCylinderSource, vtkSphereSource
from vtkmodules.vtkIOGeometry import vtkSTLWriter

from ImplantSegLib.errors import InputError
from ImplantSegQuantLib import implicit
from ImplantSegQuantLib.mesh import field_of_mesh
from ImplantSegQuantLib.mesh_repair import corners
from ImplantSegQuantLib.redistance import volume_and_area


@pytest.fixture(autouse=True)
def _few_nodes(monkeypatch):
    monkeypatch.setattr(implicit, "MAX_NODES", 300_000)


def triangles_of(source):
    triangulated = vtkTriangleFilter()
    triangulated.SetInputConnection(source.GetOutputPort())
    triangulated.Update()
    points, triangles = corners(triangulated.GetOutput())
    return points[triangles]  # (M, 3, 3): every triangle with corners of its own, as in an STL file


def ball(radius_mm=0.8, centre=(0.0, 0.0, 0.0), sides=64):
    source = vtkSphereSource()
    source.SetRadius(radius_mm)
    source.SetCenter(*centre)
    source.SetThetaResolution(sides)
    source.SetPhiResolution(sides)
    source.SetOutputPointsPrecision(1)
    return triangles_of(source)


def cylinder(sides=60):
    """A prism of so many sides, 1 mm high, its corners 0.5 mm from the axis."""
    source = vtkCylinderSource()
    source.SetRadius(0.5)
    source.SetHeight(1.0)
    source.SetResolution(sides)
    return triangles_of(source)


def box():
    source = vtkCubeSource()
    source.SetXLength(1.0)
    source.SetYLength(0.6)
    source.SetZLength(0.8)
    return triangles_of(source)


def volume_inside(triangles):
    a, b, c = triangles.transpose(1, 0, 2)
    return np.einsum("ij,ij->", a, np.cross(b, c)) / 6


def field(tmp_path, triangles):
    points, surface = vtkPoints(), vtkPolyData()
    points.SetData(numpy_to_vtk(triangles.reshape(-1, 3).astype(np.float32), deep=True))
    surface.SetPoints(points)
    cells = vtkCellArray()
    for k in range(len(triangles)):
        cells.InsertNextCell(3, (3 * k, 3 * k + 1, 3 * k + 2))
    surface.SetPolys(cells)
    writer = vtkSTLWriter()
    writer.SetInputData(surface)
    writer.SetFileName(str(tmp_path / "mesh.stl"))
    writer.SetFileTypeToBinary()
    writer.Write()
    return field_of_mesh(tmp_path / "mesh.stl")


def volume_of(tmp_path, triangles):
    found = field(tmp_path, triangles)
    return volume_and_area(found.values, found.spacing_mm)[0]


@pytest.mark.parametrize(
    ("triangles", "volume_mm3"),
    [
        (box(), 1.0 * 0.6 * 0.8),
        (cylinder(), 60 / 2 * np.sin(2 * np.pi / 60) * 0.5**2),
        (ball(), volume_inside(ball())),
        (ball()[:, ::-1], volume_inside(ball())),
    ],
    ids=["box", "cylinder", "sphere", "sphere inside out"],
)
def test_a_closed_mesh_has_its_volume_and_is_not_spoken_of(tmp_path, caplog, triangles, volume_mm3):
    assert volume_of(tmp_path, triangles) == pytest.approx(volume_mm3, rel=2e-4)
    assert not caplog.text


def test_a_ball_of_many_triangles_is_a_ball(tmp_path):
    assert volume_of(tmp_path, ball(sides=200)) == pytest.approx(4 / 3 * np.pi * 0.8**3, rel=1e-3)


def test_three_missing_triangles_are_filled_in(tmp_path, caplog):
    holed = np.delete(ball(sides=100), [400, 3000, 7000], axis=0)
    assert volume_of(tmp_path, holed) == pytest.approx(volume_inside(ball(sides=100)), rel=3e-4)
    assert "repaired: holes of 9 open edges closed with 3 triangles" in caplog.text
    assert len(caplog.records) == 1


def test_a_hole_as_wide_as_a_part_is_refused(tmp_path):
    bowl = ball()
    with pytest.raises(InputError, match=r"not closed: \d+ edges .* holes wider than the 0.11 mm"):
        field(tmp_path, bowl[bowl.mean(axis=1)[:, 2] < 0.6])


def test_an_open_tube_is_refused(tmp_path):
    tube = cylinder()
    with pytest.raises(InputError, match="not closed"):
        field(tmp_path, tube[np.abs(tube[:, :, 1].mean(axis=1)) < 0.49])


def test_points_that_all_but_coincide_are_merged(tmp_path, caplog):
    shaken = ball() + np.random.default_rng(0).uniform(-2e-6, 2e-6, ball().shape)
    assert volume_of(tmp_path, shaken) == pytest.approx(volume_inside(ball()), rel=3e-4)
    assert "points merged with others beside them" in caplog.text


@pytest.mark.parametrize("count", [1, 200])
def test_triangles_that_face_inwards_are_turned(tmp_path, caplog, count):
    flipped = ball()
    chosen = np.arange(0, len(flipped), 20)[:count]
    flipped[chosen] = ball()[chosen][:, ::-1]
    assert volume_of(tmp_path, flipped) == pytest.approx(volume_inside(ball()), rel=3e-4)
    assert f"{len(chosen)} triangles turned to face as the others" in caplog.text


@pytest.mark.parametrize("inwards", [True, False])
def test_a_shell_inside_another_one_is_a_cavity(tmp_path, caplog, inwards):
    inner = ball(0.5, (0.1, 0.0, 0.0))
    nested = np.concatenate([ball(), inner[:, ::-1] if inwards else inner])
    hollow = volume_inside(ball()) - volume_inside(inner)
    found = field(tmp_path, nested)
    assert volume_and_area(found.values, found.spacing_mm)[0] == pytest.approx(hollow, rel=3e-4)
    distance = found.sample(np.array([[0.1, 0.3, 0], [-0.7, 0, 0], [0.9, 0, 0]]))
    np.testing.assert_allclose(distance, [0.2, -0.1, 0.1], atol=0.02)
    assert ("taken for a cavity" in caplog.text) is not inwards


def test_a_solid_inside_a_cavity_is_solid(tmp_path):
    shells = ball(), ball(0.6)[:, ::-1], ball(0.3)
    wanted = volume_inside(shells[0]) + volume_inside(shells[1]) + volume_inside(shells[2])
    assert volume_of(tmp_path, np.concatenate(shells)) == pytest.approx(wanted, rel=5e-4)


def test_shells_that_intersect_are_refused(tmp_path):
    with pytest.raises(InputError, match="not clean"):
        field(tmp_path, np.concatenate([ball(), ball(0.8, (0.9, 0.0, 0.0))]))


def test_a_wall_inside_is_refused(tmp_path):
    middle = box()
    corner = np.abs(middle).max(axis=(0, 1))
    wall = np.array([[[0, -1, -1], [0, 1, -1], [0, 1, 1]]]) * corner
    halves = np.array([[[-1, -1, -1], [1, -1, -1], [1, 1, -1]]]) * corner
    with pytest.raises(InputError, match=r"not closed|walls inside"):
        field(tmp_path, np.concatenate([middle, wall, halves]))


def test_debris_is_refused(tmp_path):
    crumbs = [ball(0.01, (0.1 * k, 2, 0), sides=8) for k in range(60)]
    with pytest.raises(InputError, match="61 separate shells, wanted at most 50"):
        field(tmp_path, np.concatenate([ball(), *crumbs]))
