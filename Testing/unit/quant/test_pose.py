from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from scipy.spatial.transform import Rotation

from ImplantSegLib.errors import InputError
from ImplantSegQuantLib.pose import Pose, check_output, load_pose, save_pose


def tilted() -> Pose:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", [12.3, -45.6, 78.9], degrees=True).as_matrix()
    matrix[:3, 3] = 1.25, -3.5, 1e-3 / 3
    return Pose(matrix)


@pytest.mark.parametrize("name", ["pose.tfm", "pose.h5"])
def test_a_pose_survives_its_file_to_the_last_digit(tmp_path, name):
    save_pose(tilted(), tmp_path / name)
    np.testing.assert_allclose(load_pose(tmp_path / name).matrix, tilted().matrix, rtol=0, atol=1e-15)


def test_itk_maps_points_of_the_scan_to_the_reference(tmp_path):
    save_pose(tilted(), tmp_path / "pose.tfm")
    point = np.array([0.5, -2.0, 7.0])
    there = np.array(sitk.ReadTransform(str(tmp_path / "pose.tfm")).TransformPoint(point.tolist()))
    np.testing.assert_allclose(there, tilted().apply(point[None])[0], atol=1e-12)
    np.testing.assert_allclose(tilted().inverse().apply(there[None])[0], point, atol=1e-12)


def test_itk_resamples_the_reference_onto_the_scan(tmp_path):
    """The file is in ITK's resampling direction: a voxel of the reference appears where the inverse puts it."""
    save_pose(Pose(np.array([[1.0, 0, 0, 2], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])), tmp_path / "pose.tfm")
    reference = np.zeros((3, 3, 8), np.uint8)
    reference[1, 1, 5] = 1
    image = sitk.GetImageFromArray(reference)
    moved = sitk.Resample(image, image, sitk.ReadTransform(str(tmp_path / "pose.tfm")), sitk.sitkNearestNeighbor)
    assert np.argwhere(sitk.GetArrayFromImage(moved)).tolist() == [[1, 1, 3]]


def test_rigid_transforms_of_other_classes_are_read(tmp_path):
    euler = sitk.Euler3DTransform((4.0, 5.0, 6.0), 0.1, -0.2, 0.3, (1.0, 2.0, 3.0))
    sitk.WriteTransform(euler, str(tmp_path / "euler.tfm"))
    point = np.array([[0.3, 0.2, 0.1]])
    expected = euler.TransformPoint(point[0].tolist())
    np.testing.assert_allclose(load_pose(tmp_path / "euler.tfm").apply(point)[0], expected, atol=1e-12)


def test_a_transform_that_scales_or_mirrors_is_refused(tmp_path):
    for number, diagonal in enumerate([(1.01, 1, 1), (-1, 1, 1)]):
        transform = sitk.AffineTransform(3)
        transform.SetMatrix(np.diag(diagonal).astype(float).ravel().tolist())
        path = tmp_path / f"{number}.tfm"
        sitk.WriteTransform(transform, str(path))
        with pytest.raises(InputError, match="not rigid"):
            load_pose(path)


def test_what_is_no_pose_is_refused(tmp_path):
    (tmp_path / "text.tfm").write_text("nothing\n")
    with pytest.raises(InputError, match="not a transform"):
        load_pose(tmp_path / "text.tfm")
    with pytest.raises(InputError, match="no file"):
        load_pose(tmp_path / "absent.tfm")
    plane = tmp_path / "plane.tfm"
    sitk.WriteTransform(sitk.Euler2DTransform(), str(plane))
    with pytest.raises(InputError, match="linear transform of space"):
        load_pose(plane)


def test_a_name_that_no_pose_can_have_is_refused_before_the_work(tmp_path):
    (tmp_path / "folder.tfm").mkdir()
    (tmp_path / "file").write_text("")
    check_output(tmp_path / "new" / "pose.tfm")
    for name, words in (("pose.xyz", "ends with .tfm"), ("folder.tfm", "is a folder"), ("file/pose.h5", "is a file")):
        with pytest.raises(InputError, match=words):
            check_output(tmp_path / name)
