"""Segmentations, volumes and models of the scene as files of a run: what is what, and where it lies."""

import numpy as np
import pytest
from explant import SHAPE, explant

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import read


@pytest.fixture
def node(host, tmp_path):
    import slicer

    return slicer.util.loadSegmentation(str(explant().write(tmp_path / "labels.seg.nrrd")))


def under(node, matrix):
    """Put a node under a linear transform."""
    import slicer

    from ImplantSegQuantLib.inslicer.geometry import matrix_of

    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    transform.SetMatrixTransformToParent(matrix_of(matrix))
    node.SetAndObserveTransformNodeID(transform.GetID())
    return transform


def turned(degrees=30.0):
    """Give an oblique rigid motion, RAS."""
    angle = np.radians(degrees)
    matrix = np.eye(4)
    matrix[:3, :3] = [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    matrix[:3, 3] = [5.0, -3.0, 2.0]
    return matrix


def test_a_segmentation_becomes_the_labels_that_it_came_from(node, tmp_path):
    from ImplantSegQuantLib.inslicer import labels

    written = read(labels.save_labels(node, tmp_path / "out.nrrd"))
    wanted = explant().volume
    assert np.array_equal(written.array[:], wanted.array)
    np.testing.assert_allclose(written.index_to_world, wanted.index_to_world, atol=1e-12)


def test_an_empty_border_of_the_scan_is_kept(node, tmp_path):
    from ImplantSegQuantLib.inslicer import labels

    for name in ("bone", "degradation_layer"):
        node.GetSegmentation().RemoveSegment(name)
    written = read(labels.save_labels(node, tmp_path / "out.nrrd"))
    assert written.shape == SHAPE
    assert set(np.unique(written.array[:])) == {0, 1}


def test_a_linear_transform_goes_into_the_geometry(node, tmp_path):
    from ImplantSegQuantLib.inslicer import labels
    from ImplantSegQuantLib.inslicer.geometry import LPS_FROM_RAS

    under(node, turned())
    written = read(labels.save_labels(node, tmp_path / "out.nrrd"))
    index_to_ras = turned() @ LPS_FROM_RAS @ explant().volume.index_to_world
    np.testing.assert_allclose(written.index_to_world, LPS_FROM_RAS @ index_to_ras, atol=1e-9)
    assert np.array_equal(written.array[:], explant().volume.array)


def test_a_transform_that_shears_is_refused(node, tmp_path):
    from ImplantSegQuantLib.inslicer import labels

    shear = np.eye(4)
    shear[0, 1] = 0.2
    under(node, shear)
    with pytest.raises(InputError, match="shears its voxels; harden the transform"):
        labels.save_labels(node, tmp_path / "out.nrrd")


def test_a_transform_that_bends_is_refused(node, tmp_path):
    import slicer

    from ImplantSegQuantLib.inslicer import labels

    grid = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "bent")
    node.SetAndObserveTransformNodeID(grid.GetID())
    with pytest.raises(InputError, match="lies under the transform bent, which is not linear"):
        labels.save_labels(node, tmp_path / "out.nrrd")


def test_under_a_pose_of_this_module_a_reference_stays_where_it_is(node, tmp_path):
    from ImplantSegQuantLib.inslicer import labels, names

    under(node, turned()).SetAttribute(names.ROLE, names.POSE)
    written = read(labels.save_mask(node, tmp_path / "out.nrrd", "reference"))
    np.testing.assert_allclose(written.index_to_world, explant().volume.index_to_world, atol=1e-12)


@pytest.mark.parametrize("way", ["id", "name", "terminology"])
def test_segments_are_known_by_id_name_or_terminology(node, way):
    import vtk

    from ImplantSegQuantLib.inslicer import labels

    segmentation = node.GetSegmentation()
    old = segmentation.GetSegment("degradation_layer")
    entry = vtk.mutable("")
    old.GetTag("TerminologyEntry", entry)
    segmentation.RemoveSegment("degradation_layer")
    given = {"id": ("Degradation-Layer", "x"), "name": ("Segment_7", "DEGRADATION layer"), "terminology": ("s", "x")}
    identity, name = given[way]
    segmentation.AddEmptySegment(identity, name)
    if way == "terminology":
        segmentation.GetSegment(identity).SetTag("TerminologyEntry", str(entry))
    else:
        segmentation.GetSegment(identity).RemoveTag("TerminologyEntry")
    found = labels.find(node)
    assert found.labels == {"residual_material": 1, "bone": 3, identity: 2}
    assert found.foreign == []


def test_foreign_names_are_told_in_one_sentence(host):
    import slicer

    from ImplantSegQuantLib.inslicer import labels

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "sample")
    node.GetSegmentation().AddEmptySegment("a", "Tumour")
    node.GetSegmentation().AddEmptySegment("b", "Liver")
    with pytest.raises(InputError, match=r"sample has no implant: its segments are Tumour, Liver; name them Residual"):
        labels.check(node, "segmentation")


def test_a_label_volume_becomes_a_mask(host, tmp_path):
    import slicer

    from ImplantSegQuantLib.inslicer import labels

    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "screw")
    array = np.zeros((3, 4, 5), np.int16)
    array[1, 2, 3] = 7
    slicer.util.updateVolumeFromArray(volume, array)
    volume.SetSpacing(0.1, 0.2, 0.3)
    written = read(labels.save_mask(volume, tmp_path / "mask.nrrd", "reference"))
    assert np.array_equal(written.array[:], array != 0)
    np.testing.assert_allclose(written.spacing_mm, (0.3, 0.2, 0.1))


def test_an_empty_volume_is_refused(host, tmp_path):
    import slicer

    from ImplantSegQuantLib.inslicer import labels

    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan")
    with pytest.raises(InputError, match="the scan scan is empty"):
        labels.save_volume(volume, tmp_path / "scan.nrrd", "scan")


def test_a_model_is_written_in_lps_where_its_transform_puts_it(host, tmp_path):
    import slicer
    import vtk

    from ImplantSegQuantLib.inslicer import meshes

    cube = vtk.vtkCubeSource()
    cube.SetBounds(1, 2, 3, 5, -1, 6)
    cube.Update()
    model = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "cube")
    model.SetAndObservePolyData(cube.GetOutput())
    shift = np.eye(4)
    shift[:3, 3] = [10, 20, 30]
    under(model, shift)
    reader = vtk.vtkPLYReader()
    reader.SetFileName(str(meshes.save_model(model, tmp_path / "cube.ply", "reference")))
    reader.Update()
    np.testing.assert_allclose(reader.GetOutput().GetBounds(), (-12, -11, -25, -23, 29, 36), atol=1e-5)
    mass = vtk.vtkMassProperties()
    mass.SetInputData(reader.GetOutput())
    assert mass.GetVolume() == pytest.approx(14, rel=1e-5)


def test_a_model_without_polygons_is_refused(host, tmp_path):
    import slicer

    from ImplantSegQuantLib.inslicer import meshes

    model = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "points")
    with pytest.raises(InputError, match="the reference points has no surface"):
        meshes.save_model(model, tmp_path / "points.ply", "reference")


def test_the_field_of_view_is_what_an_attribute_or_the_file_says(node, tmp_path):
    from dataclasses import replace

    import slicer

    from ImplantSegLib.volumes import write
    from ImplantSegQuantLib.inslicer import fov

    assert fov.known(None, node) == "box"
    volume = replace(explant().volume, metadata={"fov": "circle:21.5,19.5,18"})
    write(volume, tmp_path / "round.seg.nrrd")
    other = slicer.util.loadSegmentation(str(tmp_path / "round.seg.nrrd"))
    assert fov.known(node, other) == "circle:21.5,19.5,18"
    node.SetAttribute(fov.KEY, "circle:1,2,3")
    assert fov.known(node, other) == "circle:1,2,3"


def test_a_cropped_segmentation_keeps_its_grid_and_field_of_view(host, tmp_path):
    from dataclasses import replace

    import slicer

    from ImplantSegLib.inslicer import segments
    from ImplantSegLib.volumes import write
    from ImplantSegQuantLib.inslicer import fov, labels

    write(replace(explant().volume, metadata={"fov": "circle:21.5,19.5,18"}), tmp_path / "part.seg.nrrd")
    scan = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan")
    slicer.util.updateVolumeFromArray(scan, np.zeros((60, 60, 60), np.uint8))
    node = segments.load(tmp_path / "part.seg.nrrd", "part", scan)
    written = read(labels.save_labels(node, tmp_path / "out.nrrd"))
    np.testing.assert_allclose(written.index_to_world, explant().volume.index_to_world, atol=1e-12)
    assert written.shape == SHAPE
    assert fov.known(node, scan) == "circle:21.5,19.5,18"


def test_a_segment_whose_voxels_do_not_begin_at_zero_stays_in_its_place(host, tmp_path):
    import slicer

    from ImplantSegQuantLib.inslicer import labels
    from ImplantSegQuantLib.inslicer.geometry import LPS_FROM_RAS, matrix_of

    image = slicer.vtkOrientedImageData()
    image.SetExtent(5, 10, 6, 12, 7, 11)
    image.SetGeometryFromImageToWorldMatrix(matrix_of(turned() @ np.diag([0.1, 0.2, 0.3, 1])))
    image.AllocateScalars(3, 1)  # unsigned char
    image.GetPointData().GetScalars().Fill(0)
    image.SetScalarComponentFromDouble(8, 9, 10, 0, 1)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "sample")
    segment = slicer.vtkSegment()
    segment.SetName("Residual material")
    segment.AddRepresentation("Binary labelmap", image)
    node.GetSegmentation().AddSegment(segment, "residual_material")
    written = read(labels.save_labels(node, tmp_path / "out.nrrd"))
    (index,) = np.argwhere(written.array[:] == 1)
    wanted = LPS_FROM_RAS @ turned() @ [0.8, 1.8, 3.0, 1]
    np.testing.assert_allclose(written.index_to_world @ [*index, 1], wanted, atol=1e-9)
