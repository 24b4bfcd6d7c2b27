"""Slicer packages only what CMakeLists.txt lists, and puts all modules flat into one folder."""

import re
from pathlib import Path

import pytest

MODULES = ("ImplantSeg", "ImplantSegQuant")
VARIABLES = ("MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES")


def listed(folder: Path, variable: str) -> list[str]:
    """Files that ``set(VARIABLE ...)`` in a module's CMakeLists.txt lists."""
    text = (folder / "CMakeLists.txt").read_text(encoding="utf-8")
    found = re.search(rf"^set\({variable}\b(.*?)^\s*\)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{folder.name}/CMakeLists.txt sets no {variable}"
    return found[1].replace("${MODULE_NAME}", folder.name).split()


def on_disk(folder: Path, variable: str) -> list[str]:
    """Files of a module that have to be packaged, relative to its folder."""
    paths = [path for path in folder.rglob("*") if path.is_file() and packaged(path.relative_to(folder))]
    scripts = {path for path in paths if path.suffix == ".py"}
    chosen = scripts if variable == "MODULE_PYTHON_SCRIPTS" else set(paths) - scripts
    return sorted(path.relative_to(folder).as_posix() for path in chosen)


def packaged(path: Path) -> bool:
    hidden = any(part.startswith((".", "__pycache__")) or part.endswith(".egg-info") for part in path.parts)
    return not hidden and path.name != "CMakeLists.txt"


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("module", MODULES)
def test_the_lists_are_the_files_on_disk(root, module, variable):
    folder = root / module
    wanted = on_disk(folder, variable)
    lines = "\n".join(f"  {name}" for name in wanted)
    assert listed(folder, variable) == wanted, f"put this into {module}/CMakeLists.txt:\nset({variable}\n{lines}\n  )"


@pytest.mark.parametrize("module", MODULES)
def test_there_is_something_to_list(root, module):
    assert f"{module}.py" in on_disk(root / module, "MODULE_PYTHON_SCRIPTS")
    assert f"Resources/Icons/{module}.png" in on_disk(root / module, "MODULE_PYTHON_RESOURCES")


def test_no_file_of_one_module_overwrites_one_of_the_other(root):
    first, second = ({name for v in VARIABLES for name in on_disk(root / module, v)} for module in MODULES)
    assert first & second == set()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_folder_holds_one_script_because_slicer_takes_each_for_a_module(root, module):
    assert [path.name for path in (root / module).glob("*.py")] == [f"{module}.py"]


def test_the_top_level_names_what_the_extension_index_asks_for(root):
    text = (root / "CMakeLists.txt").read_text(encoding="utf-8")
    for name in ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"):
        assert f"set(EXTENSION_{name} " in text
    for module in MODULES:
        assert f"add_subdirectory({module})" in text
