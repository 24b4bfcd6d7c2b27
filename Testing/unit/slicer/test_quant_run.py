"""The panel of ImplantSeg Quantification with real child processes: a known screw, from its node to a saved scene."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from explant import explant

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.slow

SCREW = 3
PATIENCE_S = 300
VOXEL_MM = 0.1


@pytest.fixture
def form(host, tmp_path):
    """The module with the explant, its reference by numbers, a healing time and a study folder."""
    import slicer

    widget = host.load(ROOT / "ImplantSegQuant" / "ImplantSegQuant.py")
    node = slicer.util.loadSegmentation(str(explant().write(tmp_path / "labels.seg.nrrd")))
    sample = widget.panel.sections[0].ui
    sample.segmentationSelector.setCurrentNode(node)
    sample.referenceKindComboBox.currentIndex = SCREW
    sample.weeksSpinBox.value = 12.0
    sample.studyPathLineEdit.currentPath = str(tmp_path / "study")
    return widget


def finish(host, widget):
    """Wait for the end of the run."""
    host.wait(lambda: not widget.panel.run.runner.running, timeout_s=PATIENCE_S)


def distances_mm(transform):
    """How far the reference under a transform lies from where it is, at points (x, y, z) of its axis and flanks."""
    from ImplantSegQuantLib.inslicer.geometry import LPS_FROM_RAS
    from ImplantSegQuantLib.inslicer.pose import scan_from_reference

    points = np.array([[x, y, z, 1] for z in (0.5, 3.5) for x, y in ((0, 0), (1.25, 0), (0, 1.25), (-1.25, 0))]).T
    found = LPS_FROM_RAS @ scan_from_reference(transform) @ LPS_FROM_RAS @ points
    return np.linalg.norm((found - np.linalg.inv(explant().pose) @ points)[:3], axis=0)


def test_from_a_segmentation_to_a_measured_and_saved_scene(host, form, tmp_path):
    import slicer

    from ImplantSegQuantLib.inslicer import names, pose, samples

    _sample, registration, run, results, _samples = form.panel.sections
    registration.ui.registerButton.click()
    assert run.runner.running
    assert not registration.ui.redoButton.enabled
    finish(host, form)
    assert host.displayed == []
    assert "Accept it" in registration.ui.stateLabel.text
    assert "poor" not in registration.ui.stateLabel.text
    node = registration.pose()
    assert distances_mm(node).max() < VOXEL_MM
    assert registration.ui.legendCheckBox.checked

    # a nudge, and back to the place
    registration.ui.adjustButton.click()
    nudged = pose.scan_from_reference(node)
    nudged[:3, 3] += [0.15, 0.1, 0.1]
    slicer.util.updateTransformMatrixFromArray(node, nudged)
    host.process(20)
    assert not run.ui.applyButton.enabled
    registration.ui.refineButton.click()
    finish(host, form)
    assert distances_mm(node).max() < VOXEL_MM
    registration.ui.acceptButton.click()
    assert "Accepted" in registration.ui.stateLabel.text

    truth = slicer.util.loadSegmentation(str(tmp_path / "labels.seg.nrrd"), {"name": "truth"})
    form.panel.sections[0].ui.truthSelector.setCurrentNode(truth)
    run.ui.applyButton.click()
    form.exit()  # the user looks at another module meanwhile
    finish(host, form)
    form.enter()
    assert host.displayed == []
    table = results.table
    told = json.loads((tmp_path / "study" / "labels" / "results.json").read_text())
    assert samples.result(table) == told
    assert told["registration"]["pose"] == "given"
    assert told["mean_iou_percent"] == 100.0
    assert {value for value in told["relative_error_percent"].values() if value is not None} == {0.0}
    assert table.GetAttribute(names.FOLDER) == str(tmp_path / "study" / "labels")
    assert samples.find("labels", names.CONTACT).GetPolyData().GetNumberOfCells() > 1000
    assert not list(Path(slicer.app.temporaryPath).glob("ImplantSegQuant-*/segmentation.nrrd"))

    assert slicer.util.saveScene(str(tmp_path / "study.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "study.mrb"))
    host.process(20)
    assert results.sample == "labels"
    assert results.ui.tableView.mrmlTableNode().GetNumberOfRows() == len(told["measurements"])
    assert "Accepted" in registration.ui.stateLabel.text
    assert distances_mm(registration.pose()).max() < VOXEL_MM
    assert run.ui.applyButton.enabled


def test_a_reference_that_does_not_fit_is_refused_in_one_sentence(host, form):
    form.panel.sections[0].ui.screwDiameterSpinBox.value = 1.8
    form.panel.sections[1].ui.registerButton.click()
    finish(host, form)
    (message,) = host.displayed
    assert "does not fit the implant" in message.text
    assert form.panel.sections[1].pose() is None
    assert form.panel.run.ui.applyButton.enabled


def test_a_reference_in_micrometres_is_told(host, form, tmp_path):
    import slicer
    import vtk

    cylinder = vtk.vtkCylinderSource()
    cylinder.SetRadius(1750)
    cylinder.SetHeight(16000)
    cylinder.SetResolution(32)
    cylinder.Update()
    model = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "in micrometres")
    model.SetAndObservePolyData(cylinder.GetOutput())
    form.panel.sections[0].ui.referenceKindComboBox.currentIndex = 1
    form.panel.sections[0].ui.referenceModelSelector.setCurrentNode(model)
    form.panel.run.ui.applyButton.click()
    finish(host, form)
    (message,) = host.displayed
    assert "µm" in message.text
    assert form.panel.run.ui.applyButton.enabled


def test_a_truth_on_another_grid_is_told(host, form, tmp_path):
    import slicer

    from ImplantSegLib.volumes import Volume, write

    whole = explant().volume
    write(Volume(whole.array[:-4], whole.spacing_mm, whole.origin_mm), tmp_path / "short.seg.nrrd")
    truth = slicer.util.loadSegmentation(str(tmp_path / "short.seg.nrrd"))
    form.panel.sections[0].ui.truthSelector.setCurrentNode(truth)
    form.panel.run.ui.applyButton.click()
    finish(host, form)
    (message,) = host.displayed
    assert "truth" in message.text
    assert form.panel.sections[3].table is None
    assert form.panel.run.ui.applyButton.enabled


def test_a_folder_that_cannot_be_written_is_told(host, form, tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "labels").write_text("in the way")
    form.panel.run.ui.applyButton.click()
    finish(host, form)
    (message,) = host.displayed
    assert str(tmp_path / "study" / "labels") in message.text
    assert form.panel.run.ui.applyButton.enabled


def test_segments_without_a_voxel_of_implant_are_told(host, form):
    import slicer

    node = form.panel.sections[0].choice().segmentation
    voxels = slicer.util.arrayFromSegmentInternalBinaryLabelmap(node, "bone")  # all segments share one layer
    voxels[voxels < 3] = 0
    form.panel.run.ui.applyButton.click()
    finish(host, form)
    (message,) = host.displayed
    assert "no implant" in message.text
    assert form.panel.run.ui.applyButton.enabled


def child_of(widget):
    """Process id of the run."""
    return widget.panel.run.runner._worker._process.pid


def test_a_child_that_is_killed_is_told_and_leaves_the_scene_as_it_was(host, form):
    import slicer

    before = slicer.mrmlScene.GetNumberOfNodes()
    form.panel.run.ui.applyButton.click()
    host.process(200)
    os.killpg(child_of(form), signal.SIGKILL)
    finish(host, form)
    (message,) = host.displayed
    assert "killed" in message.text
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    assert form.panel.run.ui.applyButton.enabled


def test_a_scene_that_is_closed_ends_the_run(host, form, tmp_path):
    import slicer

    form.panel.run.ui.applyButton.click()
    host.process(200)
    pid = child_of(form)
    slicer.mrmlScene.Clear(0)
    host.process(100)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert "The scene was closed" in form.panel.run.ui.statusLabel.text
    assert not (tmp_path / "study" / "labels").exists()


def test_without_a_window_errors_are_raised_as_they_are_told_in_the_panel(host, form):
    from ImplantSegLib.errors import InputError

    node = form.panel.sections[0].choice().segmentation
    with pytest.raises(InputError, match="healing time of 0 weeks"):
        form.logic.quantify(node, "screw", 0.0)
    with pytest.raises(InputError, match="did you mean 'diameter'"):
        form.logic.quantify(node, "screw:diametre=3", 12.0)


def test_the_self_test_of_the_module_runs_to_its_end(host):
    import slicer

    host.load(ROOT / "ImplantSegQuant" / "ImplantSegQuant.py")
    slicer.selfTests["ImplantSegQuant"]()


def test_nodes_may_be_renamed_and_removed_while_they_are_measured(host, form):
    import slicer

    from ImplantSegQuantLib.inslicer import names, samples

    sample, _registration, run, results, _samples = form.panel.sections
    node = sample.ui.segmentationSelector.currentNode()
    known_as = 'Ünï/"code" <b>'
    node.SetName(f"{known_as} ")
    run.ui.applyButton.click()
    host.process(300)
    node.SetName("something/else")
    host.process(300)
    slicer.mrmlScene.RemoveNode(node)
    finish(host, form)
    assert host.displayed == []
    assert results.sample == known_as
    assert samples.find(known_as, names.POSE) is not None
