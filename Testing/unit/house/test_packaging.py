"""What pip installs: versions that agree, pins for every dependency, data files that travel."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest

from ImplantSegLib import __version__

LIBRARIES = ("ImplantSeg/ImplantSegLib", "ImplantSegQuant/ImplantSegQuantLib")


@pytest.fixture(scope="module")
def pyproject(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def normal(requirement: str) -> str:
    """Name of a distribution as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def pins(root: Path) -> dict[str, str]:
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {normal(line): line.split("==")[1] for line in lines if line and not line.startswith("#")}


def test_every_dependency_is_pinned(root, pyproject):
    project = pyproject["project"]
    wanted = project["dependencies"] + [
        line for extra in ("train", "cluster", "dev") for line in project["optional-dependencies"][extra]
    ]
    assert {normal(line) for line in wanted} - set(pins(root)) == set()


def test_the_pins_that_slicer_dictates(root):
    pinned = pins(root)
    assert (pinned["numpy"], pinned["scipy"], pinned["simpleitk"]) == ("2.4.6", "1.17.1", "2.5.5")
    assert pinned["torch"] == "2.13.0"  # without +cpu: each index then gives the build that it has


@pytest.mark.parametrize("library", LIBRARIES)
def test_data_files_of_the_libraries_travel_with_the_wheel(root, pyproject, library):
    folder = root / library
    # setuptools globs below the package: folders without code, such as data/, are reached by their path alone
    patterns = pyproject["tool"]["setuptools"]["package-data"][folder.name]
    packed = {path for pattern in patterns for path in folder.glob(pattern)}
    files = {path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path for path in files - packed if path.suffix != ".py"} == set()


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_folder_with_code_is_a_package(root, library):
    folders = {path.parent for path in (root / library).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize(
    ("file", "pattern"), [("CHANGELOG.md", r"## {version}\b"), ("CITATION.cff", "version: {version}\n")]
)
def test_the_version_is_the_same_everywhere(root, file, pattern):
    assert re.search(pattern.format(version=re.escape(__version__)), (root / file).read_text(encoding="utf-8"))


def test_requirements_without_torch_leave_out_torch_alone(root, pyproject):
    requirements = runpy.run_path(str(root / "Testing" / "torchless.py"))["requirements"](root / "pyproject.toml")
    project = pyproject["project"]
    everything = project["dependencies"] + project["optional-dependencies"]["dev"]
    assert [line for line in everything if line not in requirements] == [
        line for line in everything if normal(line) == "torch"
    ]
