"""Labels and uncertainty in the scene: one layer, stable ids, terminology, on the scan."""

import numpy as np
import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.labels import COLOURS, NAMES, TITLES
from ImplantSegLib.volumes import Volume, write

C, S = np.cos(0.3), np.sin(0.3)
OBLIQUE = ((C, -S, 0.0), (S, C, 0.0), (0.0, 0.0, 1.0))


@pytest.fixture
def labels(host, tmp_path):
    """A file of labels without a single voxel of the degradation layer, and where its voxels lie in LPS."""
    array = np.zeros((6, 7, 8), np.uint8)
    array[1:3, 2:4, 3:6], array[4, 5, 6] = 1, 3
    volume = Volume(array, (0.01, 0.02, 0.03), (1.0, 2.0, 3.0), OBLIQUE, {"content": "labels"})
    write(volume, tmp_path / "labels.seg.nrrd")
    return tmp_path / "labels.seg.nrrd", volume


def label_at(node, ras):
    """Label value of a segmentation at a point of the world."""
    import slicer
    import vtk

    local = np.zeros(3)
    to_node = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(None, node.GetParentTransformNode(), to_node)
    to_node.TransformPoint(ras, local)
    image = node.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap")
    inverse = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(inverse)
    inverse.Invert()
    index = np.round(inverse.MultiplyPoint((*local, 1))[:3]).astype(int)
    return int(image.GetScalarComponentAsDouble(*(int(one) for one in index), 0))


def test_one_layer_with_the_ids_names_colours_and_terms_of_the_project(labels):
    import vtk

    from ImplantSegLib.inslicer import segments

    node = segments.load(labels[0], "result")
    segmentation = node.GetSegmentation()
    assert segmentation.GetNumberOfLayers() == 1
    assert [segmentation.GetNthSegmentID(index) for index in range(3)] == list(NAMES.values())[1:]
    for value in (1, 2, 3):
        segment = segmentation.GetSegment(NAMES[value])
        assert (segment.GetName(), segment.GetLabelValue()) == (TITLES[value], value)
        np.testing.assert_allclose(segment.GetColor(), COLOURS[value])
    text = vtk.mutable("")
    segmentation.GetSegment("degradation_layer").GetTag("TerminologyEntry", text)
    assert "99IMPLANTSEG^degradation_layer^Degradation layer" in str(text)
    assert [(name, count) for name, count, _ in segments.voxels(node)] == [
        ("Residual material", 12), ("Degradation layer", 0), ("Bone", 1),
    ]  # fmt: skip
    np.testing.assert_allclose([volume for *_, volume in segments.voxels(node)], [12 * 6e-6, 0, 6e-6])


def test_the_terminology_knows_the_three_classes(host):
    import slicer

    from ImplantSegLib.inslicer import segments
    from ImplantSegLib.volumes.segments import CONTEXT, STANDARD

    segments.load_terminology()
    segments.load_terminology()
    logic = slicer.modules.terminologies.logic()
    assert logic.IsTerminologyContextLoaded(CONTEXT)
    for segment in STANDARD:
        entry = slicer.vtkSlicerTerminologyEntry()
        assert logic.DeserializeTerminologyEntry(segment.tags.partition("TerminologyEntry:")[2].rstrip("|"), entry)
        assert entry.GetTerminologyContextName() == CONTEXT
        category, kind = slicer.vtkSlicerTerminologyCategory(), slicer.vtkSlicerTerminologyType()
        assert logic.GetNthCategoryInTerminology(CONTEXT, 1 if segment.id == "bone" else 0, category)
        found = [
            kind.GetCodeMeaning()
            for index in range(logic.GetNumberOfTypesInTerminologyCategory(CONTEXT, category))
            if logic.GetNthTypeInTerminologyCategory(CONTEXT, category, index, kind)
        ]
        assert segment.name in found
        assert entry.GetTypeObject().GetCodeMeaning() in found


def test_every_voxel_lies_where_the_file_says_also_under_a_transform(labels):
    import slicer
    import vtk

    from ImplantSegLib.inslicer import segments

    parent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform = vtk.vtkTransform()
    transform.Translate(4, 5, 6)
    transform.RotateWXYZ(50, 1, 2, 3)
    parent.SetMatrixTransformToParent(transform.GetMatrix())
    node = segments.load(labels[0], "result", transform_id=parent.GetID())
    volume = labels[1]
    for index in np.ndindex(volume.shape):
        lps = volume.index_to_world @ (*index, 1.0)
        ras = transform.TransformPoint(-lps[0], -lps[1], lps[2])
        assert label_at(node, ras) == volume.array[index]


def test_a_second_result_replaces_the_first_in_the_same_node(labels, tmp_path):
    from ImplantSegLib.inslicer import segments

    node = segments.load(labels[0], "first")
    node.SetName("mine")
    node.CreateClosedSurfaceRepresentation()
    other = Volume(np.full((3, 3, 3), 2, np.uint8), (0.5, 0.5, 0.5), metadata={"content": "labels"})
    write(other, tmp_path / "other.seg.nrrd")
    again = segments.load(tmp_path / "other.seg.nrrd", "second", into=node)
    assert again is node
    assert node.GetName() == "mine"
    assert [count for _, count, _ in segments.voxels(node)] == [0, 27, 0]
    assert node.GetSegmentation().GetNumberOfLayers() == 1
    assert not node.GetSegmentation().ContainsRepresentation("Closed surface")


def test_the_scene_forgets_the_files(labels, tmp_path):
    import slicer

    from ImplantSegLib.inslicer import mrml, segments

    segments.load(labels[0], "result")
    write(Volume(np.zeros((2, 3, 4), np.uint8), (1, 1, 1)), tmp_path / "scan.nrrd")
    mrml.load_volume(tmp_path / "scan.nrrd", "scan")
    assert not [node for node in slicer.util.getNodesByClass("vtkMRMLStorageNode") if node.GetFileName()]


def test_a_missing_file_changes_nothing(labels, tmp_path):
    import slicer

    from ImplantSegLib.inslicer import mrml, segments

    node = segments.load(labels[0], "result")
    count = slicer.mrmlScene.GetNumberOfNodes()
    for load in (mrml.load_segmentation, mrml.load_volume):
        with pytest.raises(InputError, match="could not read"):
            load(tmp_path / "none.seg.nrrd", "none")
    with pytest.raises(InputError, match="could not read"):
        mrml.load_segmentation(tmp_path / "none.seg.nrrd", "none", into=node)
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert segments.voxels(node)[0][1] == 12


def test_the_uncertainty_is_shown_from_certain_to_unknown_in_colours_of_its_own(host, tmp_path):
    import slicer

    from ImplantSegLib.inslicer import uncertainty

    write(Volume(np.arange(24, dtype=np.uint8).reshape(2, 3, 4), (0.01, 0.01, 0.02)), tmp_path / "u.nrrd")
    node = uncertainty.load(tmp_path / "u.nrrd", "sample")
    assert node.GetName() == "sample uncertainty (0 certain, 255 unknown)"
    display = node.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0, 255)
    colours = display.GetColorNode()
    assert (colours.GetName(), colours.GetNumberOfColors()) == ("ImplantSeg uncertainty", 256)
    brightness = uncertainty.colours() @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(brightness) > 0).all()
    assert uncertainty.load(tmp_path / "u.nrrd", "sample", node) is node
    assert len(slicer.util.getNodesByClass("vtkMRMLColorTableNode")) == len(
        {one.GetName() for one in slicer.util.getNodesByClass("vtkMRMLColorTableNode")}
    )
