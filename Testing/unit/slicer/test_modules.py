"""The module scripts and the bridge as Slicer meets them: their classes, what they import, what they call."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MODULES = ("ImplantSeg", "ImplantSegQuant")
SCRIPTS = [ROOT / module / f"{module}.py" for module in MODULES]
BRIDGE = sorted(path for module in MODULES for path in (ROOT / module / f"{module}Lib" / "inslicer").rglob("*.py"))

LIGHT = {"slicer", "qt", "ctk", "vtk", "numpy", "ImplantSegLib", "ImplantSegQuantLib"}
"""What may be imported at file scope beside the standard library: Slicer brings it, and it is there at once."""

HEAVY = ("torch", "SimpleITK", "skimage", "numba", "zarr", "cattrs", "scipy", "matplotlib", "tifffile", "nrrd")
"""What nothing in Slicer's own process may import: it takes long, clashes, or is not installed there."""

OF_SLICER = {
    "app",
    "i18n",
    "mrmlScene",
    "modules",
    "packaging",
    "parameterNodeWrapper",
    "ScriptedLoadableModule",
    "util",
}
"""Names of the package ``slicer`` that are no classes."""

each_file = pytest.mark.parametrize("path", [*SCRIPTS, *BRIDGE], ids=lambda path: str(path.relative_to(ROOT)))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_module_has_the_classes_that_slicer_looks_for(script):
    classes = {
        node.name: [ast.unparse(base) for base in node.bases]
        for node in tree_of(script).body if isinstance(node, ast.ClassDef)
    }  # fmt: skip
    for part in ("", "Widget", "Logic", "Test"):
        assert f"ScriptedLoadableModule{part}" in classes[f"{script.stem}{part}"]


@each_file
def test_nothing_heavy_is_imported_at_file_scope(path):
    names = set()
    for node in tree_of(path).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module)
    foreign = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)
    assert foreign <= LIGHT


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_imports_the_libraries_only_when_it_is_used(script):
    # so that Slicer lists the module also where the library is broken, and reloading finds the new one
    imported = [node for node in tree_of(script).body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not [node for node in imported if "ImplantSeg" in ast.unparse(node)]


@each_file
def test_functions_of_slicer_util_are_called_by_their_full_name(path):
    """The package ``slicer`` of PyPI hands on what ``slicer.util`` has; the application does not."""
    named = {
        node.attr for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "slicer"
    }  # fmt: skip
    classes = {name for name in named if name.startswith(("vtk", "qMRML", "qSlicer"))}
    assert named - classes - OF_SLICER == set()


def test_both_panels_open_without_anything_heavy():
    """As in Slicer, where torch and the rest are installed later or never."""
    pytest.importorskip("PySide6")
    code = f"""
import sys
sys.path[:0] = [{str(ROOT / "Testing")!r}]
import host
if host.missing():
    print(host.missing())
    sys.exit(77)
sys.modules.update(dict.fromkeys({HEAVY!r}))  # an import of any of these raises
host.start()
for script in {[str(script) for script in SCRIPTS]!r}:
    host.load(script)
host.process()
assert not host.errors, host.errors
"""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    if done.returncode == 77:
        pytest.skip(done.stdout)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", MODULES)
def test_the_description_has_what_the_index_asks_for(host, root, module):
    import slicer

    host.load(root / module / f"{module}.py")
    described = getattr(slicer.modules, f"{module}Instance").parent
    assert described.helpText.strip()
    assert "https://github.com/ImplantSeg/SlicerImplantSeg" in described.helpText
    assert "10.3389/fphy.2024.1257512" in described.acknowledgementText
    assert "Lopes Marinho A, Kazimi B, " in described.acknowledgementText
    assert described.contributors
    assert described.categories
