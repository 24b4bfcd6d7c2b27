"""The panel: what its sections share, how it comes back with the scene, and from the folder that Slicer installs."""

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MODULES = ("ImplantSeg", "ImplantSegQuant")

HEAVY = ("torch", "SimpleITK", "skimage", "scipy", "numba", "zarr", "cattrs", "matplotlib", "tifffile", "nrrd")

IMPORT_S = 0.3
"""What importing a module may cost beyond Slicer's own imports."""


@pytest.fixture
def quiet(monkeypatch):
    """Sections that ask nothing by themselves."""
    from ImplantSegLib.inslicer.environment import EnvironmentSection
    from ImplantSegLib.inslicer.model import ModelSection

    for section in (EnvironmentSection, ModelSection):
        monkeypatch.setattr(section, "reload", lambda self: None)


def test_a_mistake_is_a_sentence_and_a_bug_has_a_traceback(host):
    from ImplantSegLib.errors import InputError
    from ImplantSegLib.inslicer.section import telling

    with telling("It did not work."):
        raise InputError("got a box, wanted a sphere", "draw a sphere")
    assert host.displayed[-1].text == "It did not work.\n\nGot a box, wanted a sphere. Draw a sphere."
    assert host.displayed[-1].details == ""
    with pytest.raises(KeyError), telling("It did not work."):
        raise KeyError("x")
    assert "Traceback" in host.displayed[-1].details
    assert len(host.displayed) == 2


@pytest.mark.usefixtures("quiet")
def test_choices_come_back_with_the_scene(host, root, tmp_path):
    import slicer

    panel = host.load(root / "ImplantSeg" / "ImplantSeg.py").panel
    device = type(panel.parameters.device)
    chosen = {"model": "mine", "device": device.CPU, "mirror": True, "across": 2.5, "memoryGib": 4.0}
    for name, value in chosen.items():
        setattr(panel.parameters, name, value)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    host.process()
    assert {name: getattr(panel.parameters, name) for name in chosen} != chosen
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    host.process()
    assert {name: getattr(panel.parameters, name) for name in chosen} == chosen
    from ImplantSegLib.inslicer.model import ModelSection

    ui = panel.section(ModelSection).ui
    assert ui.mirrorCheckBox.checked
    assert (ui.acrossSpinBox.value, ui.memorySpinBox.value, ui.deviceComboBox.currentIndex) == (2.5, 4.0, 2)


@pytest.mark.usefixtures("quiet")
def test_the_panel_lives_through_closing_leaving_and_reloading(host, root):
    import slicer

    module = host.load(root / "ImplantSeg" / "ImplantSeg.py")
    slicer.mrmlScene.Clear(0)
    assert module.panel.parameters is not None  # it is shown, so it has a new parameter node
    module.exit()
    assert module.panel.parameters is None
    slicer.mrmlScene.Clear(0)
    assert module.panel.parameters is None
    module.panel.refresh()
    module.enter()
    assert module.panel.parameters is not None
    module.panel.parameters.mirror = True
    module.cleanup()
    slicer.mrmlScene.Clear(0)  # observers are gone: nothing happens


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """One folder with what the CMake lists name, as Slicer installs all modules of an extension."""
    root = Path(__file__).resolve().parents[3]
    lists = runpy.run_path(str(root / "Testing" / "cmake_lists.py"))
    folder = tmp_path_factory.mktemp("qt-scripted-modules")
    for module in MODULES:
        for name in [name for variable in lists["VARIABLES"] for name in lists["listed"](root / module, variable)]:
            target = folder / name
            assert not target.exists(), f"{name} of {module} would overwrite that of another module"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / module / name, target)
    return folder


def in_slicer(code: str, root: Path) -> str:
    """Run code in a process of its own in which the host is started, and give what it prints."""
    start = f"""
import sys
sys.path.insert(0, {str(root / "Testing")!r})
import host
if host.missing():
    print(host.missing())
    sys.exit(77)
host.start()
"""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-c", start + code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, cwd="/", check=False)
    if done.returncode == 77:
        pytest.skip(done.stdout)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_both_modules_and_their_children_run_from_one_flat_folder(flat, root):
    output = in_slicer(
        f"""
import json, os, subprocess
from pathlib import Path
flat = Path({str(flat)!r})
for name in {MODULES!r}:
    host.load(flat / (name + ".py"))
import ImplantSegLib, ImplantSegQuantLib
from ImplantSegLib.inslicer import worker
assert Path(ImplantSegLib.__file__).is_relative_to(flat), ImplantSegLib.__file__
assert Path(ImplantSegQuantLib.__file__).is_relative_to(flat)
answer = subprocess.run(
    worker.command("environment", "--json"), env=worker.environment(os.environ), capture_output=True, text=True
)
assert answer.returncode == 0, answer.stderr
facts = json.loads(answer.stdout)
assert Path(facts["folder"]).is_relative_to(flat), facts["folder"]
models = subprocess.run(
    worker.command("models", "list", "--json"), env=worker.environment(os.environ), capture_output=True, text=True
)
assert [model["name"] for model in json.loads(models.stdout)] == ["compact_unet"], models.stderr
host.unload()
assert not host.errors, host.errors
print("all from", flat)
""",
        root,
    )
    assert str(flat) in output


def test_importing_the_modules_costs_nothing_and_needs_nothing(root):
    """CPU time, and the median of some imports, as machines that test are often busy."""
    output = in_slicer(
        f"""
import importlib, statistics, time
sys.path[:0] = [{str(root / "ImplantSeg")!r}, {str(root / "ImplantSegQuant")!r}]
sys.modules.update(dict.fromkeys({HEAVY!r}))  # an import of any of these raises
before = set(sys.modules)

def seconds():
    for name in [name for name in sys.modules if name.startswith("ImplantSeg")]:
        del sys.modules[name]
    start = time.process_time()
    for name in {MODULES!r}:
        importlib.import_module(name)
    return time.process_time() - start

print(statistics.median(seconds() for _ in range(5)))
assert not [name for name in set(sys.modules) - before if name.startswith(("ImplantSegLib.", "ImplantSegQuantLib."))]
""",
        root,
    )
    assert float(output.split()[-1]) < IMPORT_S, output
