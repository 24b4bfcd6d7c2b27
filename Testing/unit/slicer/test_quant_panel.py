"""The panel of ImplantSeg Quantification without a child process: what it asks for, and what it tells."""

from pathlib import Path

import pytest
from explant import explant, write_folder

ROOT = Path(__file__).resolve().parents[3]
SEGMENTATION, MODEL, FILE, SCREW = range(4)
AUTO, BOX, CIRCLE, MASK = range(4)


class Panel:
    """The loaded module and its sections by short names."""

    def __init__(self, host):
        self.widget = host.load(ROOT / "ImplantSegQuant" / "ImplantSegQuant.py")
        self.panel = self.widget.panel
        self.sample, self.registration, self.run, self.results, self.samples = self.panel.sections

    def why(self):
        """Tell why Measure is off: the sentences of its tooltip."""
        assert self.run.ui.applyButton.enabled == (self.run.ui.applyButton.toolTip.startswith("Start"))
        return [] if self.run.ui.applyButton.enabled else self.run.ui.applyButton.toolTip.splitlines()


@pytest.fixture
def form(host):
    return Panel(host)


@pytest.fixture
def filled(form, tmp_path):
    """The form with a segmentation, the parametric screw and a healing time."""
    import slicer

    node = slicer.util.loadSegmentation(str(explant().write(tmp_path / "labels.seg.nrrd")))
    form.sample.ui.segmentationSelector.setCurrentNode(node)
    form.sample.ui.referenceKindComboBox.currentIndex = SCREW
    form.sample.ui.weeksSpinBox.value = 12.0
    return form


def test_an_empty_form_tells_what_is_missing(form):
    assert form.why() == [
        "No segmentation was chosen. Choose the segmented sample.",
        "No reference screw was chosen. Choose the screw before it degraded.",
        "Got a healing time of 0 weeks, wanted more than 0. Enter the weeks since implantation.",
    ]
    for button in ("registerButton", "acceptButton", "redoButton", "adjustButton", "refineButton", "takeButton"):
        assert not getattr(form.registration.ui, button).enabled
    assert form.results.ui.sampleLabel.text == "Nothing was measured yet."


def test_a_filled_form_can_measure(filled):
    assert filled.why() == []
    assert filled.sample.ui.segmentsLabel.text == "Segments: Residual material, Degradation layer, Bone"
    assert filled.sample.ui.nameLineEdit.placeholderText == "labels"
    assert "not kept when Slicer ends" in filled.sample.ui.studyNoteLabel.text
    choice = filled.sample.choice()
    assert choice.reference.startswith("screw:diameter=3.5,length=16,thread_depth=0.5,pitch=1.25,")


def test_the_keys_of_the_screw_and_its_defaults_are_those_of_the_library(filled):
    from ImplantSegLib.phantom.screw import Screw
    from ImplantSegQuantLib.reference import parse_screw

    assert parse_screw(filled.sample.choice().reference) == Screw()


@pytest.mark.parametrize(
    ("kind", "widget"),
    [
        (SEGMENTATION, "referenceSegmentationSelector"),
        (MODEL, "referenceModelSelector"),
        (FILE, "referencePathLineEdit"),
        (SCREW, "screwBox"),
    ],
)
def test_only_the_fields_of_the_chosen_reference_are_shown(form, kind, widget):
    form.sample.ui.referenceKindComboBox.currentIndex = kind
    names = ("referenceSegmentationSelector", "referenceModelSelector", "referencePathLineEdit", "screwBox")
    shown = [name for name in names if not getattr(form.sample.ui, name).isHidden()]
    assert shown == [widget]


def test_a_reference_that_is_no_file_is_told(filled, tmp_path):
    filled.sample.ui.referenceKindComboBox.currentIndex = FILE
    filled.sample.ui.referencePathLineEdit.currentPath = str(tmp_path / "none.stl")
    (sentence,) = filled.why()
    assert sentence.startswith("There is no file")


def test_the_segmentation_itself_is_neither_reference_nor_truth(filled):
    node = filled.sample.ui.segmentationSelector.currentNode()
    filled.sample.ui.referenceKindComboBox.currentIndex = SEGMENTATION
    filled.sample.ui.referenceSegmentationSelector.setCurrentNode(node)
    filled.sample.ui.truthSelector.setCurrentNode(node)
    first, second = filled.why()
    assert first.startswith("The reference is the segmentation itself")
    assert second.startswith("The ground truth is the segmentation itself")


def test_a_segmentation_without_implant_is_told_in_the_form_too(filled):
    node = filled.sample.ui.segmentationSelector.currentNode()
    for name in ("residual_material", "degradation_layer"):
        node.GetSegmentation().RemoveSegment(name)
    filled.panel.refresh()
    assert "The segmentation labels has no implant" in filled.why()[0]
    assert "has no implant" in filled.sample.ui.segmentsLabel.text


def test_the_field_of_view_can_be_a_circle_or_a_mask(filled):
    ui = filled.sample.ui
    ui.fovKindComboBox.currentIndex = CIRCLE
    assert filled.why()[0].startswith("Got the field of view circle:0,0,0, wanted a radius above 0")
    ui.circleYSpinBox.value, ui.circleXSpinBox.value, ui.circleRadiusSpinBox.value = 21.5, 19.5, 18.0
    assert filled.sample.choice().fov == "circle:21.5,19.5,18"
    assert filled.why() == []
    ui.fovKindComboBox.currentIndex = MASK
    assert filled.why()[0].startswith("No mask of the field of view was chosen")
    ui.fovKindComboBox.currentIndex = BOX
    assert filled.sample.choice().fov == "box"


def test_a_study_folder_that_is_a_file_is_told(filled, tmp_path):
    filled.sample.ui.studyPathLineEdit.currentPath = str(tmp_path / "labels.seg.nrrd")
    assert "cannot be written. Choose another folder" in filled.why()[0]
    filled.sample.ui.studyPathLineEdit.currentPath = str(tmp_path / "study")
    assert filled.why() == []
    assert filled.sample.choice().results == tmp_path / "study" / "labels"


def test_probabilities_go_into_the_run_and_a_folder_that_is_not_there_is_told(filled, tmp_path):
    from ImplantSegQuantLib.inslicer import inputs

    field = filled.sample.ui.probabilitiesPathLineEdit
    field.currentPath = str(tmp_path / "p.ome.zarr")
    assert filled.why()[0].startswith(f"There is no folder {tmp_path / 'p.ome.zarr'}")
    (tmp_path / "p.ome.zarr").mkdir()
    filled.panel.refresh()
    assert filled.why() == []
    written = inputs.write(filled.sample.choice())
    arguments = written.quantify(filled.sample.choice()).arguments
    written.discard()
    assert arguments[arguments.index("--probabilities") + 1] == tmp_path / "p.ome.zarr"
    field.currentPath = ""
    assert filled.sample.choice().probabilities is None


def test_all_choices_come_back_with_the_scene(filled, tmp_path):
    import slicer

    ui = filled.sample.ui
    ui.nameLineEdit.text = "tibia 7"
    ui.roiSpinBox.value = 0.5
    ui.screwDiameterSpinBox.value = 2.7
    ui.studyPathLineEdit.currentPath = str(tmp_path / "study")
    assert slicer.util.saveScene(str(tmp_path / "study.mrb"))
    before = filled.sample.choice()
    slicer.mrmlScene.Clear(0)
    assert ui.segmentationSelector.currentNode() is None
    slicer.util.loadScene(str(tmp_path / "study.mrb"))
    after = filled.sample.choice()
    assert after.segmentation.GetName() == "labels"
    assert (after.weeks, after.name, after.roi_mm, after.study) == (12.0, "tibia 7", 0.5, tmp_path / "study")
    assert after.reference == before.reference
    assert "diameter=2.7" in after.reference


def test_a_reference_can_be_put_by_hand_before_any_registration(filled):
    import numpy as np

    from ImplantSegQuantLib.inslicer import names, pose, samples

    filled.registration.ui.adjustButton.click()
    node = filled.registration.pose()
    assert pose.handles_shown(node)
    bounds, sample = np.zeros(6), np.zeros(6)
    samples.find("labels", names.REFERENCE).GetRASBounds(bounds)
    filled.sample.choice().segmentation.GetRASBounds(sample)
    np.testing.assert_allclose((bounds[::2] + bounds[1::2]) / 2, (sample[::2] + sample[1::2]) / 2, atol=0.1)
    filled.registration.ui.takeButton.click()
    assert not pose.handles_shown(node)
    assert filled.registration.accepted() is node
    assert "not assessed" in filled.registration.ui.stateLabel.text


def test_a_reference_that_was_moved_is_taken_refined_or_refused(filled):
    import numpy as np

    from ImplantSegQuantLib.inslicer.geometry import matrix_of

    ui = filled.registration.ui
    ui.adjustButton.click()
    ui.takeButton.click()
    filled.registration.pose().SetMatrixTransformToParent(matrix_of(np.eye(4)))
    assert filled.why() == ["The reference was moved by hand: refine from here, take it as it is, or redo."]
    assert ui.refineButton.enabled
    assert ui.takeButton.enabled
    ui.takeButton.click()
    assert filled.why() == []


def test_a_pose_of_another_reference_is_not_used(filled):
    filled.registration.ui.adjustButton.click()
    filled.registration.ui.takeButton.click()
    filled.sample.ui.screwDiameterSpinBox.value = 2.7
    assert filled.registration.accepted() is None
    assert "belongs to another segmentation" in filled.registration.ui.stateLabel.text
    assert filled.why() == []


def test_results_of_earlier_runs_are_listed_shown_and_removed(form, host, tmp_path):
    for name, weeks in (("a", 4), ("b", 12)):
        host.answers["getExistingDirectory"] = str(write_folder(tmp_path / name, weeks, truth=True))
        form.samples.ui.loadButton.click()
    table = form.samples.ui.samplesTable
    assert [[table.item(row, column).text() for column in range(5)] for row in range(2)] == [
        ["a", "4", "0.3", "40", "35"],
        ["b", "12", "0.3", "40", "35"],
    ]
    assert form.results.ui.sampleLabel.text == "b, 12 weeks, mean IoU 91.5 %\n⚠ little bone"
    table.setCurrentCell(0, 0)
    assert form.results.sample == "a"
    form.samples.ui.removeButton.click()
    assert form.results.sample == "b"
    assert table.rowCount == 1
    form.samples.ui.removeButton.click()
    assert form.results.sample == ""
    assert not form.samples.ui.removeButton.enabled


def test_unchecked_samples_stay_out_of_the_group_table(form, host, tmp_path):
    import qt

    for name, factor in (("a", 1.0), ("b", 3.0)):
        host.answers["getExistingDirectory"] = str(write_folder(tmp_path / name, 12, factor))
        form.samples.ui.loadButton.click()
    form.samples.ui.samplesTable.item(0, 0).setCheckState(qt.Qt.Unchecked)
    form.samples.ui.groupButton.click()
    shown = form.results.ui.tableView.mrmlTableNode()
    assert shown.GetCellText(0, shown.GetColumnIndex("n")) == "1"
    assert shown.GetCellText(0, shown.GetColumnIndex("mean")) == "0.9"
    assert form.results.ui.sampleLabel.text == "Checked samples by healing time"
    assert not form.results.ui.jsonButton.enabled
    host.answers["getSaveFileName"] = str(tmp_path / "groups")
    form.samples.ui.groupCsvButton.click()
    assert (tmp_path / "groups.csv").read_text().startswith("Weeks,Measure,Unit,n,mean,")


def test_a_table_is_copied_charted_and_saved(form, host, tmp_path):
    import slicer

    host.answers["getExistingDirectory"] = str(write_folder(tmp_path / "a", truth=True))
    form.samples.ui.loadButton.click()
    form.results.ui.copyButton.click()
    assert slicer.app.clipboard().text().startswith("Measure\tValue\tUnit\tTruth\tError (%)\tKey\n")
    for button, suffix in (("csvButton", "csv"), ("jsonButton", "json"), ("htmlButton", "html")):
        host.answers["getSaveFileName"] = str(tmp_path / "out")
        getattr(form.results.ui, button).click()
        assert (tmp_path / f"out.{suffix}").is_file()
    form.results.ui.errorsButton.click()
    form.samples.ui.timeButton.click()
    assert len(slicer.util.getNodesByClass("vtkMRMLPlotChartNode")) == 2
    assert host.displayed == []


def test_the_report_that_has_gone_is_told_when_it_is_asked_for(form, host, tmp_path):
    folder = write_folder(tmp_path / "a")
    host.answers["getExistingDirectory"] = str(folder)
    form.samples.ui.loadButton.click()
    (folder / "report.html").unlink()
    form.results.ui.reportButton.click()
    (message,) = host.displayed
    assert "The report of a is not in" in message.text
    assert form.results.ui.copyButton.enabled


def test_contact_and_region_can_be_hidden(form, host, tmp_path):
    from ImplantSegQuantLib.inslicer import names, samples

    host.answers["getExistingDirectory"] = str(write_folder(tmp_path / "a"))
    form.samples.ui.loadButton.click()
    for box, role in ((form.results.ui.contactCheckBox, names.CONTACT), (form.results.ui.roiCheckBox, names.ROI)):
        assert box.checked
        box.click()
        assert not samples.find("a", role).GetDisplayNode().GetVisibility()


def test_the_scene_may_be_closed_with_everything_shown(form, host, tmp_path):
    import slicer

    host.answers["getExistingDirectory"] = str(write_folder(tmp_path / "a"))
    form.samples.ui.loadButton.click()
    slicer.mrmlScene.Clear(0)
    host.process(20)
    assert form.samples.ui.samplesTable.rowCount == 0
    assert form.results.ui.tableView.mrmlTableNode() is None
    assert len(form.why()) == 3


def test_a_transform_that_bends_is_told_before_any_run(filled):
    import slicer

    grid = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "bent")
    filled.registration.ui.adjustButton.click()
    filled.sample.choice().segmentation.SetAndObserveTransformNodeID(grid.GetID())
    filled.panel.refresh()
    (sentence,) = filled.why()
    assert sentence.startswith("The segmentation labels lies under the transform bent, which is not linear")


def test_a_sample_that_would_be_replaced_is_told(filled, host, tmp_path):
    host.answers["getExistingDirectory"] = str(write_folder(tmp_path / "labels"))
    assert "replaced" not in filled.sample.ui.studyNoteLabel.text
    filled.samples.ui.loadButton.click()
    assert "The sample labels was measured already and will be replaced." in filled.sample.ui.studyNoteLabel.text


def test_a_pose_goes_with_a_sample_that_gets_its_name_later(filled):
    import slicer

    from ImplantSegQuantLib.inslicer import names, samples

    filled.registration.ui.adjustButton.click()
    filled.registration.ui.takeButton.click()
    node = filled.registration.pose()
    filled.sample.ui.nameLineEdit.text = "tibia 7"
    assert filled.registration.accepted() is node
    assert node.GetName() == "Pose of tibia 7"
    assert samples.find("tibia 7", names.REFERENCE).GetParentTransformNode() is node
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    assert tree.GetItemByName("labels") == tree.GetItemByDataNode(filled.sample.choice().segmentation)
    assert tree.GetItemParent(tree.GetItemByDataNode(node)) == samples.folder("tibia 7")


def test_names_are_shown_as_they_are_and_folders_are_not_too_long(filled):
    name = "<b>screw</b> " + 300 * "x"
    filled.sample.ui.segmentationSelector.currentNode().SetName(name)
    filled.panel.refresh()
    import qt

    for label in (filled.sample.ui.studyNoteLabel, filled.results.ui.sampleLabel, filled.run.ui.statusLabel):
        assert label.textFormat == qt.Qt.PlainText
    folder = filled.sample.choice().results.name
    assert folder.startswith("b_screw_b_x")
    assert len(folder) <= 100
