"""The table of requirements is pyproject.toml's; missing, old and damaged packages are told apart."""

import tomllib
from pathlib import Path

import pytest

from ImplantSegLib.environment import packages
from ImplantSegLib.environment.packages import Package
from ImplantSegLib.environment.probe import imported


@pytest.fixture(scope="module")
def project(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def lines_of(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def test_slicer_and_pip_together_install_what_pyproject_asks_for(project):
    assert sorted([*lines_of(packages.REQUIREMENTS), *packages.FROM_SLICER]) == sorted(project["dependencies"])


def test_pip_leaves_alone_what_slicer_supplies():
    names = {line.partition(">=")[0] for line in packages.FROM_SLICER}
    assert names == {"numpy", "scipy", "SimpleITK", "torch", "vtk"}
    assert names & {line.partition(">=")[0] for line in lines_of(packages.REQUIREMENTS)} == set()


FOR_DEVELOPERS = ("dev", "slicer-test")


def test_the_extras_are_those_of_pyproject(project):
    optional = project["optional-dependencies"].items()
    extras = {name: tuple(lines) for name, lines in optional if name not in FOR_DEVELOPERS}
    assert extras == packages.EXTRAS


def test_everything_is_there_in_the_development_environment():
    for package in packages.found()[0]:
        if package.name != "torch":
            assert (package.state, bool(package.version)) == ("ok", True), package


def judge(monkeypatch, tmp_path: Path, name: str, source: str | None, version: str | None = None) -> Package:
    """What is told of a package of that name whose module has that source."""
    if source is not None:
        (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(packages, "_installed_version", lambda _: version)
    return packages._judged(Package(name, ">=2.10"), imported([name])[name])


def test_a_missing_package(monkeypatch, tmp_path):
    assert judge(monkeypatch, tmp_path, "missing_one", None).state == "missing"


@pytest.mark.parametrize(
    ("version", "state"), [("2.9.9", "old"), ("2.10", "ok"), ("2.10.0+cpu", "ok"), ("3.0rc1", "ok"), (None, "ok")]
)
def test_versions_are_compared_as_numbers(monkeypatch, tmp_path, version, state):
    found = judge(monkeypatch, tmp_path, "plain_one", "", version)
    assert (found.version, found.state) == (version, state)


def test_a_package_without_metadata_tells_its_version_itself(monkeypatch, tmp_path):
    assert judge(monkeypatch, tmp_path, "telling_one", "__version__ = '2.11'").version == "2.11"


@pytest.mark.parametrize(
    ("source", "detail"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("raise OSError('libcudart.so.12: cannot open shared object file\\nmore')", "OSError: libcudart.so.12: cannot"),
        ("import sys; sys.exit('no licence')", "SystemExit: no licence"),
        ("import os; os._exit(3)", "Python ended with status 3 while it was imported"),
    ],
)
def test_a_damaged_package(monkeypatch, tmp_path, source, detail):
    found = judge(monkeypatch, tmp_path, "damaged_one", source, "2.11")
    assert (found.version, found.state) == ("2.11", "broken")
    assert found.detail.startswith(detail)
    assert "\n" not in found.detail


def test_a_package_of_an_extra_is_looked_up_and_not_imported(monkeypatch, tmp_path):
    (tmp_path / "costly_one.py").write_text("raise MemoryError")
    monkeypatch.syspath_prepend(tmp_path)
    assert packages._judged(Package("costly_one", ">=1.0", "train"), None).state == "ok"
    assert packages._judged(Package("absent_one", ">=1.0", "train"), None).state == "missing"
