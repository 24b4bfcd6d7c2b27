from __future__ import annotations

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Volume, write
from ImplantSegQuantLib import reference
from ImplantSegQuantLib.pose import Pose
from ImplantSegQuantLib.redistance import signed_distance, volume_and_area

CENTRE = np.array([0.3, -0.2, 0.5])


def label_grid(shape, spacing_mm, origin_mm=(-1.5, -1.5, -1.5), direction=None):
    matrix = np.eye(3) if direction is None else direction
    return Volume(np.zeros(shape, np.uint8), spacing_mm, origin_mm, tuple(map(tuple, matrix)))


def world(grid):
    index = np.indices(grid.shape).reshape(3, -1)
    return (grid.index_to_world[:3, :3] @ index).T + grid.index_to_world[:3, 3]


def ball(radius_mm=0.8, spacing_mm=(0.05, 0.04, 0.06)):
    grid = label_grid((70, 80, 60), spacing_mm)
    inside = np.linalg.norm(world(grid) - CENTRE, axis=1) < radius_mm
    return grid.like(inside.reshape(grid.shape).astype(np.uint8))


def probes(count=4000, reach_mm=2.0):
    return CENTRE + np.random.default_rng(0).uniform(-reach_mm, reach_mm, (count, 3)) / np.sqrt(3)


def cylinder(shape=(30, 40, 40), spacing=0.05):
    """Along z through both faces of the volume, radius 0.5 mm, axis at x = y = 0."""
    grid = label_grid(shape, (spacing,) * 3, (-0.975, -0.975, 0.0))
    inside = np.hypot(*world(grid)[:, :2].T) < 0.5
    return grid.like(inside.reshape(shape).astype(np.uint8))


def test_distance_from_labels_of_a_ball_with_anisotropic_voxels():
    found = reference.of_labels(ball()).distance(probes())
    true = np.linalg.norm(probes() - CENTRE, axis=1) - 0.8
    near = np.abs(true) < 0.5
    assert found.dtype == np.float32
    assert np.abs(found - true)[near].max() < 0.03  # the wider voxel is 0.06 mm
    assert np.abs((found - true)[near].mean()) < 0.003


def test_volume_of_the_field_is_that_of_the_labels():
    labels = ball()
    field = reference.of_labels(labels).field
    volume, area = volume_and_area(field.values, field.spacing_mm)
    assert volume == pytest.approx(labels.array.sum() * labels.voxel_volume_mm3, rel=1e-3)
    assert area == pytest.approx(4 * np.pi * 0.8**2, rel=0.03)


def test_far_outside_the_grid_the_distance_still_exceeds_the_region_of_interest():
    far = CENTRE + np.array([[3.0, 0, 0], [0, 50.0, 0], [0, 0, -4.0]])
    true = np.linalg.norm(far - CENTRE, axis=1) - 0.8
    assert (reference.of_labels(ball()).distance(far) >= true - 0.03).all()


def test_fine_labels_are_averaged_to_bounded_memory(monkeypatch):
    from ImplantSegQuantLib import labelled

    monkeypatch.setattr(labelled, "MAX_NODES", 150_000)
    found = reference.of_labels(ball())
    assert found.field.values.size < 150_000
    assert found.field.spacing_mm == pytest.approx((0.10, 0.08, 0.12))
    true = np.linalg.norm(probes() - CENTRE, axis=1) - 0.8
    assert np.abs(found.distance(probes()) - true)[np.abs(true) < 0.3].max() < 0.06  # half a node


def test_where_the_reference_is_cut_off_is_no_surface(caplog):
    found = reference.of_labels(cylinder())
    assert "cut off" in caplog.text
    axis = np.array([[0.0, 0.0, z] for z in (-0.02, 0.0, 0.7, 1.45, 1.47)])
    np.testing.assert_allclose(found.distance(axis), -0.5, atol=0.05)  # one voxel: the ridge of the distance
    beyond = np.array([[0.0, 0.0, -0.03], [0.0, 0.0, 1.48], [0.6, 0.0, 2.0]])
    assert (found.distance(beyond) == 1000).all()
    assert found.distance(np.array([[0.9, 0.0, 0.7]]))[0] == pytest.approx(0.4, abs=0.02)


def test_a_reference_that_only_touches_the_border_is_not_cut():
    labels = ball()
    z, y, x = (slice(int(a.min()), int(a.max()) + 1) for a in np.nonzero(labels.array))
    cropped = Volume(labels.array[z, y, x], labels.spacing_mm, (0.0, 0.0, 0.0))
    found = reference.of_labels(cropped)
    assert np.abs(found.field.limits).min() == 1e9
    centre = 0.5 * (np.array(cropped.shape)[::-1] - 1) * labels.spacing_mm[::-1]
    assert found.distance(centre[None] + [[1.3, 0, 0]])[0] == pytest.approx(0.5, abs=0.03)


def test_an_empty_reference_is_refused():
    with pytest.raises(InputError, match="empty"):
        reference.of_labels(label_grid((8, 8, 8), (0.1, 0.1, 0.1)))


def test_a_box_along_the_grid_is_as_large_as_its_voxels():
    labels = label_grid((40, 40, 40), (0.05, 0.05, 0.05))
    labels.array[10:30, 8:32, 12:28] = 1
    field = reference.of_labels(labels).field
    volume, area = volume_and_area(field.values, field.spacing_mm)
    assert volume == pytest.approx(20 * 24 * 16 * 0.05**3, rel=3e-3)
    assert area == pytest.approx(2 * (20 * 24 + 20 * 16 + 24 * 16) * 0.05**2, rel=0.06)  # edges are rounded
    index = np.array([[20.0, 20.0, x] for x in (11.5, 27.5)])
    faces = index[:, ::-1] * 0.05 - 1.5
    np.testing.assert_allclose(field.sample(faces), 0, atol=0.004)  # what the edges lose, the faces gain


def test_a_plane_along_the_grid_has_its_volume_and_area():
    y = (np.arange(60) - 30.0) * 0.05
    distance = np.broadcast_to((np.abs(y) - 0.51)[None, :, None], (20, 60, 10)).astype(np.float32)
    volume, area = volume_and_area(distance, (0.05, 0.05, 0.05))
    assert volume == pytest.approx(1.02 * 0.5, rel=1e-6)
    assert area == pytest.approx(2 * 0.5, rel=1e-6)


def test_a_reference_of_a_few_voxels_is_refused():
    labels = label_grid((12, 12, 12), (0.1, 0.1, 0.1))
    labels.array[5:7, 5:7, 5:7] = 1
    with pytest.raises(InputError, match="too small: nothing of its 2 × 2 × 2 voxels"):
        reference.of_labels(labels)


def test_a_label_file_is_loaded(tmp_path):
    write(ball(), tmp_path / "ball.nrrd")
    found = reference.load(tmp_path / "ball.nrrd")
    np.testing.assert_array_equal(found.field.values, reference.of_labels(ball()).field.values)
    assert found.source.endswith("ball.nrrd")


def test_a_label_file_without_a_voxel_size_is_refused(tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "ball.tif", ball().array)
    with pytest.raises(InputError, match="tells no voxel size") as caught:
        reference.load(tmp_path / "ball.tif")
    assert "--spacing-um 20" in caught.value.remedy


def test_bounds_of_the_reference():
    np.testing.assert_allclose(reference.of_labels(ball()).bounds_mm, [CENTRE - 0.8, CENTRE + 0.8], atol=0.07)


def test_distance_slab_agrees_with_the_distance_at_the_voxel_centres():
    from scipy.spatial.transform import Rotation

    found = reference.of_labels(ball())
    tilted = Rotation.from_euler("xyz", [20, -30, 50], degrees=True).as_matrix()
    grid = label_grid((12, 9, 7), (0.11, 0.2, 0.15), (4.0, -2.0, 1.0), tilted)
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", [-10, 5, 80], degrees=True).as_matrix()
    matrix[:3, 3] = CENTRE - matrix[:3, :3] @ world(grid).mean(axis=0)
    pose = Pose(matrix)
    slab = reference.distance_slab(found, pose, grid, slice(3, 8))
    assert slab.shape == (5, 9, 7)
    assert slab.dtype == np.float32
    assert slab.min() < 0 < slab.max()
    expected = found.distance(pose.apply(world(grid))).reshape(grid.shape)[3:8]
    np.testing.assert_allclose(slab, expected, atol=1e-5)


def test_signed_distance_is_exact_on_a_slanted_plane_and_close_far_away():
    normal = np.array([0.48, 0.6, 0.64])
    z, y, x = np.indices((40, 40, 40))
    true = (normal[0] * (z - 20) + normal[1] * (y - 20) + normal[2] * (x - 20)) * 0.1
    found = signed_distance((3 * np.tanh(true)).astype(np.float32), (0.1, 0.1, 0.1))
    middle = np.s_[12:28, 12:28, 12:28]
    assert np.abs(found - true)[middle].max() < 0.01
    assert np.abs(found - true)[middle][np.abs(true[middle]) < 0.05].max() < 1e-3


def test_signed_distance_without_a_surface_is_infinite():
    assert np.isposinf(signed_distance(np.ones((4, 4, 4), np.float32), (1, 1, 1))).all()


def test_the_parametric_screw_has_the_distance_of_the_phantom(monkeypatch):
    from ImplantSegLib.phantom.screw import Screw
    from ImplantSegQuantLib import implicit

    monkeypatch.setattr(implicit, "MAX_NODES", 2_000_000)
    screw = reference.parse_screw("screw:diameter=3.0,length=6,thread_depth_mm=0.4")
    assert screw == Screw(diameter_mm=3.0, length_mm=6.0, thread_depth_mm=0.4)
    found = reference.of_screw(screw)
    points = np.random.default_rng(1).uniform([-2, -2, 0.5], [2, 2, 5.5], (20_000, 3))
    true = screw.signed_distance(points)
    clear = np.abs(true) > 0.05
    assert ((found.distance(points) < 0) == (true < 0))[clear].all()
    assert np.median(np.abs(found.distance(points) - true)[np.abs(true) < 0.2]) < 0.005


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("screw:diametre=3.5", "did you mean 'diameter'"),
        ("screw:length=long", "wanted a number"),
        ("screw:length=1", "screw of 1.0 mm"),
        ("nowhere/screw.stl", "no file"),
        ("nowhere/screw.nrrd", "nowhere"),
    ],
)
def test_a_reference_that_cannot_be_loaded_says_why(text, match):
    with pytest.raises(InputError, match=match):
        reference.load(text)


def sphere_mesh(path, closed=True, scale=1.0):
    from vtkmodules.vtkFiltersSources import vtkSphereSource
    from vtkmodules.vtkIOGeometry import vtkOBJWriter, vtkSTLWriter
    from vtkmodules.vtkIOLegacy import vtkPolyDataWriter
    from vtkmodules.vtkIOPLY import vtkPLYWriter

    source = vtkSphereSource()
    source.SetCenter(*(scale * CENTRE))
    source.SetRadius(scale * 0.8)
    source.SetThetaResolution(48)
    source.SetPhiResolution(48)
    if not closed:
        source.SetEndPhi(120)
    writers = {".stl": vtkSTLWriter, ".obj": vtkOBJWriter, ".ply": vtkPLYWriter, ".vtk": vtkPolyDataWriter}
    writer = writers[path.suffix]()
    writer.SetInputConnection(source.GetOutputPort())
    writer.SetFileName(str(path))
    writer.Write()
    return path


@pytest.mark.parametrize("suffix", [".stl", ".obj", ".ply", ".vtk"])
def test_distance_from_a_mesh(tmp_path, monkeypatch, suffix):
    from ImplantSegQuantLib import implicit

    monkeypatch.setattr(implicit, "MAX_NODES", 100_000)
    found = reference.load(sphere_mesh(tmp_path / f"ball{suffix}"))
    true = np.linalg.norm(probes() - CENTRE, axis=1) - 0.8
    assert np.abs(found.distance(probes()) - true)[np.abs(true) < 0.6].max() < 0.03


def contour_mesh(path, values, step_mm):
    """Marching cubes of a field: a mesh with the sliver triangles that real ones have."""
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D
    from vtkmodules.vtkIOGeometry import vtkSTLWriter

    image, contour, writer = vtkImageData(), vtkFlyingEdges3D(), vtkSTLWriter()
    image.SetDimensions(*values.shape[::-1])
    image.SetSpacing(*[step_mm] * 3)
    image.GetPointData().SetScalars(numpy_to_vtk(values.ravel(), deep=True))
    contour.SetInputData(image)
    contour.SetValue(0, 0.0)
    writer.SetInputConnection(contour.GetOutputPort())
    writer.SetFileName(str(path))
    writer.Write()
    return path


def test_sliver_triangles_do_not_turn_the_sign(tmp_path, monkeypatch):
    from ImplantSegLib.phantom.screw import Screw
    from ImplantSegQuantLib import implicit

    monkeypatch.setattr(implicit, "MAX_NODES", 300_000)
    screw, step = Screw(diameter_mm=3.0, length_mm=5.0), 0.1
    z, y, x = np.indices((56, 60, 60)) * step
    points = np.stack([x.ravel() - 2.95, y.ravel() - 2.95, z.ravel() - 0.25], axis=1)
    values = screw.signed_distance(points).reshape(z.shape)
    found = reference.load(contour_mesh(tmp_path / "screw.stl", values, step))
    clear = np.abs(values) > 0.1
    nodes = np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1)
    assert ((found.distance(nodes).reshape(z.shape) < 0) == (values < 0))[clear].all()


def test_a_mesh_that_intersects_itself_is_refused(tmp_path, monkeypatch):
    from vtkmodules.vtkFiltersCore import vtkAppendPolyData
    from vtkmodules.vtkFiltersSources import vtkSphereSource
    from vtkmodules.vtkIOGeometry import vtkSTLWriter

    from ImplantSegQuantLib import implicit

    monkeypatch.setattr(implicit, "MAX_NODES", 100_000)
    both, writer = vtkAppendPolyData(), vtkSTLWriter()
    for shift in (0.0, 0.3):
        ball_source = vtkSphereSource()
        ball_source.SetCenter(shift, 0, 0)
        both.AddInputConnection(ball_source.GetOutputPort())
    writer.SetInputConnection(both.GetOutputPort())
    writer.SetFileName(str(tmp_path / "two.stl"))
    writer.Write()
    with pytest.raises(InputError, match="not clean"):
        reference.load(tmp_path / "two.stl")


@pytest.mark.parametrize("scale", [1000.0, 0.001])
def test_a_mesh_in_other_units_has_a_shape_that_can_be_compared(tmp_path, monkeypatch, scale):
    from ImplantSegQuantLib import implicit

    monkeypatch.setattr(implicit, "MAX_NODES", 100_000)
    found = reference.load(sphere_mesh(tmp_path / "ball.stl", scale=scale))
    np.testing.assert_allclose(found.bounds_mm, scale * np.array([CENTRE - 0.8, CENTRE + 0.8]), atol=0.15 * scale)


def test_an_open_mesh_is_refused(tmp_path):
    with pytest.raises(InputError, match="not closed"):
        reference.load(sphere_mesh(tmp_path / "bowl.stl", closed=False))


def test_a_file_that_is_no_mesh_is_refused(tmp_path):
    (tmp_path / "text.stl").write_text("this is no mesh\n")
    with pytest.raises(InputError, match="no triangles"):
        reference.load(tmp_path / "text.stl")


def test_a_scan_is_no_reference():
    scan = label_grid((8, 8, 8), (0.1, 0.1, 0.1))
    with pytest.raises(InputError, match="no voxel of value 0"):
        reference.of_labels(scan.like(np.full(scan.shape, 100, np.uint16)))
