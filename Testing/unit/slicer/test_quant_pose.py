"""Poses between files and transforms of the scene: both directions, by points; how a fit is judged."""

import numpy as np
import pytest
from explant import explant

from ImplantSegLib.errors import InputError
from ImplantSegLib.phantom.screw import Screw
from ImplantSegQuantLib.pose import Pose, load_pose, save_pose


@pytest.fixture
def transform(host, tmp_path):
    """The known pose of the explant, through its file."""
    from ImplantSegQuantLib.inslicer import load, pose

    save_pose(Pose(explant().pose), tmp_path / "pose.tfm")
    node = load.new_pose("sample")
    pose.read_pose(tmp_path / "pose.tfm", node)
    return node


def test_the_transform_moves_the_reference_onto_the_segmentation(transform):
    from ImplantSegQuantLib.inslicer.pose import scan_from_reference

    # points of the screw's axis and just outside of its shaft, (x, y, z) LPS in the screw's own world
    z = np.linspace(0.6, 3.0, 13)
    inside = np.column_stack([np.zeros_like(z), np.zeros_like(z), z])
    outside = inside + np.array([1.9, 0, 0])
    volume = explant().volume
    for points, implant in ((inside, True), (outside, False)):
        ras = np.column_stack([points * [-1, -1, 1], np.ones(len(points))])
        lps = (scan_from_reference(transform) @ ras.T).T * [-1, -1, 1, 1]
        index = np.rint((np.linalg.inv(volume.index_to_world) @ lps.T)[:3]).astype(int)
        seen = ((index >= 0) & (index < np.array(volume.shape)[:, None])).all(axis=0)
        assert seen.sum() >= 5
        assert set(np.isin(volume.array[tuple(index[:, seen])], (1, 2))) == {implant}


def test_every_voxel_of_the_implant_lies_in_the_moved_reference(transform):
    from ImplantSegQuantLib.inslicer.pose import scan_from_reference

    volume = explant().volume
    index = np.argwhere(volume.array == 1)
    lps = np.column_stack([index, np.ones(len(index))]) @ volume.index_to_world.T
    ras = lps * [-1, -1, 1, 1]
    back = (np.linalg.inv(scan_from_reference(transform)) @ ras.T).T * [-1, -1, 1, 1]
    assert Screw().signed_distance(back[:, :3]).max() < 0


def test_a_pose_that_was_moved_by_hand_is_written_as_register_reads_it(transform, tmp_path):
    from ImplantSegQuantLib.inslicer import pose
    from ImplantSegQuantLib.inslicer.geometry import matrix_of

    nudge = np.eye(4)
    nudge[:3, 3] = [0.1, -0.2, 0.3]  # RAS
    transform.SetMatrixTransformToParent(matrix_of(nudge @ pose.scan_from_reference(transform)))
    written = load_pose(pose.write_pose(transform, tmp_path / "nudged.tfm")).matrix
    back = np.eye(4)
    back[:3, 3] = [0.1, -0.2, -0.3]  # the inverse motion, LPS
    np.testing.assert_allclose(written, explant().pose @ back, atol=1e-12)


def test_a_transform_that_scales_is_no_pose(transform, tmp_path):
    from ImplantSegQuantLib.inslicer import pose
    from ImplantSegQuantLib.inslicer.geometry import matrix_of

    transform.SetMatrixTransformToParent(matrix_of(np.diag([1.1, 1, 1, 1])))
    with pytest.raises(InputError, match="is not rigid"):
        pose.write_pose(transform, tmp_path / "scaled.tfm")


def test_a_missing_file_is_told(transform, tmp_path):
    from ImplantSegQuantLib.inslicer import pose

    with pytest.raises(InputError, match="there is no pose in"):
        pose.read_pose(tmp_path / "none.tfm", transform)


def test_moving_a_settled_pose_is_noticed(transform):
    from ImplantSegQuantLib.inslicer import pose
    from ImplantSegQuantLib.inslicer.geometry import matrix_of

    assert pose.was_moved(transform)  # nobody has taken it yet
    pose.settle(transform, {"score": 0.1}, "inputs")
    assert not pose.was_moved(transform)
    assert pose.quality(transform) == {"score": 0.1}
    transform.SetMatrixTransformToParent(matrix_of(np.eye(4)))
    assert pose.was_moved(transform)


def test_handles_move_and_turn_but_never_scale(transform):
    from ImplantSegQuantLib.inslicer import pose

    assert not pose.handles_shown(transform)
    pose.show_handles(transform, True)
    display = transform.GetDisplayNode()
    assert pose.handles_shown(transform)
    assert display.GetEditorVisibility3D()
    assert display.GetEditorSliceIntersectionVisibility()
    assert not display.GetEditorScalingEnabled()
    assert not display.GetEditorScalingSliceEnabled()
    pose.show_handles(transform, False)
    assert not pose.handles_shown(transform)


def test_the_surface_lies_in_the_scan_and_moves_with_its_pose(transform, tmp_path):
    from vtk.util.numpy_support import vtk_to_numpy

    from ImplantSegQuantLib.inslicer import colours, load, meshes, pose
    from ImplantSegQuantLib.mesh_file import Surface, write_surface

    points = np.array([[0, 0, 31], [1, 0, 31], [0, 1, 31]], np.float32)  # LPS
    distance = {"distance_um": np.array([-80, 0, 10], np.float32), "inside_fov": np.ones(3, np.uint8)}
    write_surface(Surface(points, np.array([[0, 1, 2]], np.int32), distance), tmp_path / "reference.vtp")
    model = load.show_reference(tmp_path / "reference.vtp", transform, "sample")
    assert model.GetParentTransformNode() is transform
    shown = meshes.moved(model.GetPolyData(), pose.scan_from_reference(transform))
    np.testing.assert_allclose(vtk_to_numpy(shown.GetPoints().GetData()), points * [-1, -1, 1], atol=1e-5)
    display = model.GetDisplayNode()
    assert display.GetActiveScalarName() == "distance_um"
    assert display.GetScalarRange() == (-100, 100)
    assert colours.legend_of(model).GetTitleText() == "Distance from the reference (µm)"
    colours.show(model, False)
    assert not colours.legend_of(model).GetVisibility()
    centre = transform.GetCenterOfTransformation()
    np.testing.assert_allclose(centre, np.array(model.GetPolyData().GetBounds()).reshape(3, 2).mean(axis=1), atol=1e-6)


GOOD = {
    "surface_distance_mean_um": 9.5, "surface_distance_95_um": 26.1, "sound_percent": 80.0, "outside_percent": 0.0,
    "filled_percent": 99.0, "slide_um": 800.0, "slide_volume_percent": 0.01,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({}, "good"),
        ({"sound_percent": 20.0}, "look at it"),
        ({"slide_volume_percent": 2.0}, "look at it"),
        ({"outside_percent": 2.6}, "poor"),
        ({"filled_percent": 10.0}, "poor"),
    ],
)
def test_a_fit_is_judged_by_its_worst_figure(host, change, word):
    from ImplantSegQuantLib.inslicer import grade

    verdict = grade.grade({**GOOD, **change})
    assert verdict.word == word
    assert bool(verdict.reasons) == (word != "good")
    assert word in grade.text({**GOOD, **change})


def test_a_pose_set_by_hand_is_not_judged(host):
    from ImplantSegQuantLib.inslicer import grade

    assert grade.grade({}).word == "not assessed"


def test_limits_are_those_at_which_register_refuses(host):
    from ImplantSegQuantLib import fit
    from ImplantSegQuantLib.inslicer.grade import LIMITS

    assert LIMITS == {
        "outside_percent": fit.OUTSIDE_LIMIT_PERCENT,
        "sound_percent": fit.SOUND_LIMIT_PERCENT,
        "filled_percent": fit.FILLED_LIMIT_PERCENT,
    }
