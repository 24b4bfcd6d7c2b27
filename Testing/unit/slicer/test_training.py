"""The section Training data on the host, with the real command: what is written trains, voxel for voxel."""

import shlex
from pathlib import Path

import numpy as np
import pytest

SHAPE = (6, 5, 4)
OBLIQUE = np.array([
    [0.8, -0.36, 0.48, 3.0],
    [0.6, 0.48, -0.64, -2.0],
    [0.0, 0.8, 0.6, 7.0],
    [0.0, 0.0, 0.0, 1.0],
])  # fmt: skip
"""A rotation, so that directions are at right angles, and an origin in mm."""

SPACING = (0.01, 0.02, 0.05)


def make_scan(name: str):
    """A scan with unequal voxels that lies oblique in the world."""
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE))
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(OBLIQUE @ np.diag([*SPACING, 1.0])))
    return node


def make_labels() -> np.ndarray:
    """All classes and unknown voxels; nothing at the border of the first slice, so that segments are cropped."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:5, 1:4, 1:3] = 3
    labels[2:4, 1:3, 1:3] = 2
    labels[2, 2, 1] = 1
    labels[5, 4, 3] = 255
    return labels


def make_segmentation(scan, labels, name: str, ids=("residual_material", "degradation_layer", "bone", "ignore")):
    """Segments as the Segment Editor makes them: one layer each, cropped to what is painted."""
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.SetReferenceImageGeometryParameterFromVolumeNode(scan)
    for identity, value in zip(ids, (1, 2, 3, 255), strict=False):
        node.GetSegmentation().AddEmptySegment(identity, identity)
        slicer.util.updateSegmentBinaryLabelmapFromArray((labels == value).astype(np.uint8), node, identity, scan)
    return node


@pytest.fixture
def section(host, root, tmp_path):
    panel = host.load(root / "ImplantSeg" / "ImplantSeg.py").panel
    from ImplantSegLib.inslicer.training import TrainingSection

    section = panel.section(TrainingSection)
    section.parameters.trainingFolder = tmp_path / "training"
    return section


def export(host, section) -> None:
    assert section.ui.exportTrainingButton.enabled, section.ui.exportTrainingButton.toolTip
    section.ui.exportTrainingButton.click()
    host.wait(lambda: not section.panel.run.runner.running, 60)


def errors(host) -> list[str]:
    return [message.text for message in host.displayed if message.kind == "error"]


def test_a_corrected_scan_becomes_a_folder_that_trains(host, section, tmp_path):
    from ImplantSegLib.jobs import from_mapping, load_toml
    from ImplantSegLib.training.config import Recipe
    from ImplantSegLib.volumes import read

    scan, labels = make_scan("sheep 7"), make_labels()
    make_segmentation(scan, labels, "corrected")
    section.ui.suggestPairsButton.click()
    section.ui.pairsTable.item(0, 4).setText("0, 2-4, 5")
    section.ui.recipeComboBox.currentText = "unet"
    export(host, section)
    assert errors(host) == []
    folder = tmp_path / "training"
    image, written = (read(folder / "scans" / "sheep_7" / name) for name in ("image.nrrd", "labels.seg.nrrd"))
    assert image.same_grid(written)
    assert np.allclose(image.spacing_mm, SPACING[::-1])
    assert np.array_equal(np.asarray(image.array[:]).ravel(), np.arange(np.prod(SHAPE)))
    wanted = labels.copy()
    wanted[1] = 255
    assert np.array_equal(np.asarray(written.array[:]), wanted)
    recipe = from_mapping(Recipe, load_toml(folder / "recipe.toml"))
    assert recipe.model.network == "unet"
    assert (folder / "train.sbatch").is_file()
    command = section.ui.trainingCommandEdit.text
    assert shlex.split(command) == ["cd", str(folder), "&&", "sbatch", "train.sbatch"]
    section.ui.copyCommandButton.click()
    import slicer

    assert slicer.app.clipboard().text() == command
    assert "Scans written: 1." in section.ui.trainingStatusLabel.text


def test_labels_are_those_of_the_segments_voxel_by_voxel(host):
    from ImplantSegLib.inslicer import classes, segments

    scan, labels = make_scan("scan"), make_labels()
    assert np.array_equal(classes.labels_on(make_segmentation(scan, labels, "cropped layers"), scan), labels)
    empty = make_segmentation(scan, np.zeros(SHAPE, np.uint8), "nothing painted")
    assert not classes.labels_on(empty, scan).any()
    segments.load_terminology()


def test_labels_of_one_shared_layer(host, tmp_path):
    from ImplantSegLib.inslicer import classes, mrml, segments
    from ImplantSegLib.volumes import Volume, read, write

    scan, labels = make_scan("scan"), make_labels()
    labels[labels == 255] = 0
    grid = read(mrml.save_volume(scan, tmp_path / "scan.nrrd"))
    write(Volume(labels, grid.spacing_mm, grid.origin_mm, grid.direction), tmp_path / "labels.seg.nrrd")
    node = segments.load(tmp_path / "labels.seg.nrrd", "loaded", scan)
    assert node.GetSegmentation().GetNumberOfLayers() == 1
    assert np.array_equal(classes.labels_on(node, scan), labels)


def test_beside_a_segmentation_of_a_part_nobody_knows(host, tmp_path):
    from ImplantSegLib.inslicer import classes, mrml, segments
    from ImplantSegLib.volumes import Box, Volume, cropped, read, write

    scan = make_scan("scan")
    grid = read(mrml.save_volume(scan, tmp_path / "scan.nrrd"))
    part = cropped(grid, Box((1, 5), (0, 3), (1, 4)))
    labels = np.arange(np.prod(part.shape), dtype=np.uint8).reshape(part.shape) % 4
    write(Volume(labels, part.spacing_mm, part.origin_mm, part.direction), tmp_path / "part.seg.nrrd")
    wanted = np.full(SHAPE, 255, np.uint8)
    wanted[1:5, 0:3, 1:4] = labels
    assert np.array_equal(classes.labels_on(segments.load(tmp_path / "part.seg.nrrd", "part", scan), scan), wanted)


def test_segments_that_reach_beyond_the_scan_are_cut(host):
    import slicer

    from ImplantSegLib.inslicer import classes

    scan, labels = make_scan("scan"), make_labels()
    node = make_segmentation(scan, labels, "whole")
    part = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "part")
    slicer.util.updateVolumeFromArray(part, np.zeros((2, 3, 2), np.float32))
    moved = OBLIQUE @ np.diag([*SPACING, 1.0]) @ np.array([[1, 0, 0, 1], [0, 1, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1.0]])
    part.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(moved))
    assert np.array_equal(classes.labels_on(node, part), labels[3:5, 2:5, 1:3])


@pytest.mark.parametrize(
    ("identity", "name", "code", "label"),
    [
        ("bone", "anything", "", 3),
        ("Segment_1", "Degradation layer", "", 2),
        ("Segment_1", "residual-material", "", 1),
        ("Segment_1", "Knochen", "SCT^85756007^Tissue~SCT^272673000^Bone", 3),
        ("Segment_1", "crust", "SCT^260787004^Physical object~99IMPLANTSEG^degradation_layer^Degradation layer", 2),
        ("Segment_1", "Ignore", "", 255),
        ("Segment_1", "Skin", "SCT^85756007^Tissue~SCT^39937001^Skin", None),
    ],
)
def test_a_segment_is_known_by_id_name_or_terminology(host, identity, name, code, label):
    import slicer

    from ImplantSegLib.inslicer import classes

    segment = slicer.vtkSegment()
    segment.SetName(name)
    if code:
        segment.SetTag("TerminologyEntry", f"Segmentation category~{code}~^^~Anatomic codes~^^~^^")
    assert classes.label_of(identity, segment) == label


def test_foreign_segments_are_named_and_the_wanted_ones_too(host, section):
    scan = make_scan("scan")
    make_segmentation(scan, make_labels(), "drawn", ids=("Skin", "Bone"))
    section.ui.suggestPairsButton.click()
    tip = section.ui.exportTrainingButton.toolTip
    assert not section.ui.exportTrainingButton.enabled
    assert "has the segments Skin" in tip
    assert "Residual material, Degradation layer, Bone, Ignore" in tip


def test_a_segmentation_beside_the_voxels_of_the_scan_is_refused(host, section, tmp_path):
    import slicer

    scan, other = make_scan("scan"), make_scan("other")
    other.SetOrigin(3.004, -2.0, 7.0)
    make_segmentation(other, make_labels(), "shifted")
    section.ui.trainingScanSelector.setCurrentNode(scan)
    section.ui.trainingSegmentationSelector.setCurrentNode(slicer.util.getNode("shifted"))
    section.ui.addPairButton.click()
    section.ui.exportTrainingButton.click()
    assert "does not lie on the voxels of scan" in errors(host)[0]
    assert not section.panel.run.runner.running
    assert not (tmp_path / "training").exists()


def test_transforms_must_be_the_same(host):
    import slicer

    from ImplantSegLib.errors import InputError
    from ImplantSegLib.inslicer import classes

    scan, labels = make_scan("scan"), make_labels()
    node = make_segmentation(scan, labels, "segmentation")
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    scan.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(InputError, match="different transforms"):
        classes.labels_on(node, scan)
    node.SetAndObserveTransformNodeID(transform.GetID())
    assert np.array_equal(classes.labels_on(node, scan), labels)


def test_pairs_are_found_by_geometry_and_by_name(host, section):
    import slicer

    first, second = make_scan("sheep 1"), make_scan("sheep 12")
    made_on_first = make_segmentation(first, make_labels(), "no name of a scan")
    by_name = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Sheep 12 segmentation")
    by_name.GetSegmentation().AddEmptySegment("bone", "Bone")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "nobody's")
    section.ui.suggestPairsButton.click()
    section.ui.suggestPairsButton.click()  # no pair comes twice
    listed = section._list()
    assert [listed.nodes(pair) for pair in listed.pairs()] == [(first, made_on_first), (second, by_name)]
    assert [pair.name for pair in listed.pairs()] == ["sheep_1", "sheep_12"]


def test_only_ticked_pairs_are_exported(host, section, tmp_path):
    import qt

    for name in ("one", "two"):
        make_segmentation(make_scan(name), make_labels(), f"{name} segmentation")
    section.ui.suggestPairsButton.click()
    section.ui.pairsTable.item(0, 0).setCheckState(qt.Qt.Unchecked)
    export(host, section)
    assert [path.name for path in (tmp_path / "training" / "scans").iterdir()] == ["two"]
    section.ui.pairsTable.item(1, 0).setCheckState(qt.Qt.Unchecked)
    assert section.ui.exportTrainingButton.toolTip == "Choose at least one pair of a scan and its segmentation."


def test_a_scan_of_the_same_name_is_replaced_only_when_asked(host, section, tmp_path):
    make_segmentation(make_scan("scan"), make_labels(), "scan segmentation")
    section.ui.suggestPairsButton.click()
    export(host, section)
    export(host, section)
    assert "is there already" in errors(host)[0]
    section.ui.replaceCheckBox.checked = True
    export(host, section)
    assert len(errors(host)) == 1


def test_slices_that_are_none_are_told_in_the_row(host, section):
    make_segmentation(make_scan("scan"), make_labels(), "scan segmentation")
    section.ui.suggestPairsButton.click()
    for text, told in (("5-3", "got the slices '5-3'"), ("a", "got the slices 'a'"), ("6", "slices 0 to 5")):
        section.ui.pairsTable.item(0, 4).setText(text)
        assert told in section.ui.exportTrainingButton.toolTip
        assert told in section.ui.pairsTable.item(0, 3).toolTip().replace("Got", "got")
    section.ui.pairsTable.item(0, 4).setText("")
    assert section.ui.exportTrainingButton.enabled


@pytest.mark.parametrize(
    ("text", "slices"),
    [("", []), ("10, 20-22", [10, 20, 21, 22]), ("3 3;1 - 2", [1, 2, 3]), ("0", [0])],
)
def test_slices_as_people_write_them(host, text, slices):
    from ImplantSegLib.inslicer.traininglist import slices_of

    assert slices_of(text) == slices


def test_the_list_survives_saving_and_loading_the_scene(host, section, tmp_path):
    import qt
    import slicer

    for name in ("one", "two"):
        make_segmentation(make_scan(name), make_labels(), f"{name} segmentation")
    section.ui.suggestPairsButton.click()
    section.ui.pairsTable.item(1, 4).setText("1, 3")
    section.ui.pairsTable.item(0, 0).setCheckState(qt.Qt.Unchecked)
    section.ui.recipeComboBox.currentText = "unet"
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    host.process(20)
    pairs = section._pairs()
    assert [(pair.name, pair.used, pair.slices) for pair in pairs] == [("one", "no", ""), ("two", "yes", "1, 3")]
    assert [node.GetName() for node in section._list().nodes(pairs[1])] == ["two", "two segmentation"]
    assert section.ui.recipeComboBox.currentText == "unet"
    assert Path(section.parameters.trainingFolder) == tmp_path / "training"


def test_pairs_are_removed_and_nodes_that_are_gone_are_told(host, section):
    import slicer

    for name in ("one", "two"):
        make_segmentation(make_scan(name), make_labels(), f"{name} segmentation")
    section.ui.suggestPairsButton.click()
    slicer.mrmlScene.RemoveNode(slicer.util.getNode("two"))
    section.panel.refresh()
    assert "no longer in the scene" in section.ui.exportTrainingButton.toolTip
    section.ui.pairsTable.selectRow(1)
    section.ui.removePairButton.click()
    assert [pair.name for pair in section._pairs()] == ["one"]
    assert section.ui.exportTrainingButton.enabled


def test_nothing_to_pair_is_told(host, section):
    section.ui.suggestPairsButton.click()
    section.ui.addPairButton.click()
    assert ["No segmentation" in errors(host)[0], "A pair is a scan" in errors(host)[1]] == [True, True]
