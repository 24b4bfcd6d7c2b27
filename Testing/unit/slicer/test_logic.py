"""ImplantSegLogic.segment: from a volume of the scene, or a file, to the segmentation on it, with real child processes.

The scan is a bright box in the dark, which the model that comes with the program calls bone, voxel for voxel.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Volume, read, write

pytestmark = pytest.mark.torch

C, S = np.cos(0.3), np.sin(0.3)
OBLIQUE = ((C, -S, 0.0), (S, C, 0.0), (0.0, 0.0, 1.0))
BRIGHT = (slice(6, 14), slice(10, 34), slice(30, 58))


@pytest.fixture
def logic(host, root):
    return host.load(root / "ImplantSeg" / "ImplantSeg.py").logic


def scan_values():
    noise = np.random.default_rng(0).normal(0, 0.02, (24, 64, 64))
    values = 0.2 + noise
    values[BRIGHT] += 0.5
    return (10000 * values).astype(np.uint16)


@pytest.fixture
def scan_file(tmp_path):
    write(Volume(scan_values(), (0.01, 0.01, 0.01), (1.0, 2.0, 3.0), OBLIQUE), tmp_path / "scan.nrrd")
    return tmp_path / "scan.nrrd"


@pytest.fixture
def volume(host, scan_file):
    """The scan in the scene, made there: no file holds it."""
    import slicer
    import vtk

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan")
    slicer.util.updateVolumeFromArray(node, scan_values())
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy((-C, S, 0, 0, -S, -C, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1))
    node.SetIJKToRASDirectionMatrix(matrix)
    node.SetSpacing(0.01, 0.01, 0.01)
    node.SetOrigin(-1, -2, 3)
    return node


def bright_box_in_world(node):
    """Two opposite corners, in the world, of the box that is bone."""
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    image = node.GetSegmentation().GetSegment("bone").GetRepresentation("Binary labelmap")
    bone = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1]) == 3
    # planes that are bone in their better half: a network may round the edges of a box
    counts = [bone.sum(axis=axes) for axes in ((0, 1), (0, 2), (1, 2))]
    planes = [np.flatnonzero(count > count.max() / 2) for count in counts]
    to_world, parent, both = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(to_world)
    if node.GetParentTransformNode():
        node.GetParentTransformNode().GetMatrixTransformToWorld(parent)
    vtk.vtkMatrix4x4.Multiply4x4(parent, to_world, both)
    corners = [[one[0] - 0.5 for one in planes], [one[-1] + 0.5 for one in planes]]
    return [np.array(both.MultiplyPoint((*corner, 1))[:3]) for corner in corners]


def expected_box_in_world(volume):
    from ImplantSegLib.inslicer import geometry

    to_world = geometry.ijk_to_world(volume)
    low = [one.start - 0.5 for one in BRIGHT[::-1]]
    high = [one.stop - 0.5 for one in BRIGHT[::-1]]
    return [(to_world @ (*corner, 1))[:3] for corner in (low, high)]


def put_under_a_transform(node):
    import slicer
    import vtk

    transform = vtk.vtkTransform()
    transform.Translate(4, 5, 6)
    transform.RotateWXYZ(50, 1, 2, 3)
    parent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    parent.SetMatrixTransformToParent(transform.GetMatrix())
    node.SetAndObserveTransformNodeID(parent.GetID())


def left_over():
    import slicer

    return [path.name for path in Path(slicer.app.temporaryPath).glob("ImplantSeg-*")]


def test_the_segmentation_of_an_oblique_volume_under_a_transform_lies_on_it(logic, volume):
    put_under_a_transform(volume)
    node = logic.segment(volume, device="cpu")
    assert node.GetName() == "scan segmentation"
    assert node.GetTransformNodeID() == volume.GetTransformNodeID()
    assert node.GetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole()) == volume.GetID()
    np.testing.assert_allclose(bright_box_in_world(node), expected_box_in_world(volume), atol=1e-9)
    assert left_over() == []


def test_cropped_and_binned_it_lies_there_too(logic, volume):
    import slicer

    from ImplantSegLib.inslicer import geometry

    put_under_a_transform(volume)
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    geometry.fit_roi(roi, geometry.ijk_to_world(volume), (24, 64, 64))
    roi.SetSize(0.6, 0.6, 0.2)  # voxels 2 to 62, 2 to 62 and 2 to 22
    node = logic.segment(volume, roi=roi, binning=2, device="cpu")
    image = node.GetSegmentation().GetSegment("bone").GetRepresentation("Binary labelmap")
    assert image.GetDimensions() == (30, 30, 10)
    np.testing.assert_allclose(image.GetSpacing(), [0.02] * 3)
    np.testing.assert_allclose(bright_box_in_world(node), expected_box_in_world(volume), atol=1e-9)


def test_a_second_run_replaces_the_segments_and_makes_the_uncertainty(logic, volume):
    first = logic.segment(volume, device="cpu")
    identity = first.GetID()
    again = logic.segment(volume, device="cpu", segmentation=first, uncertainty=True, surface=True)
    assert again.GetID() == identity
    assert again.GetSegmentation().ContainsRepresentation("Closed surface")
    import slicer

    unsure = slicer.util.getNode("scan uncertainty*")
    assert slicer.util.arrayFromVolume(unsure).shape == (24, 64, 64)


def test_a_file_is_segmented_into_a_file_of_any_format_and_loaded(logic, scan_file, tmp_path):
    node = logic.segment(path=scan_file, output_path=tmp_path / "labels.nrrd", device="cpu", uncertainty=True)
    assert node.GetName() == "scan segmentation"
    assert (np.asarray(read(tmp_path / "labels.nrrd").array[:])[BRIGHT] == 3).all()
    assert (tmp_path / "labels-uncertainty.nrrd").is_file()
    bright_box_in_world(node)
    assert left_over() == []


def test_a_region_of_a_file_that_does_not_know_its_voxel_size(logic, tmp_path):
    import slicer

    from ImplantSegLib.inslicer import geometry, mrml
    from ImplantSegLib.inslicer.segmenting import describe

    write(Volume(scan_values(), (1, 1, 1), metadata={"voxel_size_known": "no"}), tmp_path / "scan.nrrd")
    to_world = mrml.ijk_to_ras(describe(tmp_path / "scan.nrrd"), 10)
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    geometry.fit_roi(roi, to_world, (24, 64, 64))
    roi.SetSize(0.64, 0.64, 0.2)
    node = logic.segment(
        path=tmp_path / "scan.nrrd", roi=roi, voxel_size_um=10, output_path=tmp_path / "l.seg.nrrd", device="cpu"
    )
    image = node.GetSegmentation().GetSegment("bone").GetRepresentation("Binary labelmap")
    assert image.GetDimensions() == (64, 64, 20)
    np.testing.assert_allclose(image.GetSpacing(), [0.01] * 3)


def test_a_volume_is_used_from_its_file_unless_it_was_changed_or_the_file_is_gone(host, scan_file):
    import slicer

    from ImplantSegLib.inslicer import mrml

    node = slicer.util.loadVolume(str(scan_file))
    assert mrml.file_of(node) == scan_file
    node.SetSpacing(0.02, 0.02, 0.02)
    assert mrml.file_of(node) is None
    other = slicer.util.loadVolume(str(scan_file))
    slicer.util.arrayFromVolume(other)[0] = 5
    slicer.util.arrayFromVolumeModified(other)
    assert mrml.file_of(other) is None
    third = slicer.util.loadVolume(str(scan_file))
    scan_file.unlink()
    assert mrml.file_of(third) is None


def test_a_volume_without_a_voxel_size_gets_the_one_that_is_told(host, volume):
    from ImplantSegLib.inslicer import geometry
    from ImplantSegLib.inslicer.segmenting import Request, Segmenting

    volume.SetSpacing(1, 1, 1)
    work = Segmenting(Request.of(volume, voxel_size_um=10))
    assert "--spacing-um" not in work.steps()[0].arguments
    assert read(work.folder / "scan.nrrd").spacing_mm == (0.01, 0.01, 0.01)
    assert geometry.voxel_size_um(volume) == (10, 10, 10)
    work.close()
    assert left_over() == []


@pytest.mark.parametrize("value", [7.0, float("nan")])
def test_a_volume_without_contrast_or_with_nan_is_refused_in_a_sentence(logic, volume, value):
    import slicer

    slicer.util.updateVolumeFromArray(volume, np.full((16, 16, 16), value, np.float32))
    with pytest.raises(InputError) as caught:
        logic.segment(volume, device="cpu")
    assert caught.value.kind != "bug"
    assert caught.value.remedy
    assert left_over() == []


def test_what_is_no_scan_is_refused(logic, volume, host):
    import slicer

    with pytest.raises(InputError, match="no scan was chosen"):
        logic.segment(None)
    with pytest.raises(InputError, match="has no voxels"):
        logic.segment(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"))
    labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    slicer.util.updateVolumeFromArray(labels, np.ones((4, 4, 4), np.uint8))
    with pytest.raises(InputError, match="holds labels"):
        logic.segment(labels)
    colours = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "colours")
    slicer.util.updateVolumeFromArray(colours, np.ones((4, 4, 4, 3), np.uint8))
    with pytest.raises(InputError, match="several values"):
        logic.segment(colours)
    bending = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "bending")
    volume.SetAndObserveTransformNodeID(bending.GetID())
    with pytest.raises(InputError, match="lies under bending, which bends it; harden"):
        logic.segment(volume)
    assert left_over() == []


def test_a_missing_file_and_an_unknown_option_are_named(logic, tmp_path):
    with pytest.raises(InputError, match="there is no"):
        logic.segment(path=tmp_path / "none.nrrd")
    with pytest.raises(TypeError, match="there are no options bining"):
        logic.segment(path=tmp_path / "none.nrrd", bining=2)


def test_a_full_disk_is_told_before_the_copy(logic, volume, monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(InputError, match=r"cannot write a copy of scan .* free there"):
        logic.segment(volume)
    assert left_over() == []


def test_what_interrupts_the_wait_ends_the_run(host, monkeypatch, tmp_path):
    from ImplantSegLib.inslicer import blocking
    from ImplantSegLib.inslicer.runner import Step

    started = []

    class Watched(blocking.Worker):
        def __init__(self, arguments, env):
            super().__init__([sys.executable, "-c", "import time; time.sleep(60)"], env)
            started.append(self)

        def poll(self):
            raise KeyboardInterrupt

    monkeypatch.setattr(blocking, "Worker", Watched)
    with pytest.raises(KeyboardInterrupt):
        blocking.run([Step("waiting", "info", [tmp_path])])
    started[0].wait(5)
    assert started[0].exit_code not in (None, 0)


@pytest.mark.slow
def test_the_self_test_of_the_module(host, root):
    module = sys.modules[type(host.load(root / "ImplantSeg" / "ImplantSeg.py")).__module__]
    module.ImplantSegTest().runTest()
