"""What may befall a run, on the host with real child processes.

Each time the panel can be used again, says what happened in one sentence, leaves no process behind, and the scene is
as it was.
"""

import os
import sys
import time

import numpy as np
import psutil
import pytest

SLOW = "import time; print('ready', flush=True); time.sleep(60)"

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
print('ready', flush=True)
time.sleep(60)
"""

LAUNCHER = """
import subprocess, sys
sys.exit(subprocess.Popen([sys.executable, "-c", {child!r}]).wait())
"""

OUT_OF_MEMORY = """
import sys
from ImplantSegLib import cli, progress
from ImplantSegLib.errors import MemoryLimitError
progress.configure("json")
sys.exit(cli._fail(MemoryLimitError("the scan needs 80 GiB, 12 GiB are free", "bin it")))
"""

BUG = """
import json, sys
print(json.dumps({"event": "error", "kind": "bug", "message": "KeyError: 'x'", "remedy": "report it"}), file=sys.stderr)
raise KeyError("x")
"""

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals; there Cancel kills at once")


@pytest.fixture
def module(host, root, monkeypatch):
    """ImplantSeg without anything that speaks against a run; steps of the verb ``code`` are Python code."""
    module = host.load(root / "ImplantSeg" / "ImplantSeg.py")
    from ImplantSegLib.inslicer import runner
    from ImplantSegLib.inslicer.environment import EnvironmentSection
    from ImplantSegLib.inslicer.model import ModelSection

    for section in (EnvironmentSection, ModelSection):
        module.panel.section(section).close()
        monkeypatch.setattr(section, "reload", lambda self: None)
    monkeypatch.setattr(module.panel, "problems", list)
    real = runner.worker.command

    def command(verb, *arguments):
        return [sys.executable, "-c", *arguments] if verb == "code" else real(verb, *arguments)

    monkeypatch.setattr(runner.worker, "command", command)
    module.panel.refresh()
    return module


@pytest.fixture
def run(module):
    return module.panel.run


def step(verb, *arguments):
    from ImplantSegLib.inslicer.runner import Step

    return Step("segmenting", verb, arguments)


def children():
    """Processes that were started here and still run, but for multiprocessing's own, which lives as long as we."""
    found = psutil.Process().children(recursive=True)
    running = [process for process in found if process.status() != psutil.STATUS_ZOMBIE]
    return [process for process in running if "multiprocessing.resource_tracker" not in " ".join(process.cmdline())]


def children_of(code):
    return [process for process in children() if code in process.cmdline()]


def nodes():
    import slicer

    return {slicer.mrmlScene.GetNthNode(index).GetID() for index in range(slicer.mrmlScene.GetNumberOfNodes())}


def start(host, run, *steps, **callbacks):
    """Start a run and wait until its process has said that it is ready."""
    run.start(steps, callbacks.pop("succeeded", lambda _: None), **callbacks)
    host.wait(lambda: "ready" in run.ui.logText.toPlainText())


def finish(host, run):
    host.wait(lambda: not run.runner.running, timeout_s=60)


def is_usable_and_says(host, run, sentence, messages=1):
    """The state in which every fault must leave the panel."""
    assert run.ui.statusLabel.text == sentence
    assert run.ui.applyButton.enabled
    assert not run.ui.cancelButton.enabled
    assert not run.ui.progressBar.isVisibleTo(run.form)
    assert [message.text for message in host.displayed] == [sentence] * messages
    assert not children()
    outputs = []
    host.displayed.clear()
    run.start([step("code", "print('again')")], outputs.append)
    finish(host, run)
    assert outputs == ["again\n"]
    assert host.displayed == []


@pytest.mark.parametrize(
    "code",
    [
        SLOW,
        pytest.param(STUBBORN, marks=posix),
        pytest.param(LAUNCHER.format(child=SLOW), marks=posix),
        pytest.param(LAUNCHER.format(child=STUBBORN), marks=posix),
    ],
    ids=["obedient", "ignores SIGTERM", "behind a launcher", "ignores SIGTERM behind a launcher"],
)
def test_cancel_leaves_no_process_after_two_seconds(host, run, code):
    ends = []
    start(host, run, step("code", code), step("code", SLOW), ended=ends.append)
    family = children()
    assert len(family) == (2 if "subprocess" in code else 1)
    clicked = time.monotonic()
    run.ui.cancelButton.click()
    assert not run.ui.cancelButton.enabled
    assert run.ui.statusLabel.text == "Stopping …"
    host.wait(lambda: not any(process in children() for process in family), timeout_s=5)
    assert time.monotonic() - clicked <= 2.0
    finish(host, run)
    assert [end.kind for end in ends] == ["cancelled"]
    is_usable_and_says(host, run, "The run was cancelled.", messages=0)


@pytest.mark.torch
def test_cancel_ends_a_real_segmentation_in_two_seconds(host, run, tmp_path):
    from ImplantSegLib.volumes import Volume, write

    scan, labels = tmp_path / "scan.nrrd", tmp_path / "labels.seg.nrrd"
    write(Volume(np.random.default_rng(0).integers(0, 4000, (600, 96, 96)).astype(np.uint16), (0.01,) * 3), scan)
    run.start([step("segment", scan, labels, "--mirror")], lambda _: None)
    host.wait(lambda: run.ui.progressBar.value > 0, timeout_s=200)
    clicked = time.monotonic()
    run.ui.cancelButton.click()
    host.wait(lambda: not children(), timeout_s=5)
    assert time.monotonic() - clicked <= 2.0
    finish(host, run)
    assert not labels.exists()
    is_usable_and_says(host, run, "The run was cancelled.", messages=0)


@posix
def test_a_child_that_the_system_kills(host, run):
    start(host, run, step("code", SLOW))
    children()[0].kill()
    finish(host, run)
    is_usable_and_says(
        host, run,
        "The process was killed from outside, as the system does when memory runs out. "
        "Close programs, give the run less memory, or crop or bin the scan.",
    )  # fmt: skip


def test_a_child_that_runs_out_of_memory_and_says_so(host, run):
    run.start([step("code", OUT_OF_MEMORY)], lambda _: None)
    finish(host, run)
    is_usable_and_says(host, run, "The scan needs 80 GiB, 12 GiB are free. Bin it.")


def test_a_child_with_a_bug_shows_its_traceback_as_details(host, run):
    run.start([step("code", BUG)], lambda _: None)
    finish(host, run)
    assert "Traceback" in host.displayed[0].details
    is_usable_and_says(host, run, "KeyError: 'x'. Report it.")


def test_a_child_that_crashes_without_a_word(host, run):
    run.start([step("code", "import os; os._exit(7)")], lambda _: None)
    finish(host, run)
    is_usable_and_says(host, run, "The process ended with exit code 7 and did not say why. See the log.")


def test_no_python_to_start(host, run, monkeypatch):
    from ImplantSegLib.inslicer import runner

    with monkeypatch.context() as broken:
        broken.setattr(runner.worker, "command", lambda *_: ["/nowhere/PythonSlicer"])
        run.start([step("code", SLOW)], lambda _: None)
    assert "Python could not be started" in run.ui.statusLabel.text
    is_usable_and_says(host, run, run.ui.statusLabel.text)


@pytest.fixture
def scan(tmp_path):
    from ImplantSegLib.volumes import Volume, write

    array = np.random.default_rng(0).integers(100, 4000, (4, 64, 64)).astype(np.uint16)
    write(Volume(array, (0.01, 0.01, 0.01)), tmp_path / "scan.nrrd")
    return tmp_path / "scan.nrrd"


@pytest.mark.torch
def test_a_bad_model_file(host, run, scan, tmp_path):
    model = tmp_path / "broken.safetensors"
    model.write_bytes(b"no model")
    run.start([step("segment", scan, tmp_path / "labels.seg.nrrd", "--model", model)], lambda _: None)
    finish(host, run)
    assert "is no model file or is damaged" in run.ui.statusLabel.text
    is_usable_and_says(host, run, run.ui.statusLabel.text)
    assert not (tmp_path / "labels.seg.nrrd").exists()


@pytest.mark.torch
def test_a_memory_limit_that_is_too_low(host, run, scan, tmp_path):
    run.start([step("segment", scan, tmp_path / "labels.seg.nrrd", "--max-memory", "1MiB")], lambda _: None)
    finish(host, run)
    assert "allowed are" in run.ui.statusLabel.text
    is_usable_and_says(host, run, run.ui.statusLabel.text)


def test_torch_is_missing(host, run, scan, tmp_path, monkeypatch):
    block = "import sys; sys.modules['torch'] = None"  # as if it were not installed
    (tmp_path / "sitecustomize.py").write_text(block)
    with monkeypatch.context() as blocked:
        blocked.setenv("PYTHONPATH", str(tmp_path))
        run.start([step("segment", scan, tmp_path / "labels.seg.nrrd")], lambda _: None)
        finish(host, run)
    is_usable_and_says(
        host, run,
        "The package 'torch' is needed for this and is not installed. Install it in the section Environment "
        "of the module ImplantSeg.",
    )  # fmt: skip


def test_the_scene_is_closed_during_a_run(host, run):
    import slicer

    outputs, ends = [], []
    start(host, run, step("code", SLOW), succeeded=outputs.append, ended=ends.append)
    slicer.mrmlScene.Clear(0)
    assert not run.runner.running
    assert not children()
    assert (outputs, [end.kind for end in ends]) == ([], ["cancelled"])
    is_usable_and_says(host, run, "The scene was closed, so the run was stopped.", messages=0)


def test_the_scene_is_saved_and_another_one_added_during_a_run(host, run, tmp_path):
    import slicer

    saved = tmp_path / "scene.mrb"
    outputs = []
    start(host, run, step("code", "print('ready', flush=True); import time; time.sleep(2.5)"),
          succeeded=outputs.append)  # fmt: skip
    assert slicer.util.saveScene(str(saved))
    slicer.util.loadScene(str(saved))
    assert run.runner.running
    finish(host, run)
    assert outputs == ["ready\n"]
    assert run.ui.statusLabel.text.startswith("Done in ")


def test_another_module_is_shown_during_a_run(host, module):
    outputs = []
    run = module.panel.run
    start(host, run, step("code", "print('ready', flush=True); import time; time.sleep(2.5)"), succeeded=outputs.append)
    module.exit()
    host.process(100)
    module.enter()
    assert not run.ui.applyButton.enabled  # it goes on
    module.exit()
    finish(host, run)
    assert outputs == ["ready\n"]
    module.enter()
    is_usable_and_says(host, run, run.ui.statusLabel.text, messages=0)


def test_the_module_goes_away_during_a_run(host, module):
    start(host, module.panel.run, step("code", SLOW))
    module.cleanup()
    assert not module.panel.run.runner.running
    assert not children()
    assert host.displayed == []


def test_the_module_is_reloaded_during_a_run(host, root, module):
    import slicer

    start(host, module.panel.run, step("code", SLOW))
    module.onReload()
    assert not children_of(SLOW)
    assert host.displayed == []
    assert slicer.modules.ImplantSegWidget.panel.parameters is not None  # Slicer does not enter a new panel


def test_a_result_that_cannot_be_loaded_leaves_nothing_in_the_scene(host, run):
    import slicer

    def load(_output):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        node.CreateDefaultDisplayNodes()
        raise ValueError("half a file")

    before = nodes()
    run.start([step("code", "print('done')")], load)
    finish(host, run)
    assert nodes() == before
    assert "in load" in host.displayed[0].details
    is_usable_and_says(host, run, "The result could not be taken over (ValueError: half a file). See the log.")


def test_a_result_that_its_reader_refuses_is_told_in_its_words(host, run):
    from ImplantSegLib.errors import InputError

    def load(_output):
        raise InputError("the labels have no voxels", "segment again")

    run.start([step("code", "print('done')")], load)
    finish(host, run)
    is_usable_and_says(host, run, "The labels have no voxels. Segment again.")
