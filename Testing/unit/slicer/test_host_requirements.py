"""Where the host cannot run, it says what is missing and how to get it; it imports without any of it."""

import importlib.util
import subprocess
import sys

import pytest


@pytest.fixture
def requirements(host):
    from host import requirements

    return requirements


@pytest.mark.parametrize(("package", "name"), [("slicer_core", "slicer-core"), ("PySide6", "PySide6-Essentials")])
def test_missing_packages_are_named(requirements, monkeypatch, package, name):
    known = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: None if wanted == package else known(wanted))
    assert requirements.missing().startswith(f"{name} is not installed")


def test_missing_libraries_are_named_with_their_packages(requirements, monkeypatch):
    def fail(path):
        raise OSError("libEGL.so.1: cannot open shared object file")

    monkeypatch.setattr(requirements.ctypes, "CDLL", fail)
    if sys.platform != "linux":
        pytest.skip("the plugin is looked at on Linux only")
    assert "libEGL.so.1" in requirements.missing()
    assert "libegl1" in requirements.missing()


def test_the_host_is_imported_without_qt(root):
    code = "import sys; sys.modules['PySide6'] = sys.modules['slicer'] = None; import host; print(host.missing())"
    run = subprocess.run([sys.executable, "-c", code], cwd=root / "Testing", capture_output=True, text=True, check=True)
    assert "PySide6" in run.stdout


def test_a_missing_font_is_named(host, monkeypatch, tmp_path):
    import qt
    from host import picture

    monkeypatch.setattr(picture, "FONTS", ("No Such Font",))
    with pytest.raises(RuntimeError, match="fonts-dejavu-core"):
        host.screenshot(qt.QLabel("text"), tmp_path / "label.png")
