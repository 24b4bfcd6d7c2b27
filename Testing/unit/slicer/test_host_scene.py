"""The scene of the host: files of every kind, closing, subject hierarchy, slice views."""

import numpy as np
import pytest


@pytest.fixture
def volume(host):
    import slicer

    array = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)
    node = slicer.util.addVolumeFromArray(array, name="scan")
    node.SetSpacing(0.004, 0.003, 0.002)
    node.SetOrigin(1, 2, 3)
    return node


@pytest.fixture
def segmentation(volume):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "labels")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment = node.GetSegmentation().AddEmptySegment("bone", "bone", (0.9, 0.8, 0.7))
    inside = (slicer.util.arrayFromVolume(volume) > 5).astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(inside, node, segment, volume)
    return node


def test_volumes_and_segmentations_come_back_from_files(volume, segmentation, tmp_path):
    import slicer

    slicer.util.saveNode(volume, str(tmp_path / "scan.nrrd"))
    slicer.util.saveNode(segmentation, str(tmp_path / "labels.seg.nrrd"))
    scan = slicer.util.loadVolume(str(tmp_path / "scan.nrrd"))
    labels = slicer.util.loadSegmentation(str(tmp_path / "labels.seg.nrrd"))
    assert scan.GetSpacing() == pytest.approx((0.004, 0.003, 0.002))
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(scan), slicer.util.arrayFromVolume(volume))
    inside = slicer.util.arrayFromSegmentBinaryLabelmap(labels, labels.GetSegmentation().GetNthSegmentID(0), scan)
    assert inside.sum() == 18


def test_a_label_volume_is_one(volume, tmp_path):
    import slicer

    slicer.util.saveNode(volume, str(tmp_path / "labels.nrrd"))
    labels = slicer.util.loadLabelVolume(str(tmp_path / "labels.nrrd"))
    assert labels.IsA("vtkMRMLLabelMapVolumeNode")
    assert labels.GetName() == "labels"


def test_transforms_models_tables_texts_colours_and_markups_come_back(host, tmp_path):
    import slicer
    import vtk

    scene = slicer.mrmlScene
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "pose")
    matrix = np.eye(4)
    matrix[:3, 3] = 1, 2, 3
    slicer.util.updateTransformMatrixFromArray(transform, matrix)
    sphere = vtk.vtkSphereSource()
    sphere.Update()
    model = scene.AddNewNodeByClass("vtkMRMLModelNode", "screw")
    model.SetAndObservePolyData(sphere.GetOutput())
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", "results")
    slicer.util.updateTableFromArray(table, [np.array([1.0, 2.0])], ["rate"])
    text = scene.AddNewNodeByClass("vtkMRMLTextNode", "notes")
    text.SetText("µm")
    colors = scene.AddNewNodeByClass("vtkMRMLColorTableNode", "classes")
    colors.SetTypeToUser()
    colors.SetNumberOfColors(2)
    colors.SetColor(1, "bone", 1, 1, 0, 1)
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    roi.SetCenter(1, 2, 3)
    roi.SetSize(4, 5, 6)

    util = slicer.util
    for node, name, load, value in (
        (transform, "pose.h5", util.loadTransform, lambda node: util.arrayFromTransformMatrix(node)[:3, 3].tolist()),
        (transform, "pose.tfm", util.loadTransform, lambda node: util.arrayFromTransformMatrix(node)[:3, 3].tolist()),
        (model, "screw.vtp", util.loadModel, lambda node: node.GetPolyData().GetNumberOfPoints()),
        (model, "screw.stl", util.loadModel, lambda node: node.GetPolyData().GetNumberOfPolys()),
        (table, "results.csv", util.loadTable, lambda node: [float(node.GetCellText(row, 0)) for row in range(2)]),
        (text, "notes.txt", util.loadText, lambda node: node.GetText()),
        (colors, "classes.ctbl", util.loadColorTable, lambda node: node.GetColorName(1)),
        (roi, "box.mrk.json", util.loadMarkups, lambda node: [*node.GetCenter(), *node.GetSize()]),
    ):
        util.saveNode(node, str(tmp_path / name))
        assert value(load(str(tmp_path / name))) == value(node), name


def test_missing_files_are_told(host, tmp_path):
    import slicer

    with pytest.raises(RuntimeError, match="Failed to load"):
        slicer.util.loadVolume(str(tmp_path / "absent.nrrd"))


@pytest.mark.parametrize("name", ["scene.mrb", "scene.mrml"])
def test_a_scene_comes_back_from_its_file(volume, segmentation, tmp_path, name):
    import slicer

    scene = slicer.mrmlScene
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "pose")
    volume.SetAndObserveTransformNodeID(transform.GetID())
    chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", "chart")
    chart.SetTitle("rate")
    path = tmp_path / "saved" / name
    path.parent.mkdir()
    slicer.util.saveScene(str(path))
    scene.Clear(0)
    assert slicer.util.getNodes("scan") == {}
    slicer.util.loadScene(str(path))
    assert slicer.util.getNode("scan").GetParentTransformNode() is slicer.util.getNode("pose")
    assert slicer.util.getNode("labels").GetSegmentation().GetNthSegment(0).GetName() == "bone"
    assert slicer.util.getNode("labels").GetDisplayNode() is not None
    assert slicer.util.getNode("chart").GetTitle() == "rate"
    assert slicer.util.arrayFromVolume(slicer.util.getNode("scan")).sum() == sum(range(24))


def test_closing_tells_its_beginning_and_its_end(volume):
    import slicer

    seen = []
    scene = slicer.mrmlScene
    start = scene.AddObserver(scene.StartCloseEvent, lambda caller, event: seen.append("start"))
    end = scene.AddObserver(scene.EndCloseEvent, lambda caller, event: seen.append("end"))
    scene.Clear(0)
    scene.RemoveObserver(start)
    scene.RemoveObserver(end)
    assert seen == ["start", "end"]
    assert scene.GetSingletonNode("Red", "vtkMRMLSliceNode") is not None


def test_nodes_have_items_in_the_subject_hierarchy(volume, segmentation):
    import slicer

    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    for node in (volume, segmentation):
        assert tree.GetItemName(tree.GetItemByDataNode(node)) == node.GetName()
    study = tree.CreateStudyItem(tree.GetSceneItemID(), "12 weeks")
    tree.SetItemParent(tree.GetItemByDataNode(volume), study)
    assert tree.GetItemParent(tree.GetItemByDataNode(volume)) == study
    slicer.mrmlScene.RemoveNode(segmentation)
    assert not tree.GetItemByName("labels")


def test_slice_views_are_real(volume):
    import slicer

    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    view = slicer.app.layoutManager().sliceWidget("Red")
    logic = view.sliceLogic()
    assert logic.GetBackgroundLayer().GetVolumeNode() is volume
    logic.SetSliceOffset(3.002)
    assert view.mrmlSliceNode().GetSliceOffset() == pytest.approx(3.002)
    assert view.mrmlSliceNode().GetFieldOfView()[0] < 1


def test_a_chart_is_shown_in_a_layout_that_has_a_place_for_it(host):
    import slicer

    manager = slicer.app.layoutManager()
    assert (manager.threeDViewCount, manager.plotViewCount) == (1, 0)
    chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", "chart")
    slicer.modules.plots.logic().ShowChartInLayout(chart)
    assert manager.plotWidget(0).mrmlPlotViewNode().GetPlotChartNode() is chart
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    assert (manager.threeDViewCount, manager.plotViewCount) == (0, 0)


def test_terminologies_are_there(segmentation):
    import slicer

    logic = slicer.modules.terminologies.logic()
    assert logic.GetNumberOfCategoriesInTerminology("Segmentation category and type - 3D Slicer General Anatomy list")


def test_the_segment_editor_keeps_what_it_would_edit(volume, segmentation):
    import slicer

    slicer.util.selectModule("SegmentEditor")
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    editor.setSegmentationNode(segmentation)
    editor.setSourceVolumeNode(volume)
    assert (editor.segmentationNode(), editor.sourceVolumeNode()) == (segmentation, volume)
    assert slicer.util.selectedModule() == "SegmentEditor"
