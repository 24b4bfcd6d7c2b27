"""Write the files of each Slicer module into its CMakeLists.txt: Slicer packages what is listed there and no more.

python Testing/cmake_lists.py    (or `make lists`)
"""

from __future__ import annotations

import re
from pathlib import Path

MODULES = ("ImplantSeg", "ImplantSegQuant")
VARIABLES = ("MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES")


def listed(folder: Path, variable: str) -> list[str]:
    """Files that ``set(VARIABLE ...)`` in a module's CMakeLists.txt lists."""
    found = _block(variable).search((folder / "CMakeLists.txt").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{folder.name}/CMakeLists.txt sets no {variable}")
    return found[1].replace("${MODULE_NAME}", folder.name).split()


def on_disk(folder: Path, variable: str) -> list[str]:
    """Files of a module that have to be packaged, relative to its folder."""
    paths = [path for path in folder.rglob("*") if path.is_file() and _packaged(path.relative_to(folder))]
    scripts = {path for path in paths if path.suffix == ".py"}
    chosen = scripts if variable == "MODULE_PYTHON_SCRIPTS" else set(paths) - scripts
    return sorted(path.relative_to(folder).as_posix() for path in chosen)


def refresh(folder: Path) -> None:
    """Make the lists of a module what is on disk."""
    file = folder / "CMakeLists.txt"
    text = file.read_text(encoding="utf-8")
    for variable in VARIABLES:
        lines = "\n".join(f"  {name}" for name in on_disk(folder, variable))
        text = _block(variable).sub(f"set({variable}\n{lines}\n  )", text)
    file.write_text(text, encoding="utf-8", newline="\n")


def _block(variable: str) -> re.Pattern[str]:
    return re.compile(rf"^set\({variable}\b(.*?)^\s*\)", re.MULTILINE | re.DOTALL)


def _packaged(path: Path) -> bool:
    hidden = any(part.startswith((".", "__pycache__")) or part.endswith(".egg-info") for part in path.parts)
    return not hidden and path.name != "CMakeLists.txt"


if __name__ == "__main__":
    for module in MODULES:
        refresh(Path(__file__).resolve().parents[1] / module)
