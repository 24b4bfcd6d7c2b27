"""Slicer packages only what CMakeLists.txt lists, and puts all modules flat into one folder."""

import runpy
from pathlib import Path

import pytest

LISTS = runpy.run_path(str(Path(__file__).parents[2] / "cmake_lists.py"))
MODULES, VARIABLES = LISTS["MODULES"], LISTS["VARIABLES"]
listed, on_disk, refresh = LISTS["listed"], LISTS["on_disk"], LISTS["refresh"]


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("module", MODULES)
def test_the_lists_are_the_files_on_disk(root, module, variable):
    given, wanted = listed(root / module, variable), on_disk(root / module, variable)
    lines = "\n".join(f"  {name}" for name in wanted)
    assert given == wanted, f"run `make lists`, or put this into {module}/CMakeLists.txt:\nset({variable}\n{lines}\n  )"


def test_refreshing_writes_the_files_on_disk(tmp_path):
    folder = tmp_path / "Module"
    (folder / "Lib" / "data").mkdir(parents=True)
    (folder / "Lib" / "__pycache__").mkdir()
    for name in ("Module.py", "Lib/a.py", "Lib/data/b.toml", "Lib/__pycache__/a.pyc"):
        (folder / name).touch()
    (folder / "CMakeLists.txt").write_text("".join(f"set({variable}\n  old\n  )\n" for variable in VARIABLES))
    assert listed(folder, "MODULE_PYTHON_SCRIPTS") == ["old"]
    refresh(folder)
    assert listed(folder, "MODULE_PYTHON_SCRIPTS") == ["Lib/a.py", "Module.py"]
    assert listed(folder, "MODULE_PYTHON_RESOURCES") == ["Lib/data/b.toml"]


@pytest.mark.parametrize("module", MODULES)
def test_there_is_something_to_list(root, module):
    assert f"{module}.py" in on_disk(root / module, "MODULE_PYTHON_SCRIPTS")
    assert f"Resources/Icons/{module}.svg" in on_disk(root / module, "MODULE_PYTHON_RESOURCES")


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
