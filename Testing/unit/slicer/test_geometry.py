"""Regions of interest as boxes of voxels, wherever scan and region lie."""

import numpy as np
import pytest

from ImplantSegLib.errors import InputError

SHAPE = (10, 20, 30)  # (z, y, x)
STEPS = (0.5, 0.25, 1.0)  # along x, y, z


@pytest.fixture
def geometry(host):
    from ImplantSegLib.inslicer import geometry

    return geometry


@pytest.fixture
def volume(host):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan")
    slicer.util.updateVolumeFromArray(node, np.zeros(SHAPE, np.int16))
    node.SetSpacing(*STEPS)
    node.SetOrigin(-3, 5, 7)
    return node


@pytest.fixture
def roi(host):
    import slicer

    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "region")


def turned(node, degrees=30.0):
    """Give the axes of a volume another direction."""
    import vtk

    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy((c, -s, 0, 0, s, c, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1))
    node.SetIJKToRASDirectionMatrix(matrix)


def put_under(node, *translation, degrees=0.0):
    """Put a node under a new linear transform."""
    import slicer
    import vtk

    transform = vtk.vtkTransform()
    transform.Translate(*translation)
    transform.RotateWXYZ(degrees, 1, 2, 3)
    parent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    parent.SetMatrixTransformToParent(transform.GetMatrix())
    node.SetAndObserveTransformNodeID(parent.GetID())


def place(roi, first, last):
    """Give a region two opposite corners, in RAS."""
    first, last = np.array(first, float), np.array(last, float)
    roi.SetCenter(*((first + last) / 2))
    roi.SetSize(*(last - first))


def box(geometry, roi, volume):
    return str(geometry.roi_box(roi, geometry.ijk_to_world(volume), geometry.shape(volume)))


def test_faces_of_voxels_cut_between_voxels(geometry, roi, volume):
    # voxel i reaches from -3 + (i - 0.5) * 0.5 to -3 + (i + 0.5) * 0.5
    place(roi, (-3 + 3.5 * 0.5, 5 + 1.5 * 0.25, 7 - 0.5), (-3 + 7.5 * 0.5, 5 + 11.5 * 0.25, 7 + 1.5))
    assert box(geometry, roi, volume) == "0:2,2:12,4:8"


def test_a_voxel_that_is_touched_is_in(geometry, roi, volume):
    place(roi, (-3 + 3.4 * 0.5, 5 + 1.6 * 0.25, 7.1), (-3 + 7.6 * 0.5, 5 + 11.4 * 0.25, 7.2))
    assert box(geometry, roi, volume) == "0:1,2:12,3:9"


def test_what_reaches_beyond_the_scan_is_left_out(geometry, roi, volume):
    place(roi, (-100, 5 + 1.5 * 0.25, -100), (100, 5 + 11.5 * 0.25, 7 + 1.5))
    assert box(geometry, roi, volume) == "0:2,2:12,0:30"


@pytest.mark.parametrize("centre", [(-100, 5, 7), (0, 5, 17.0)])
def test_a_region_beside_the_scan_is_refused(geometry, roi, volume, centre):
    roi.SetCenter(*centre)
    roi.SetSize(1, 1, 1)
    with pytest.raises(InputError, match="the region region lies outside the scan"):
        box(geometry, roi, volume)


def test_a_region_that_was_not_drawn_is_refused(geometry, roi, volume):
    with pytest.raises(InputError, match="has no size"):
        box(geometry, roi, volume)
    roi.SetCenter(0, 5, 7)
    roi.SetSize(1, 0, 1)
    with pytest.raises(InputError, match="has no size"):
        box(geometry, roi, volume)


def test_the_box_follows_the_axes_of_an_oblique_scan(geometry, roi, volume):
    turned(volume)
    put_under(volume, 3, -2, 8, degrees=40)
    to_world = geometry.ijk_to_world(volume)
    centre = to_world @ (12, 9, 4, 1)
    roi.SetCenter(*centre[:3])
    roi.SetSize(0.01, 0.01, 0.01)
    assert box(geometry, roi, volume) == "4:5,9:10,12:13"


def test_the_transform_of_the_region_counts(geometry, roi, volume):
    place(roi, (-3 + 3.5 * 0.5, 5 + 1.5 * 0.25, 7 - 0.5), (-3 + 7.5 * 0.5, 5 + 11.5 * 0.25, 7 + 1.5))
    put_under(roi, 0.5, 0.5, 2.0)
    assert box(geometry, roi, volume) == "2:4,4:14,5:9"


def test_a_turned_region_is_covered_by_its_corners(geometry, roi, volume):
    volume.SetSpacing(1, 1, 1)
    volume.SetOrigin(0, 0, 0)
    roi.SetCenter(0, 0, 0)
    roi.SetSize(4, 4, 2)
    put_under(roi, 10, 10, 5)
    roi.GetParentTransformNode().SetMatrixTransformToParent(_quarter(10, 10, 5))
    # the square of side 4, on its corner, reaches 2 √2 to either side of (10, 10)
    assert box(geometry, roi, volume) == "4:7,7:14,7:14"


def _quarter(x, y, z):
    import vtk

    transform = vtk.vtkTransform()
    transform.Translate(x, y, z)
    transform.RotateZ(45)
    return transform.GetMatrix()


def test_fit_makes_the_region_the_scan_itself(geometry, roi, volume):
    turned(volume)
    put_under(volume, 3, -2, 8, degrees=40)
    put_under(roi, 50, 50, 50)
    geometry.fit_roi(roi, geometry.ijk_to_world(volume), SHAPE)
    assert box(geometry, roi, volume) == "0:10,0:20,0:30"
    np.testing.assert_allclose(roi.GetSize(), np.array(SHAPE[::-1]) * STEPS)


def test_the_voxel_size_of_a_volume(geometry, volume):
    assert geometry.voxel_size_um(volume) == (1000, 250, 500)
    assert geometry.voxel_size_known(volume)
    volume.SetSpacing(1, 1, 1)
    assert not geometry.voxel_size_known(volume)
    geometry.set_voxel_size(volume, 5)
    assert geometry.voxel_size_um(volume) == (5, 5, 5)
    assert volume.GetOrigin() == (-3, 5, 7)


def test_a_file_lies_where_slicer_loads_it(geometry, tmp_path):
    from ImplantSegLib.inslicer import mrml
    from ImplantSegLib.volumes import Volume, read, write
    from ImplantSegLib.volumes.describe import facts

    c, s = np.cos(0.3), np.sin(0.3)
    scan = Volume(np.zeros((2, 3, 4), np.uint8), (0.01, 0.02, 0.03), (1, 2, 3), ((c, -s, 0), (s, c, 0), (0, 0, 1)))
    path = tmp_path / "scan.nrrd"
    write(scan, path)
    told = facts(path, read(path), with_values=False)
    loaded = geometry.ijk_to_world(mrml.load_volume(path, "scan"))
    np.testing.assert_allclose(mrml.ijk_to_ras(told), loaded, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(mrml.ijk_to_ras(told, 5)[:3, :3], axis=0), 0.005)
