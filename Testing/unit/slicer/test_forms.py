"""The forms as files, read without Qt: what they bind, name, explain and connect is there; both Qt 5 and 6 read it."""

from __future__ import annotations

import ast
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MODULES = ("ImplantSeg", "ImplantSegQuant")

FITTING = {
    "bool": {"QCheckBox", "QPushButton", "ctkCheckBox"},
    "int": {"QSpinBox", "QSlider", "QDoubleSpinBox", "ctkSliderWidget", "ctkDoubleSpinBox", "qMRMLSliderWidget"},
    "float": {"QDoubleSpinBox", "ctkSliderWidget", "ctkDoubleSpinBox", "qMRMLSliderWidget", "qMRMLSpinBox"},
    "str": {"QLineEdit", "QLabel", "QTextEdit", "QPlainTextEdit"},
    "Path": {"ctkPathLineEdit", "ctkDirectoryButton"},
    "enum": {"QComboBox", "ctkComboBox"},
    "node": {"qMRMLNodeComboBox"},
}
"""Widgets that Slicer's parameterNodeWrapper can tie to a type; it compares classes exactly."""

INPUTS = {
    "QCheckBox", "QComboBox", "QDoubleSpinBox", "QLineEdit", "QListWidget", "QPushButton", "QRadioButton", "QSlider",
    "QSpinBox", "QTableWidget", "QToolButton", "ctkComboBox", "ctkDirectoryButton", "ctkDoubleSpinBox",
    "ctkPathLineEdit", "ctkSliderWidget", "qMRMLNodeComboBox", "qMRMLSliderWidget",
}  # fmt: skip
"""Widgets that a user fills or presses, so that they have to explain themselves."""


@dataclass(frozen=True)
class Section:
    """A class with a form."""

    module: str
    code: Path
    form: str


def forms() -> list[Path]:
    return [path for module in MODULES for path in sorted((ROOT / module / "Resources" / "UI").glob("*.ui"))]


def module_of(form: Path) -> str:
    return form.relative_to(ROOT).parts[0]


def form_name(node: ast.stmt) -> str | None:
    """Value of ``FORM = "..."`` in a class."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant):
        return None
    return node.value.value if getattr(node.targets[0], "id", "") == "FORM" else None


def sections() -> list[Section]:
    found = []
    for module in MODULES:
        for path in sorted((ROOT / module / f"{module}Lib" / "inslicer").glob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
            names = [form_name(node) for one in classes for node in one.body]
            found += [Section(module, path, name) for name in names if name]
    return found


def widgets(form: Path) -> dict[str, ElementTree.Element]:
    """Widgets of a form by name."""
    return {one.attrib["name"]: one for one in ElementTree.parse(form).getroot().iter("widget")}


def text_of(widget: ElementTree.Element, name: str) -> str:
    found = widget.find(f"property[@name='{name}']")
    return "" if found is None else "".join(found.itertext()).strip()


def parameters(module: str) -> dict[str, str]:
    """Kind of each parameter: a key of FITTING."""
    tree = ast.parse((ROOT / module / f"{module}.py").read_text(encoding="utf-8"))
    aliases = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    enums = {
        node.name for node in tree.body
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "enum.Enum" for base in node.bases)
    }  # fmt: skip

    def kind(annotation: ast.expr) -> str:
        text = ast.unparse(annotation)
        if text in aliases:
            return kind(aliases[text])
        if text.startswith("Annotated["):
            return kind(annotation.slice.elts[0])
        return "enum" if text in enums else "node" if "vtkMRML" in text else text

    (wrapped,) = (node for node in tree.body if getattr(node, "name", "") == f"{module}ParameterNode")
    return {node.target.id: kind(node.annotation) for node in wrapped.body if isinstance(node, ast.AnnAssign)}


by_form = pytest.mark.parametrize("form", forms(), ids=lambda form: form.stem)
by_section = pytest.mark.parametrize("section", sections(), ids=lambda section: section.form)


@by_form
def test_a_form_is_a_widget_of_mrml_named_after_its_module(form):
    top = ElementTree.parse(form).getroot().find("widget")
    assert (top.attrib["class"], top.attrib["name"]) == ("qMRMLWidget", form.stem)
    # Slicer installs all modules into one folder
    assert form.stem.startswith(module_of(form))


def test_every_form_has_one_section_and_every_section_a_form():
    assert sorted(section.form for section in sections()) == sorted(form.name for form in forms())


@by_form
def test_names_in_a_form_are_unique(form):
    root = ElementTree.parse(form).getroot()
    names = [one.attrib["name"] for kind in ("widget", "layout", "action") for one in root.iter(kind)]
    assert sorted(names) == sorted(set(names))


@by_section
def test_the_code_names_only_what_is_in_the_form(section):
    form = ROOT / section.module / "Resources" / "UI" / section.form
    named = set(re.findall(r"\bself\.ui\.(\w+)", section.code.read_text(encoding="utf-8")))
    actions = {one.attrib["name"] for one in ElementTree.parse(form).getroot().iter("action")}
    assert named - set(widgets(form)) - actions == set()


@pytest.mark.parametrize("module", MODULES)
def test_widgets_are_tied_to_parameters_of_a_fitting_type_each_to_its_own(module):
    known, tied = parameters(module), []
    assert known
    for form in forms():
        for name, widget in widgets(form).items() if module_of(form) == module else ():
            parameter = text_of(widget, "SlicerParameterName")
            if parameter:
                assert parameter in known, f"{form.name}: {name} is tied to {parameter}, which is no parameter"
                kind, shown = known[parameter], widget.attrib["class"]
                assert shown in FITTING[kind], f"{form.name}: Slicer ties no {shown} ({name}) to {parameter}: {kind}"
                assert widget.find("property[@name='SlicerParameterName']").attrib.get("stdset") == "0"
                tied.append(parameter)
    assert sorted(tied) == sorted(set(tied))


@by_form
def test_node_selectors_get_the_scene(form):
    root = ElementTree.parse(form).getroot()
    connected = {
        connection.findtext("receiver")
        for connection in root.iter("connection")
        if connection.findtext("sender") == form.stem
        and connection.findtext("signal") == "mrmlSceneChanged(vtkMRMLScene*)"
        and connection.findtext("slot") == "setMRMLScene(vtkMRMLScene*)"
    }
    selectors = {name for name, one in widgets(form).items() if one.attrib["class"] == "qMRMLNodeComboBox"}
    assert selectors - connected == set()
    for name in selectors:
        assert "vtkMRML" in text_of(widgets(form)[name], "nodeTypes"), f"{name} does not say what it selects"


@by_section
def test_what_a_user_fills_or_presses_explains_itself(section):
    form = ROOT / section.module / "Resources" / "UI" / section.form
    code = section.code.read_text(encoding="utf-8")
    told = set(re.findall(r"\bui\.(\w+)\.toolTip\s*=", code))
    silent = [
        name for name, one in widgets(form).items()
        if one.attrib["class"] in INPUTS and not text_of(one, "toolTip") and name not in told
    ]  # fmt: skip
    assert silent == []


@by_form
def test_labels_of_fields_end_with_a_colon(form):
    root = ElementTree.parse(form).getroot()
    cells = [item for layout in root.iter("layout") if layout.attrib["class"] == "QFormLayout" for item in layout]
    labels = [
        item.find("widget") for item in cells
        if item.attrib.get("column") == "0" and item.attrib.get("colspan") is None and item.find("widget") is not None
    ]  # fmt: skip
    texts = [text_of(label, "text") for label in labels if label.attrib["class"] == "QLabel"]
    assert [text for text in texts if not text.endswith(":")] == []


@by_form
def test_qt_5_and_qt_6_read_the_form(form):
    root = ElementTree.parse(form).getroot()
    assert root.attrib["version"] == "4.0"
    # Designer of Qt 6 writes Class::Enumeration::Value, which Qt 5 does not know; both know Class::Value
    spelled = [value for tag in ("enum", "set") for one in root.iter(tag) for value in one.text.split("|")]
    assert [value for value in spelled if value.count("::") != 1] == []
    declared = {one.findtext("class") for one in root.iter("customwidget")}
    used = {one.attrib["class"] for one in root.iter("widget") if not one.attrib["class"].startswith("Q")}
    assert declared >= used, f"{form.name} does not declare {used - declared}"


def test_files_are_read_as_utf_8_with_lines_that_end_as_on_unix():
    for form in forms():
        content = form.read_bytes()
        assert b"\r" not in content
        assert content.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
