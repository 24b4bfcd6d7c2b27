"""The section Result on the host: what Apply starts, and what becomes of its result.

The command is a stand-in that copies labels to where they are wanted.
"""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ImplantSegLib.volumes import Volume, write

COMMAND = """
import shutil, sys
verb, source, target = sys.argv[1], sys.argv[4], sys.argv[5]
if "fail" in sys.argv[2]:
    print('{"event": "error", "kind": "input", "message": "the scan is constant", "remedy": "choose another"}',
          file=sys.stderr)
    sys.exit(2)
if "--uncertainty" in sys.argv:
    shutil.copy(sys.argv[3], sys.argv[sys.argv.index("--uncertainty") + 1])
shutil.copy(sys.argv[2] if verb != "preprocess" else sys.argv[3], target)
"""


@pytest.fixture
def section(host, root, tmp_path, monkeypatch):
    from ImplantSegLib.inslicer import runner
    from ImplantSegLib.inslicer.result import ResultSection

    section = host.load(root / "ImplantSeg" / "ImplantSeg.py").panel.section(ResultSection)
    (tmp_path / "command.py").write_text(COMMAND)
    array = np.zeros((4, 5, 6), np.uint8)
    array[1], array[2, 2] = 3, 1
    write(Volume(array, (0.01, 0.01, 0.01), metadata={"content": "labels"}), tmp_path / "given.seg.nrrd")
    write(Volume(array, (0.01, 0.01, 0.01)), tmp_path / "given.nrrd")
    section.given, section.commands = tmp_path / "given.seg.nrrd", []

    def command(verb, *arguments):
        section.commands.append([verb, *map(str, arguments)])
        if verb not in ("preprocess", "segment", "convert"):
            return [sys.executable, "-c", "raise SystemExit(2)"]  # other sections ask in the background
        given = [str(section.given), str(tmp_path / "given.nrrd")]
        return [sys.executable, str(tmp_path / "command.py"), verb, *given, *map(str, arguments)]

    monkeypatch.setattr(runner.worker, "command", command)
    return section


@pytest.fixture
def volume(section):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan")
    slicer.util.updateVolumeFromArray(node, np.arange(120, dtype=np.uint16).reshape(4, 5, 6))
    node.SetSpacing(0.01, 0.01, 0.01)
    section.parameters.inputVolume = node
    return node


def apply(host, section):
    from ImplantSegLib.inslicer.result import ResultSection

    assert isinstance(section, ResultSection)
    section.apply()
    host.wait(lambda: not section.panel.run.runner.running, timeout_s=60)


def segmenting(section):
    """The commands of runs; other sections ask questions in the background."""
    return [
        one for one in section.commands if one[0] in ("preprocess", "segment", "convert") and "--dry-run" not in one
    ]


def left_over():
    import slicer

    return list(Path(slicer.app.temporaryPath).glob("ImplantSeg-*"))


def test_apply_makes_a_segmentation_named_after_the_scan(host, section, volume):
    section.parameters.device = type(section.parameters.device).CPU
    apply(host, section)
    [command] = segmenting(section)
    assert command[0] == "segment"
    assert command[3:] == ["--model", "compact_unet", "--device", "cpu"]
    node = section.parameters.outputSegmentation
    assert node.GetName() == "scan segmentation"
    assert section.ui.segmentationSelector.currentNode() is node
    assert section.ui.segmentsTable.segmentationNode() is node
    assert section.ui.segmentsLabel.text.startswith("Residual material: 6e-06 mm³\nDegradation layer: 0 mm³\n")
    assert left_over() == []
    assert not host.displayed


def test_apply_again_fills_the_same_node(host, section, volume):
    import slicer

    apply(host, section)
    node, identity = section.parameters.outputSegmentation, section.parameters.outputSegmentation.GetID()
    node.SetName("mine")
    apply(host, section)
    assert [one.GetID() for one in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")] == [identity]
    assert node.GetName() == "mine"


def test_preprocessing_comes_first_and_crops(host, section, volume):
    import slicer

    from ImplantSegLib.inslicer import geometry

    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    geometry.fit_roi(roi, geometry.ijk_to_world(volume), (4, 5, 6))
    section.parameters.cropRoi = roi
    section.parameters.binning = 2
    section.parameters.uncertainty = True
    apply(host, section)
    first, second = segmenting(section)
    assert first[0] == "preprocess"
    assert first[3:] == ["--bin", "2", "--normalise", "none", "--crop", "0:4,0:5,0:6"]
    assert (second[0], second[1]) == ("segment", first[2])
    assert "--crop" not in second
    assert section.parameters.outputUncertainty.GetName().startswith("scan uncertainty")


def test_a_scan_on_disk_needs_a_file_and_other_formats_are_converted_to_be_loaded(host, section, tmp_path):
    from ImplantSegLib.inslicer.input import InputSection

    scan = tmp_path / "scan.nrrd"
    write(Volume(np.arange(120, dtype=np.uint16).reshape(4, 5, 6), (0.01, 0.01, 0.01)), scan)
    section.parameters.source = type(section.parameters.source).DISK
    section.parameters.inputPath = scan
    source = section.panel.section(InputSection)
    host.wait(lambda: source.path is not None)
    source._told(scan, {"shape": [4, 5, 6], "voxel_size_um": [10, 10, 10], "dtype": "uint16", "bytes": 240}, "")
    assert section.problems() == ["The scan is on disk: choose a file for the result."]
    section.ui.outputPathLineEdit.currentPath = str(tmp_path / "labels.nrrd")
    assert section.problems() == []
    apply(host, section)
    first, second = segmenting(section)
    assert first[:3] == ["segment", str(scan), str(tmp_path / "labels.nrrd")]
    assert second[:2] == ["convert", str(tmp_path / "labels.nrrd")]
    assert (tmp_path / "labels.nrrd").is_file()
    assert section.parameters.outputSegmentation.GetName() == "scan segmentation"


def test_a_path_that_is_cleared_is_none(section, tmp_path):
    for name in ("labels.ome.zarr", "labels.tiff"):
        section.ui.outputPathLineEdit.currentPath = str(tmp_path / name)
        assert section.path == tmp_path / name
        section.ui.outputPathLineEdit.currentPath = ""
        assert section.path is None
    section.parameters.surface = True  # any change shows all parameters again
    assert section.ui.outputPathLineEdit.currentPath == ""


@pytest.mark.parametrize(
    ("name", "problem"), [("labels.doc", "labels.doc"), ("nowhere/labels.seg.nrrd", "There is no folder")]
)
def test_a_file_that_cannot_be_written_is_a_problem(section, tmp_path, name, problem):
    section.parameters.outputPath = tmp_path / name
    assert problem in section.problems()[0]


def test_an_unfinished_run_of_a_file_is_continued_unless_the_box_is_cleared(host, section, volume, tmp_path):
    import slicer

    slicer.util.saveNode(volume, str(tmp_path / "scan.nrrd"))  # else its copy would be another file each time
    section.parameters.outputPath = tmp_path / "labels.seg.nrrd"
    apply(host, section)
    work = tmp_path / ".labels.seg.nrrd.work"
    work.mkdir()
    (work / "state.json").write_text("{}")
    apply(host, section)
    section.ui.resumeCheckBox.checked = False
    apply(host, section)
    assert ["--resume" in command for command in segmenting(section)] == [False, True, False]


def test_labels_too_large_for_the_scene_stay_on_disk(host, section, volume, tmp_path, monkeypatch):
    from ImplantSegLib.inslicer import segmenting as module

    monkeypatch.setattr(module, "LOADED_BYTES", 100)
    section.parameters.outputPath = tmp_path / "labels.seg.nrrd"
    apply(host, section)
    assert section.parameters.outputSegmentation is None
    assert "too large to be loaded" in str(host.displayed[-1])
    assert (tmp_path / "labels.seg.nrrd").is_file()


def test_a_failure_is_told_and_leaves_the_panel_usable_and_the_result_as_it_was(host, section, volume):
    apply(host, section)
    node = section.parameters.outputSegmentation
    section.given = section.given.with_name("fail")
    apply(host, section)
    assert "The scan is constant" in str(host.displayed[-1])
    assert section.parameters.outputSegmentation is node
    assert section.panel.run.ui.applyButton.enabled
    assert left_over() == []


def test_what_was_deleted_during_the_run_does_not_matter(host, section, volume):
    import slicer

    apply(host, section)
    old = section.parameters.outputSegmentation
    section.apply()
    slicer.mrmlScene.RemoveNode(old)
    slicer.mrmlScene.RemoveNode(volume)
    host.wait(lambda: not section.panel.run.runner.running, timeout_s=60)
    node = section.parameters.outputSegmentation
    assert node is not None
    assert node is not old
    assert slicer.mrmlScene.IsNodePresent(node)


def test_a_result_that_comes_while_another_module_is_shown_is_kept(host, section, volume):
    section.apply()
    section.panel.exit()
    host.wait(lambda: not section.panel.run.runner.running, timeout_s=60)
    section.panel.enter()
    assert section.parameters.outputSegmentation.GetName() == "scan segmentation"


def test_a_scene_that_is_closed_during_the_run_ends_it(host, section, volume):
    import slicer

    section.apply()
    slicer.mrmlScene.Clear(0)
    host.process()
    assert not section.panel.run.runner.running
    assert left_over() == []
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")


def test_the_button_opens_the_segment_editor_with_the_result_and_the_scan(host, section, volume, monkeypatch):
    import slicer

    assert not section.ui.editorButton.enabled
    apply(host, section)
    node, got = section.parameters.outputSegmentation, []
    editor = SimpleNamespace(setSegmentationNode=got.append, setSourceVolumeNode=got.append)
    panel = SimpleNamespace(self=lambda: SimpleNamespace(editor=editor))
    module = SimpleNamespace(widgetRepresentation=lambda: panel)
    monkeypatch.setattr(slicer.modules, "segmenteditor", module, raising=False)
    section.ui.editorButton.click()
    assert slicer.util.selectedModule() == "SegmentEditor"
    assert got == [node, volume]
    assert not host.displayed


def test_another_scan_gets_a_result_of_its_own(host, section, volume):
    import slicer

    apply(host, section)
    first = section.parameters.outputSegmentation
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "other")
    slicer.util.updateVolumeFromArray(other, np.arange(120, dtype=np.uint16).reshape(4, 5, 6))
    section.parameters.inputVolume = other
    assert section.parameters.outputSegmentation is None
    section.parameters.outputSegmentation = first  # whoever wants to replace it may choose it
    assert section.parameters.outputSegmentation is first


def test_a_scan_that_is_chosen_during_the_run_of_another_gets_a_result_of_its_own(host, section, volume):
    import slicer

    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "other")
    slicer.util.updateVolumeFromArray(other, np.arange(120, dtype=np.uint16).reshape(4, 5, 6))
    section.apply()
    section.parameters.inputVolume = other
    host.wait(lambda: not section.panel.run.runner.running, timeout_s=60)
    assert slicer.util.getNode("scan segmentation") is not None
    assert section.parameters.outputSegmentation is None
    assert section.ui.segmentsLabel.text == ""


def test_the_result_of_a_scan_that_was_deleted_is_not_replaced_by_that_of_the_next(host, section, volume):
    import slicer

    section.apply()
    slicer.mrmlScene.RemoveNode(volume)
    host.wait(lambda: not section.panel.run.runner.running, timeout_s=60)
    assert section.parameters.outputSegmentation.GetName() == "scan segmentation"
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "other")
    slicer.util.updateVolumeFromArray(other, np.arange(120, dtype=np.uint16).reshape(4, 5, 6))
    section.parameters.inputVolume = other
    assert section.parameters.outputSegmentation is None


@pytest.mark.parametrize("answer", [True, False])
def test_a_file_that_is_there_is_replaced_only_after_a_question(host, section, volume, tmp_path, answer):
    (tmp_path / "labels.seg.nrrd").write_text("precious")
    section.parameters.outputPath = tmp_path / "labels.seg.nrrd"
    host.answers["confirm"] = answer
    apply(host, section)
    assert ((tmp_path / "labels.seg.nrrd").read_bytes() != b"precious") is answer
    if answer:  # what was just made from this scan may go without a question
        host.answers["confirm"] = False
        apply(host, section)
        assert len(segmenting(section)) == 2


def test_a_preprocessed_scan_outlives_an_interrupted_run(host, section, tmp_path):
    from ImplantSegLib.inslicer.segmenting import Request, Segmenting

    scan, labels = tmp_path / "scan.nrrd", tmp_path / "labels.seg.nrrd"
    write(Volume(np.arange(120, dtype=np.uint16).reshape(4, 5, 6), (0.01, 0.01, 0.01)), scan)
    facts = {"shape": [4, 5, 6], "voxel_size_um": [10, 10, 10]}

    def steps(**options):
        work = Segmenting(Request.of(path=scan, facts=facts, output_path=labels, **options))
        found = work.steps()
        work.close()
        return found, work

    first, _ = steps(binning=2)
    assert [one.verb for one in first] == ["preprocess", "segment"]
    prepared = Path(first[0].arguments[1])
    assert prepared.parent == tmp_path
    prepared.write_text("made")
    again, work = steps(binning=2)
    assert [one.verb for one in again] == ["segment"]
    assert again[0].arguments[0] == prepared
    assert [one.verb for one in steps(binning=2, resume=False)[0]] == ["preprocess", "segment"]
    assert [one.verb for one in steps(binning=3)[0]] == ["preprocess", "segment"]
    labels.write_bytes(section.given.read_bytes())
    work.load()
    assert [path.name for path in tmp_path.glob(".labels*")] == []
