"""The module scripts as Slicer meets them, read without Slicer: their classes, imports, and widgets."""

import ast
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

MODULES = ("ImplantSeg", "ImplantSegQuant")
RUNNER = Path("ImplantSeg/ImplantSegLib/inslicer/runner.py")


def widgets(root: Path, module: str) -> dict[str, str]:
    """Class of each widget of a form, by name."""
    form = ElementTree.parse(root / module / "Resources" / "UI" / f"{module}.ui").getroot()
    return {widget.attrib["name"]: widget.attrib["class"] for widget in form.iter("widget")}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_the_four_classes_that_slicer_looks_for(root, module):
    tree = ast.parse((root / module / f"{module}.py").read_text(encoding="utf-8"))
    classes = {node.name: [base.id for base in node.bases] for node in tree.body if isinstance(node, ast.ClassDef)}
    assert classes == {f"{module}{part}": [f"ScriptedLoadableModule{part}"] for part in ("", "Widget", "Logic", "Test")}


@pytest.mark.parametrize("module", MODULES)
def test_loading_a_module_imports_only_slicer_and_the_standard_library(root, module):
    tree = ast.parse((root / module / f"{module}.py").read_text(encoding="utf-8"))
    names = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in tree.body if isinstance(node, ast.ImportFrom) and node.module}
    foreign = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)
    assert foreign <= {"slicer", "qt", "ctk", "vtk"}


@pytest.mark.parametrize("module", MODULES)
def test_every_widget_that_the_code_names_is_in_the_form(root, module):
    code = (root / module / f"{module}.py").read_text(encoding="utf-8") + (root / RUNNER).read_text(encoding="utf-8")
    named = set(re.findall(r"\bui\.(\w+)", code))
    assert named >= {"applyButton", "cancelButton"}
    assert named - set(widgets(root, module)) == set()


@pytest.mark.parametrize("module", MODULES)
def test_node_selectors_get_the_scene(root, module):
    assert widgets(root, module)[module] == "qMRMLWidget"
    form = ElementTree.parse(root / module / "Resources" / "UI" / f"{module}.ui").getroot()
    connected = {connection.findtext("receiver") for connection in form.iter("connection")}
    selectors = {name for name, kind in widgets(root, module).items() if kind == "qMRMLNodeComboBox"}
    assert selectors
    assert connected == selectors
