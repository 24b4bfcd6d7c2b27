"""The section Environment on the host: what it shows, and what its buttons do; nothing is truly installed."""

import json
import sys
from subprocess import CalledProcessError
from types import SimpleNamespace

import pytest


def package(name, state="ok", version="1.0", extra=""):
    return {"name": name, "wanted": ">=1.0", "extra": extra, "version": version, "state": state, "detail": ""}


def facts(*packages, version="2.9.0+cpu", idle=False):
    gpu = {"name": "RTX 4070", "memory_free_bytes": 10 * 2**30, "memory_total_bytes": 12 * 2**30}
    return {
        "torch": {"version": version, "build": version and "cpu", "gpu_usable": False, "cpu_bf16": []},
        "gpus": [gpu] if idle else [], "idle_gpu": idle,
        "packages": [*packages, package("torch", "ok" if version else "missing", version)],
        "memory_free_bytes": 2**33, "models": {"folder": "models"},
    }  # fmt: skip


WHOLE = facts(package("tqdm"), package("monai", "missing", None, "train"))


@pytest.fixture
def section(host, root, monkeypatch):
    """The section, whose child process answers at once with what stands in ``section.answer``."""
    from ImplantSegLib.inslicer import environment
    from ImplantSegLib.inslicer.model import ModelSection
    from ImplantSegLib.inslicer.runner import Runner

    state = SimpleNamespace(answer=WHOLE, asked=0)

    def ask(verb, arguments, answered, failed):
        assert verb == "environment"
        state.asked += 1
        answered(json.dumps(state.answer) if "--json" in arguments else "the report")
        return Runner()

    monkeypatch.setattr(environment, "ask", ask)
    monkeypatch.setattr(ModelSection, "reload", lambda self: None)
    panel = host.load(root / "ImplantSeg" / "ImplantSeg.py").panel
    section = panel.section(environment.EnvironmentSection)
    section.state = state
    return section


def shows(section, answer):
    section.state.answer = answer
    section.ui.refreshEnvironmentButton.click()


def test_it_asks_once_when_the_module_is_shown_and_again_on_demand(section):
    assert section.state.asked == 1
    section.panel.refresh()
    assert section.state.asked == 1
    section.ui.refreshEnvironmentButton.click()
    assert section.state.asked == 2


def test_an_environment_that_lacks_nothing(section):
    table = section.ui.packageTable
    assert [table.item(row, 0).text() for row in range(table.rowCount)] == ["tqdm", "monai (to train)", "torch"]
    assert section.ui.environmentLabel.text == "Nothing is missing."
    assert section.problems() == []
    assert not section.ui.installPackagesButton.enabled
    assert not section.ui.installTorchButton.enabled


def test_what_is_missing_is_red_and_hinders_a_run(section):
    import qt

    shows(section, facts(package("tqdm"), package("edt", "missing", None), version=None))
    assert section.ui.packageTable.item(1, 2).foreground().color() == qt.QColor("#c62828")
    assert section.ui.packageTable.item(0, 2).foreground().color() != qt.QColor("#c62828")
    assert section.ui.installPackagesButton.enabled
    assert section.ui.installTorchButton.enabled
    assert len(section.problems()) == 2
    assert not section.panel.run.ui.applyButton.enabled
    assert "PyTorch is not installed" in section.panel.run.ui.applyButton.toolTip


def test_who_comes_back_from_installing_torch_finds_it(host, section):
    import slicer

    shows(section, facts(version=None))
    section.state.answer = WHOLE
    slicer.modules.ImplantSegWidget.exit()
    slicer.modules.ImplantSegWidget.enter()
    assert section.problems() == []
    asked = section.state.asked
    slicer.modules.ImplantSegWidget.exit()
    slicer.modules.ImplantSegWidget.enter()
    assert section.state.asked == asked  # nothing is missing, so nothing is asked


def test_an_idle_gpu_is_told_in_red_but_hinders_nothing(section):
    shows(section, facts(idle=True))
    assert "The GPU RTX 4070 is idle" in section.ui.environmentLabel.text
    assert "#c62828" in section.ui.environmentLabel.styleSheet
    assert section.problems() == []


def test_the_report_goes_to_the_clipboard(section):
    import slicer

    section.ui.copyReportButton.click()
    assert slicer.app.clipboard().text() == "the report"
    assert "clipboard" in section.ui.environmentLabel.text


class TestInstall:
    @pytest.fixture(autouse=True)
    def _lacking(self, section, monkeypatch):
        """As if pip had never installed anything here."""
        from importlib import metadata

        def version(name):
            raise metadata.PackageNotFoundError(name)

        monkeypatch.setattr(metadata, "version", version)
        shows(section, facts(package("edt", "missing", None), version=None))
        section.state.asked = 0

    def test_only_what_slicer_does_not_bring_is_installed(self, host, section, monkeypatch):
        import slicer.packaging

        from ImplantSegLib.environment.packages import FROM_SLICER

        calls = []
        real = slicer.packaging.pip_ensure
        monkeypatch.setattr(
            slicer.packaging, "pip_ensure", lambda wanted, **options: (calls.append(options), real(wanted, **options))
        )
        host.answers["confirm"] = True
        section.ui.installPackagesButton.click()
        assert calls == [{"skip_packages": ["numpy", "scipy", "SimpleITK", "torch", "vtk"], "requester": "ImplantSeg"}]
        assert "numba>=0.61" in slicer.packaging.installed
        assert not [line for line in slicer.packaging.installed if line in FROM_SLICER]
        assert section.state.asked == 1  # looked again

    def test_a_user_who_declines_reads_a_sentence(self, host, section):
        host.answers["confirm"] = False
        section.ui.installPackagesButton.click()
        assert section.ui.environmentLabel.text == "Nothing was installed."
        assert section.ui.installPackagesButton.enabled
        assert section.state.asked == 0

    def test_pip_that_fails_is_told(self, host, section, monkeypatch):
        import slicer.packaging

        def fail(*_arguments, **_options):
            raise CalledProcessError(1, "pip install")

        monkeypatch.setattr(slicer.packaging, "pip_ensure", fail)
        section.ui.installPackagesButton.click()
        assert "Pip ended with exit code 1" in host.displayed[-1].text
        assert "The packages could not be installed." in host.displayed[-1].text
        assert section.ui.installPackagesButton.enabled

    def test_without_the_extension_the_way_to_it_is_told(self, host, section, monkeypatch):
        monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
        section.ui.installTorchButton.click()
        assert "Extensions Manager" in host.displayed[-1].text

    @pytest.mark.parametrize(("torch", "sentence"), [(object(), "PyTorch"), (None, "Nothing was installed.")])
    def test_torch_comes_through_the_extension(self, section, monkeypatch, torch, sentence):
        calls = []

        class Logic:
            def installTorch(  # noqa: N802 - the name of the extension
                self, askConfirmation=False, forceComputationBackend=None,  # noqa: N803
                torchVersionRequirement=None, torchvisionVersionRequirement=None,  # noqa: N803
            ):  # fmt: skip
                calls.append((askConfirmation, torchVersionRequirement))
                return torch

        monkeypatch.setitem(sys.modules, "PyTorchUtils", SimpleNamespace(PyTorchUtilsLogic=Logic))
        section.ui.installTorchButton.click()
        assert calls == [(True, ">=2.4")]
        assert sentence in section.ui.environmentLabel.text

    def test_nothing_is_replaced_under_a_run(self, host, section, monkeypatch):
        from ImplantSegLib.inslicer import runner

        slow = [sys.executable, "-c", "import time; time.sleep(60)"]
        monkeypatch.setattr(runner.worker, "command", lambda *_: slow)
        section.panel.run.start([runner.Step("working", "run", [])], lambda _: None)
        section.ui.installPackagesButton.click()
        assert "A run is going on" in host.displayed[-1].text
        section.panel.run.cancel()
        host.wait(lambda: not section.panel.run.runner.running)


def test_the_real_command_answers_in_the_background(host, root, monkeypatch):
    from ImplantSegLib.inslicer.environment import EnvironmentSection
    from ImplantSegLib.inslicer.model import ModelSection

    monkeypatch.setattr(ModelSection, "reload", lambda self: None)
    section = host.load(root / "ImplantSeg" / "ImplantSeg.py").panel.section(EnvironmentSection)
    assert section.facts is None
    assert section.problems() == []  # nothing is known yet
    assert section.ui.environmentLabel.text == "Looking …"
    host.wait(lambda: section.facts is not None, timeout_s=120)
    assert section.ui.packageTable.rowCount == len(section.facts["packages"])
    assert section.ui.torchLabel.text.startswith("PyTorch ")


def test_a_scene_that_is_closed_while_it_looks_leaves_what_was_known(host, root, section, monkeypatch):
    import slicer

    from ImplantSegLib.inslicer import environment, runner

    monkeypatch.setattr(runner.worker, "command", lambda *_: [sys.executable, "-c", "import time; time.sleep(60)"])
    monkeypatch.setattr(environment, "ask", runner.ask)
    assert section.ui.environmentLabel.text == "Nothing is missing."
    section.ui.refreshEnvironmentButton.click()
    assert section.ui.environmentLabel.text == "Looking …"
    slicer.mrmlScene.Clear(0)
    host.process(50)
    assert section.ui.environmentLabel.text == "Nothing is missing."
