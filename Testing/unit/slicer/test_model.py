"""The section Model and the estimate on the host, with the real verbs: in this process but for one test, as children
would import torch each time.
"""

import contextlib
import io
import shutil

import numpy as np
import pytest

CPU = {
    "torch": {"version": "2.9.0+cpu", "build": "cpu", "gpu_usable": False, "cpu_bf16": []},
    "gpus": [], "idle_gpu": False, "packages": [{"name": "torch", "extra": "", "state": "ok"}],
    "memory_free_bytes": 8 * 2**30, "memory_total_bytes": 2**34,
}  # fmt: skip
GPU = {"name": "RTX 4070", "memory_free_bytes": 10 * 2**30, "memory_total_bytes": 12 * 2**30}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of the imported models, empty."""
    monkeypatch.setenv("IMPLANTSEG_MODEL_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def bundled(root):
    return root / "ImplantSeg" / "ImplantSegLib" / "data" / "compact_unet.safetensors"


def at_once(verb, arguments, answered, failed=lambda _: None, always=lambda: None):
    """Stand for ``runner.ask``: run the verb here and now."""
    from ImplantSegLib import cli
    from ImplantSegLib.errors import ImplantSegError
    from ImplantSegLib.inslicer.runner import Runner
    from ImplantSegLib.inslicer.worker import Failure

    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output):
            cli.resolve(verb)([str(argument) for argument in arguments])
    except ImplantSegError as error:
        failed(Failure(error.kind, error.message, error.remedy))
    else:
        answered(output.getvalue())
    always()
    return Runner()


@pytest.fixture
def panel(host, root, folder, monkeypatch):
    """The panel of ImplantSeg on a computer without a GPU."""
    from ImplantSegLib.inslicer import estimate, model
    from ImplantSegLib.inslicer.environment import EnvironmentSection

    monkeypatch.setattr(EnvironmentSection, "reload", lambda self: None)
    monkeypatch.setattr(model, "ask", at_once)
    monkeypatch.setattr(estimate, "ask", at_once)
    panel = host.load(root / "ImplantSeg" / "ImplantSeg.py").panel
    panel.section(EnvironmentSection).facts = CPU
    return panel


@pytest.fixture
def model(panel):
    return model_of(panel)


def model_of(panel):
    from ImplantSegLib.inslicer.model import ModelSection

    return panel.section(ModelSection)


def names(model):
    table = model.ui.modelTable
    return [table.item(row, 0).text() for row in range(table.rowCount)]


def scan(spacing_mm=0.01, shape=(8, 64, 64)):
    import slicer

    node = slicer.util.addVolumeFromArray(np.zeros(shape, np.uint16))
    node.SetSpacing(spacing_mm, spacing_mm, spacing_mm)
    return node


def test_the_bundled_model_is_listed_and_chosen(panel, model, bundled):
    from ImplantSegLib.models import load

    assert names(model) == ["compact_unet"]
    assert panel.parameters.model == "compact_unet"
    assert model.ui.modelTable.selectedItems()
    assert model.problems() == []
    assert not model.ui.deleteModelButton.enabled  # it comes with ImplantSeg
    score = load(bundled).scores["iou_percent.residual_material"]
    assert model.ui.modelTable.item(0, 4).text() == f"{score:.1f}"


def test_the_models_are_asked_for_in_a_child_process(host, root, folder, monkeypatch):
    from ImplantSegLib.inslicer.environment import EnvironmentSection

    monkeypatch.setattr(EnvironmentSection, "reload", lambda self: None)
    model = model_of(host.load(root / "ImplantSeg" / "ImplantSeg.py").panel)
    assert model.entries is None
    assert model.problems() == []  # nothing is known yet
    host.wait(lambda: model.ui.modelDetailsLabel.text, timeout_s=120)
    assert names(model) == ["compact_unet"]


def test_models_that_were_listed_without_torch_are_listed_anew(panel, model, monkeypatch):
    import dataclasses

    asked = []
    monkeypatch.setattr(model, "reload", lambda: asked.append(1))
    model.entries = {name: dataclasses.replace(entry, memory_bytes=2**28) for name, entry in model.entries.items()}
    model.entered()
    assert asked == []
    model.entries = {name: dataclasses.replace(entry, memory_bytes=None) for name, entry in model.entries.items()}
    model.entered()
    assert asked == [1]


def test_details_follow_the_choice(host, model):
    assert "SHA-256" in model.ui.modelDetailsLabel.toolTip
    assert "diaphysis" in model.ui.modelDetailsLabel.text


@pytest.mark.torch
def test_import_choose_verify_delete(host, panel, model, folder, bundled, tmp_path):
    mine = shutil.copy(bundled, tmp_path / "mine.safetensors")
    host.answers.update(getOpenFileName=str(mine), confirm=True)
    model.ui.importModelButton.click()
    assert panel.parameters.model == "mine"
    assert sorted(names(model)) == ["compact_unet", "mine"]
    assert model.ui.deleteModelButton.enabled

    model.ui.verifyModelButton.click()
    assert "mine: whole" in model.ui.modelLabel.text

    model.ui.importModelButton.click()  # asks whether to replace it, and is told yes
    assert "Replace it?" in host.displayed[-1].text

    model.ui.deleteModelButton.click()
    assert names(model) == ["compact_unet"]
    assert not list(folder.glob("*.safetensors"))
    assert model.problems() == ["The model mine is not on this computer; import its file, or choose another."]
    assert not model.ui.modelTable.selectedItems()


def test_nothing_is_deleted_without_a_yes(host, model, folder, bundled, panel):
    folder.mkdir()
    shutil.copy(bundled, folder / "mine.safetensors")
    model.ui.refreshModelsButton.click()
    panel.parameters.model = "mine"
    host.answers["confirm"] = False
    model.ui.deleteModelButton.click()
    host.process(100)
    assert (folder / "mine.safetensors").exists()


def test_a_click_on_a_row_chooses_the_model_in_any_order(host, panel, model, folder, bundled):
    import qt

    folder.mkdir()
    shutil.copy(bundled, folder / "a_first.safetensors")
    model.ui.refreshModelsButton.click()
    for order in (qt.Qt.AscendingOrder, qt.Qt.DescendingOrder):
        model.ui.modelTable.sortItems(0, order)
        for row, name in enumerate(names(model)):
            model.ui.modelTable.selectRow(row)
            assert panel.parameters.model == name


def test_a_damaged_model_is_red_and_says_why(host, panel, model, folder):
    import qt

    folder.mkdir()
    (folder / "broken.safetensors").write_bytes(b"no model")
    model.ui.refreshModelsButton.click()
    panel.parameters.model = "broken"
    assert len(model.problems()) == 1
    assert "The model broken cannot be used" in model.problems()[0]
    assert model.problems()[0] in model.ui.modelLabel.text
    assert "#c62828" in model.ui.modelLabel.styleSheet
    row = names(model).index("broken")
    assert model.ui.modelTable.item(row, 0).foreground().color() == qt.QColor("#c62828")
    assert not panel.run.ui.applyButton.enabled
    assert model.ui.deleteModelButton.enabled


def test_a_file_that_is_no_model_is_not_imported(host, model, folder, tmp_path):
    (tmp_path / "notes.safetensors").write_text("no model")
    host.answers["getOpenFileName"] = str(tmp_path / "notes.safetensors")
    model.ui.importModelButton.click()
    assert "is no model file or is damaged" in model.ui.modelLabel.text
    assert names(model) == ["compact_unet"]
    assert not list(folder.glob("*"))


def test_a_cancelled_dialog_does_nothing(host, model):
    host.answers["getOpenFileName"] = ""
    model.ui.importModelButton.click()
    assert model._deed is None


def test_a_model_that_is_gone_is_told_when_the_scene_is_loaded(host, panel, model, tmp_path):
    import slicer

    panel.parameters.model = "from_elsewhere"
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    host.process()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    assert panel.parameters.model == "from_elsewhere"
    assert "The model from_elsewhere is not on this computer" in model.ui.modelLabel.text


def test_voxels_that_the_model_was_not_trained_at_are_told_in_orange(panel, model):
    panel.parameters.inputVolume = scan(0.005)
    assert "0.50 times as large" in model.ui.modelLabel.text
    assert "#b26a00" in model.ui.modelLabel.styleSheet
    assert model.problems() == []  # it is allowed
    panel.parameters.binning = 2
    assert model.ui.modelLabel.text == ""


def test_voxels_that_the_command_would_refuse_are_refused_here(panel, model):
    panel.parameters.inputVolume = scan(0.0024)
    assert "bin it by 4 in the section Preprocessing" in model.problems()[0]
    assert "#c62828" in model.ui.modelLabel.styleSheet
    assert not panel.run.ui.applyButton.enabled
    panel.parameters.binning = 4
    assert model.problems() == []


def test_the_device_line(panel, model):
    from ImplantSegLib.inslicer.environment import EnvironmentSection

    environment = panel.section(EnvironmentSection)
    panel.refresh()
    assert model.ui.deviceLabel.text == "PyTorch 2.9.0+cpu, built for the CPU alone; no GPU found."
    assert model.ui.deviceLabel.styleSheet == ""
    environment.facts = CPU | {"gpus": [GPU], "idle_gpu": True}
    panel.refresh()
    assert "The GPU RTX 4070 is idle" in model.ui.deviceLabel.text
    assert "PyTorch Utils" in model.ui.deviceLabel.text
    assert "#c62828" in model.ui.deviceLabel.styleSheet


def test_the_folder_of_the_models_opens(host, panel, model, folder, monkeypatch):
    import qt

    from ImplantSegLib.inslicer.environment import EnvironmentSection

    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    panel.section(EnvironmentSection).facts = CPU | {"models": {"folder": str(folder)}}
    model.ui.openModelFolderButton.click()
    assert opened == [str(folder)]
    assert folder.is_dir()  # made, as nothing was imported yet


def test_a_gpu_that_is_chosen_but_not_there(panel, model):
    panel.parameters.device = type(panel.parameters.device).CUDA
    assert "PyTorch finds none" in model.ui.deviceLabel.text
    assert "#c62828" in model.ui.deviceLabel.styleSheet


def test_choices_reach_the_command(panel):
    from ImplantSegLib.inslicer.commands import Network

    ui = model_of(panel).ui
    ui.advancedModelButton.collapsed = False
    ui.mirrorCheckBox.checked = True
    ui.acrossSpinBox.value = 2.5
    ui.memorySpinBox.value = 4
    ui.deviceComboBox.currentIndex = 2
    assert Network.of(panel.parameters).arguments() == [
        "--model", "compact_unet", "--device", "cpu", "--mirror", "--across", "2.5", "--max-memory", "4GiB",
    ]  # fmt: skip


class TestEstimate:
    @pytest.fixture
    def estimate(self, panel):
        from ImplantSegLib.inslicer.estimate import EstimateSection

        return panel.section(EstimateSection)

    def test_without_a_scan_there_is_nothing_to_estimate(self, estimate):
        assert not estimate.ui.estimateButton.enabled
        assert estimate.ui.estimateLabel.text == ""

    @pytest.mark.torch
    def test_it_is_made_by_itself_from_the_size_of_the_scan_alone(self, host, panel, estimate):
        import slicer

        panel.parameters.inputVolume = scan(0.005)
        assert estimate.ui.estimateLabel.text == "Estimating …"
        host.wait(lambda: estimate.ui.estimateLabel.text.startswith("About "))
        assert "on the CPU" in estimate.ui.estimateLabel.text
        assert "of memory and" in estimate.ui.estimateLabel.text
        assert "0.50 times as large" in estimate.ui.estimateWarningLabel.text
        assert not [path for path in slicer_temporary(slicer) if path.name.startswith("ImplantSeg-")]

    @pytest.mark.torch
    def test_the_button_asks_at_once_and_an_error_is_a_sentence(self, host, panel, estimate):
        panel.parameters.inputVolume = scan()
        panel.parameters.memoryGib = 0.01
        estimate.ui.estimateButton.click()
        assert "allowed are" in estimate.ui.estimateWarningLabel.text

    def test_memory_beyond_what_is_free_is_told(self):
        from ImplantSegLib.inslicer.estimate import memory_warning

        assert memory_warning({"memory_bytes": 2**33}, CPU) == []
        assert memory_warning({"memory_bytes": 2**33}, None) == []
        assert memory_warning({"memory_bytes": 2**34}, CPU) == [
            "The run may need 16 GiB of memory, 8.0 GiB are free: lower the memory limit."
        ]

    def test_text(self):
        from ImplantSegLib.inslicer.estimate import text_of

        answer = {"device": "cpu", "precision": "bf16", "seconds": 190.2, "memory_bytes": 1.2 * 2**30}
        answer["disk_bytes"] = 0.4 * 2**30
        assert text_of(answer, False) == (
            "About 3 min 10 s on the CPU (bf16), at most 1.2 GiB of memory and 410 MiB of disk."
        )
        assert text_of(answer, True).endswith("disk; preprocessing comes before that.")


def slicer_temporary(slicer):
    from pathlib import Path

    return list(Path(slicer.app.temporaryPath).iterdir())


def test_the_list_comes_first_and_what_needs_torch_follows(host, root, folder, monkeypatch):
    """Until there is a list, a sentence stands where it will be."""
    from ImplantSegLib.inslicer import model
    from ImplantSegLib.inslicer.environment import EnvironmentSection
    from ImplantSegLib.inslicer.runner import Runner

    asked = []
    monkeypatch.setattr(EnvironmentSection, "reload", lambda self: None)
    monkeypatch.setattr(model, "ask", lambda *question: asked.append(question) or Runner())
    section = model_of(host.load(root / "ImplantSeg" / "ImplantSeg.py").panel)
    assert [question[1] for question in asked] == [["list", "--json", "--quick"]]
    assert section.ui.modelLabel.text == "Looking for models …"
    at_once(*asked[0])
    assert names(section) == ["compact_unet"]
    assert section.entries["compact_unet"].memory_bytes is None
    assert section.ui.modelLabel.text == ""
    assert asked[-1][1] == ["list", "--json"]
    at_once(*asked[-1])
    assert section.entries["compact_unet"].memory_bytes > 0


def test_voxels_of_unknown_size_are_not_compared_with_those_of_the_model(host, model):
    import slicer

    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan")
    slicer.util.updateVolumeFromArray(volume, np.zeros((4, 5, 6), np.uint16))
    model.parameters.inputVolume = volume
    assert model.problems() == ["The scan does not say how large its voxels are: enter it in the section Scan."]
    assert "times as large" not in model.ui.modelLabel.text
    model.parameters.voxelSizeUm = 10
    assert model.problems() == []
    model.parameters.voxelSizeUm = 0
    volume.SetSpacing(0.1, 0.1, 0.1)
    model.panel.refresh()
    assert "10.00 times as large" in model.ui.modelLabel.text


def test_a_closed_scene_leaves_no_estimate_under_way(host, panel):
    import slicer

    from ImplantSegLib.inslicer.estimate import EstimateSection

    estimate = panel.section(EstimateSection)
    panel.parameters.inputVolume = scan(0.01)
    assert estimate.ui.estimateLabel.text == "Estimating …"
    slicer.mrmlScene.Clear(0)
    host.process()
    assert estimate.ui.estimateLabel.text == ""
