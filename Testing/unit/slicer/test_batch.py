"""The section Batch on the host; the command is a stand-in that speaks as `implantseg segment LIST --resume` does."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

COMMAND = """
import csv, json, shutil, sys, time
from pathlib import Path

labels = Path(sys.argv[1])
rows = list(csv.DictReader(open(sys.argv[2], encoding="utf-8")))

def tell(index, status, message=""):
    event = {"event": "item", "index": index, "status": status, "message": message}
    print(json.dumps(event), file=sys.stderr, flush=True)

for index, row in enumerate(rows):
    if Path(row["output"]).exists():
        tell(index, "skipped", "the labels are there")
        continue
    tell(index, "running")
    if "slow" in row["input"]:
        time.sleep(60)
    if "crash" in row["input"]:
        print(json.dumps({"event": "error", "kind": "memory", "message": "out of memory", "remedy": "give it more"}),
              file=sys.stderr, flush=True)
        sys.exit(3)
    if "bad" in row["input"]:
        tell(index, "failed", "it is no scan")
        continue
    shutil.copy(labels, row["output"])
    tell(index, "done")
"""


@pytest.fixture
def real(host, root, tmp_path):
    """The section in the panel of ImplantSeg."""
    panel = host.load(root / "ImplantSeg" / "ImplantSeg.py").panel
    from ImplantSegLib.inslicer.batch import BatchSection

    section = panel.section(BatchSection)
    section.parameters.batchFolder = tmp_path / "out"
    return section


@pytest.fixture
def section(real, tmp_path, monkeypatch):
    """The section whose child process is the stand-in."""
    from ImplantSegLib.inslicer import runner
    from ImplantSegLib.volumes import Volume, write

    section = real
    script, labels = tmp_path / "command.py", tmp_path / "labels.seg.nrrd"
    script.write_text(COMMAND)
    write(Volume(np.arange(24, dtype=np.uint8).reshape(2, 3, 4) % 4, (0.01, 0.01, 0.02)), labels)
    section.commands = []

    def command(verb, *arguments):
        if verb != "segment" or "--dry-run" in arguments:
            return [sys.executable, "-c", "raise SystemExit(2)"]  # other sections ask in the background
        section.commands.append([verb, *map(str, arguments)])
        return [sys.executable, str(script), str(labels), *map(str, arguments)]

    monkeypatch.setattr(runner.worker, "command", command)
    return section


def volume(name: str, shape=(2, 3, 4)):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, np.zeros(shape, np.float32))
    return node


def statuses(section) -> list[str]:
    return [row.status for row in section._rows()]


def written(tmp_path: Path) -> list[dict[str, str]]:
    """Rows of the list that the command was given."""
    with (tmp_path / "out" / "scans.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def run(host, section) -> None:
    section.ui.runBatchButton.click()
    host.wait(lambda: not section.panel.run.runner.running, 20)


def add_files(host, section, *paths) -> None:
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    host.answers["getOpenFileNames"] = [str(path) for path in paths]
    section.ui.addFilesButton.click()


def test_rows_are_run_and_shown_with_what_became_of_them(host, section, tmp_path):
    volume("from the scene")
    section.ui.addVolumesButton.click()
    section.ui.addVolumesButton.click()  # no second row for the same volume
    add_files(host, section, tmp_path / "good.nrrd", tmp_path / "bad.nii.gz")
    assert statuses(section) == ["waiting"] * 3
    run(host, section)
    assert statuses(section) == ["done", "done", "failed"]
    table = section.ui.batchRowsTable
    assert [table.item(2, column).text() for column in range(4)] == [
        "bad.nii.gz",
        "bad.seg.nrrd",
        "failed",
        "it is no scan",
    ]
    assert section.ui.batchSummaryLabel.text == "2 done, 1 failed"
    assert (tmp_path / "out" / "good.seg.nrrd").is_file()
    verb, listed, *options = section.commands[0]
    assert (verb, listed, options[0]) == ("segment", str(tmp_path / "out" / "scans.csv"), "--resume")
    assert "--model" in options


def test_labels_and_volumes_that_the_module_made_are_no_scans(host, section):
    import slicer

    from ImplantSegLib.inslicer.preview import PREVIEW_OF

    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    volume("preview").SetAttribute(PREVIEW_OF, "scan")
    section.parameters.outputUncertainty = volume("uncertainty")
    volume("scan")
    section.ui.addVolumesButton.click()
    assert [row.input for row in section._rows()] == ["scan"]


def test_a_volume_of_the_scene_is_written_beside_the_list(host, section, tmp_path):
    volume("scan/1")
    section.ui.addVolumesButton.click()
    run(host, section)
    rows = written(tmp_path)
    assert rows == [{
        "input": str(tmp_path / "out" / "scans" / "scan_1.nrrd"), "output": str(tmp_path / "out" / "scan_1.seg.nrrd"),
    }]  # fmt: skip
    assert Path(rows[0]["input"]).is_file()


def test_a_volume_that_has_not_changed_is_not_written_again(host, section, tmp_path):
    import os

    import slicer

    node = volume("scan")
    section.ui.addVolumesButton.click()
    run(host, section)
    copy = tmp_path / "out" / "scans" / "scan.nrrd"
    os.utime(copy, (1, 1))  # by its time the command knows a scan again
    section._list().change(0, "waiting")
    section.panel.refresh()
    run(host, section)
    assert copy.stat().st_mtime == 1
    slicer.util.updateVolumeFromArray(node, np.ones((2, 3, 4), np.float32))
    section._list().change(0, "waiting")
    section.panel.refresh()
    run(host, section)
    assert copy.stat().st_mtime > 1
    assert [path.name for path in copy.parent.iterdir()] == ["scan.nrrd"]


def test_a_volume_that_cannot_be_written_fails_alone(host, section, tmp_path):
    import slicer

    volume("good")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    gone = volume("gone")
    section.ui.addVolumesButton.click()
    slicer.mrmlScene.RemoveNode(gone)
    run(host, section)
    assert statuses(section) == ["done", "failed", "failed"]
    assert "no voxels" in section._rows()[1].message
    assert "no longer in the scene" in section._rows()[2].message


def test_a_file_that_is_gone_fails_alone(host, section, tmp_path):
    add_files(host, section, tmp_path / "good.nrrd", tmp_path / "gone.nrrd")
    (tmp_path / "gone.nrrd").unlink()
    run(host, section)
    assert statuses(section) == ["done", "failed"]
    assert section._rows()[1].message == "It is not there."


def test_cancel_leaves_the_rest_waiting_and_a_second_run_goes_on(host, section, tmp_path):
    add_files(host, section, tmp_path / "good.nrrd", tmp_path / "slow.nrrd")
    section.ui.runBatchButton.click()
    assert not section.ui.addFilesButton.enabled
    host.wait(lambda: statuses(section) == ["done", "running"], 20)
    section.panel.run.ui.cancelButton.click()
    host.wait(lambda: not section.panel.run.runner.running, 5)
    assert statuses(section) == ["done", "waiting"]
    assert section.ui.addFilesButton.enabled
    section.ui.batchRowsTable.selectRow(1)
    section.ui.removeRowButton.click()
    add_files(host, section, tmp_path / "other.nrrd")
    run(host, section)
    assert statuses(section) == ["done", "done"]  # the first was skipped: it is done


def test_a_crash_is_told_in_the_row_that_it_hit(host, section, tmp_path):
    add_files(host, section, tmp_path / "crash.nrrd", tmp_path / "good.nrrd")
    run(host, section)
    assert statuses(section) == ["failed", "waiting"]
    assert section._rows()[0].message == "Out of memory. Give it more."
    assert [message.kind for message in host.displayed].count("error") == 1


def test_a_result_is_loaded_on_the_volume_it_was_made_from(host, section):
    import slicer

    scan = volume("scan")
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    scan.SetAndObserveTransformNodeID(transform.GetID())
    section.ui.addVolumesButton.click()
    run(host, section)
    section.ui.batchRowsTable.selectRow(0)
    section.ui.loadRowButton.click()
    loaded = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert [node.GetName() for node in loaded] == ["scan segmentation"]
    assert loaded[0].GetTransformNodeID() == transform.GetID()
    section.ui.batchRowsTable.cellDoubleClicked.emit(0, 2)
    assert len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")) == 2


def test_a_row_without_a_result_says_so(host, section, tmp_path):
    add_files(host, section, tmp_path / "scan.nrrd")
    section.ui.batchRowsTable.selectRow(0)
    section.ui.loadRowButton.click()
    assert "has no result yet" in host.displayed[-1].text


def test_the_list_survives_saving_and_loading_the_scene(host, section, tmp_path):
    import slicer

    volume("in the scene")
    section.ui.addVolumesButton.click()
    add_files(host, section, tmp_path / "slow.nrrd", tmp_path / "bad.nrrd")
    section._list().change(1, "running")  # as when the application dies
    section._list().change(2, "failed", "it is, no scan")
    before = section._rows()
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    assert section.ui.batchRowsTable.rowCount == 0
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    host.process(20)
    rows = section._rows()
    assert [row.input for row in rows] == [row.input for row in before]
    assert statuses(section) == ["waiting", "waiting", "failed"]
    assert rows[2].message == "it is, no scan"
    assert section._list().volume(rows[0]).GetName() == "in the scene"
    assert Path(section.parameters.batchFolder) == tmp_path / "out"


def test_closing_the_scene_during_a_run_ends_it(host, section, tmp_path):
    import slicer

    add_files(host, section, tmp_path / "slow.nrrd")
    section.ui.runBatchButton.click()
    host.wait(lambda: statuses(section) == ["running"], 20)
    slicer.mrmlScene.Clear(0)
    assert not section.panel.run.runner.running
    assert section._rows() == []
    assert section.ui.addFilesButton.enabled


def test_lists_are_imported_with_their_options(host, section, tmp_path):
    (tmp_path / "list.csv").write_text('input,output,spacing_um,crop\na.nrrd,,5,\nb.nrrd,x.nrrd,,"0:5,:,:"\n')
    host.answers["getOpenFileName"] = str(tmp_path / "list.csv")
    section.ui.importButton.click()
    first, second = section._rows()
    assert (first.input, first.output, first.options) == (str(tmp_path / "a.nrrd"), "a.seg.nrrd", {"spacing_um": "5"})
    assert (second.input, second.output, second.options) == (
        str(tmp_path / "b.nrrd"),
        str(tmp_path / "x.nrrd"),
        {"crop": "0:5,:,:"},
    )
    for name in ("a.nrrd", "b.nrrd"):
        (tmp_path / name).touch()
    run(host, section)
    assert [(row["spacing_um"], row["crop"]) for row in written(tmp_path)] == [("5", ""), ("", "0:5,:,:")]


def test_one_scan_may_be_cut_into_two_parts(host, section, tmp_path):
    (tmp_path / "list.csv").write_text('input,crop\na.nrrd,"0:5,:,:"\na.nrrd,"5:9,:,:"\na.nrrd,"5:9,:,:"\n')
    host.answers["getOpenFileName"] = str(tmp_path / "list.csv")
    section.ui.importButton.click()
    assert [(row.output, row.options["crop"]) for row in section._rows()] == [
        ("a.seg.nrrd", "0:5,:,:"), ("a-2.seg.nrrd", "5:9,:,:"),
    ]  # fmt: skip


def test_a_list_without_scans_is_refused(host, section, tmp_path):
    (tmp_path / "list.csv").write_text("file\na.nrrd\n")
    host.answers["getOpenFileName"] = str(tmp_path / "list.csv")
    section.ui.importButton.click()
    assert "no column input" in host.displayed[-1].text
    assert section._rows() == []


def test_a_folder_means_its_slices_or_the_folders_in_it(host, section, tmp_path):
    for name in ("a", "b"):
        (tmp_path / "all" / name).mkdir(parents=True)
        (tmp_path / "all" / name / "1.TIF").touch()
    (tmp_path / "all" / "none").mkdir()
    for chosen in ("all", "all/b", "all/none", ""):
        host.answers["getExistingDirectory"] = str(tmp_path / chosen) if chosen else ""
        section.ui.addFolderButton.click()
    assert [Path(row.input).name for row in section._rows()] == ["a", "b"]
    assert [row.output for row in section._rows()] == ["a.seg.nrrd", "b.seg.nrrd"]
    assert "There are no slices" in host.displayed[-1].text


def test_scans_of_one_name_get_labels_of_two_names(host, section, tmp_path):
    add_files(host, section, tmp_path / "scan.nrrd", tmp_path / "x" / "scan.nii.gz", tmp_path / "scan.nrrd")
    assert [row.output for row in section._rows()] == ["scan.seg.nrrd", "scan-2.seg.nrrd"]
    run(host, section)
    add_files(host, section, tmp_path / "y" / "scan.mha")
    run(host, section)
    written = [tmp_path / "out" / f"scan{end}.seg.nrrd" for end in ("", "-2", "-3")]
    assert [row.output for row in section._rows()] == list(map(str, written))


def test_the_button_says_what_is_missing(host, section, tmp_path):
    assert not section.ui.runBatchButton.enabled
    assert section.ui.runBatchButton.toolTip == "Add scans to the list."
    add_files(host, section, tmp_path / "scan.nrrd")
    assert section.ui.runBatchButton.enabled
    section.parameters.batchFolder = Path()
    assert section.ui.runBatchButton.toolTip == "Choose an output folder."


def test_finished_rows_are_cleared(host, section, tmp_path):
    add_files(host, section, tmp_path / "good.nrrd", tmp_path / "bad.nrrd")
    run(host, section)
    section.ui.clearFinishedButton.click()
    assert [Path(row.input).name for row in section._rows()] == ["bad.nrrd"]
    section.ui.removeRowButton.click()  # nothing is selected
    assert len(section._rows()) == 1


@pytest.mark.torch
def test_the_real_command_segments_the_list_and_skips_what_is_done(host, real, tmp_path):
    import slicer

    from ImplantSegLib.volumes import Volume, write

    noise = np.random.default_rng(3)
    for name in ("a", "b"):
        voxels = noise.integers(0, 60000, (4, 40, 40)).astype(np.uint16)
        write(Volume(voxels, (0.01, 0.01, 0.01)), tmp_path / f"{name}.nrrd")
    real.parameters.device = type(real.parameters.device).CPU
    host.answers["getOpenFileNames"] = [str(tmp_path / "a.nrrd"), str(tmp_path / "b.nrrd")]
    real.ui.addFilesButton.click()
    real.ui.runBatchButton.click()
    host.wait(lambda: not real.panel.run.runner.running, 300)
    assert statuses(real) == ["done", "done"], real.panel.run.ui.logText.toPlainText()
    real.ui.batchRowsTable.selectRow(1)
    real.ui.loadRowButton.click()
    assert [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")] == ["b segmentation"]
    real._list().change(0, "waiting")
    (tmp_path / "out" / "b.seg.nrrd").unlink()
    real._list().change(1, "waiting")
    real.panel.refresh()
    real.ui.runBatchButton.click()
    host.wait(lambda: not real.panel.run.runner.running, 300)
    assert statuses(real) == ["skipped", "done"]


def test_labels_that_are_too_large_to_be_loaded_are_told(host, section, tmp_path, monkeypatch):
    from ImplantSegLib.inslicer import batch

    add_files(host, section, tmp_path / "scan.nrrd")
    run(host, section)
    monkeypatch.setattr(batch, "LOADED_BYTES", 23)  # the labels have 24 voxels
    section.ui.batchRowsTable.selectRow(0)
    section.ui.loadRowButton.click()
    assert "is too large to be loaded" in host.displayed[-1].text
