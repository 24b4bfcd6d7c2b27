"""Which widget shows which type of parameter, and how: the pairs that Slicer knows, and no others."""

from __future__ import annotations

import enum
import logging
import math
import pathlib
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import slicer
from PySide6 import QtWidgets

from host import pythonqt, uiloader
from host.parameternode.validators import Choice, Maximum, Minimum, WithinRange, first, split


@dataclass
class Decimals:
    """Annotation: decimals that a widget shows."""

    value: int


@dataclass
class SingleStep:
    """Annotation: step of the arrows of a widget."""

    value: float


def exactly(widget: Any, *names: str) -> bool:
    """Whether a widget is of one of these classes; as in Slicer, a subclass is another class."""
    classes = [
        uiloader.WIDGETS[name] if name in uiloader.WIDGETS else pythonqt.strict_class(getattr(QtWidgets, name))
        for name in names
    ]
    return type(widget) in classes


class GuiConnector:
    """Reads a value from a widget, writes it to the widget, and calls back when it has changed."""

    def __init__(self) -> None:
        self._callback: Callable[[], None] | None = None

    def onChanged(self, callback: Callable[[], None] | None) -> None:
        """Set what is called; None ends it."""
        self._callback = callback
        if callback is None:
            self._disconnect()
        else:
            self._connect()

    def changed(self) -> None:
        """Tell a change."""
        if self._callback:
            self._callback()


_registered: list[type] = []


def parameterNodeGuiConnector(cls: type | None = None) -> Any:
    """Add a connector class of a module's own, with ``canRepresent`` and ``create``."""
    if cls is None:
        return parameterNodeGuiConnector
    if not issubclass(cls, GuiConnector):
        raise TypeError("Must be a GuiConnector subclass")
    _registered.append(cls)
    return cls


class PropertyConnector(GuiConnector):
    """A value that is a property of a widget."""

    def __init__(
        self,
        widget: Any,
        name: str,
        signal: str | None,
        to_widget: Callable[[Any], Any] = lambda value: value,
        from_widget: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        super().__init__()
        self._widget, self._name, self._signal = widget, name, signal
        self._to_widget, self._from_widget = to_widget, from_widget

    def _connect(self) -> None:
        if self._signal:
            getattr(self._widget, self._signal).connect(self.changed)

    def _disconnect(self) -> None:
        if self._signal:
            getattr(self._widget, self._signal).disconnect(self.changed)

    def widget(self) -> Any:
        """Give the widget."""
        return self._widget

    def read(self) -> Any:
        """Give the widget's value."""
        return self._from_widget(getattr(self._widget, self._name))

    def write(self, value: Any) -> None:
        """Show a value."""
        shown = self._to_widget(value)
        # writing the same text again would move the cursor of whoever is typing
        if getattr(self._widget, self._name) != shown:
            setattr(self._widget, self._name, shown)


class NodeConnector(PropertyConnector):
    """The node that a node selector shows."""

    def read(self) -> Any:
        """Give the chosen node."""
        return self._widget.currentNode()

    def write(self, value: Any) -> None:
        """Choose a node."""
        self._widget.setCurrentNode(value)


class TextEditConnector(PropertyConnector):
    """The text of a QTextEdit without its marks."""

    def read(self) -> str:
        """Give the text."""
        return self._widget.toPlainText()

    def write(self, value: str) -> None:
        """Show a text."""
        self._widget.setPlainText(value)


def createGuiConnector(widget: Any, datatype: Any) -> GuiConnector:
    """Make the connector of a widget and a type.

    Raises
    ------
    RuntimeError
        When Slicer knows no connector for the pair, or the type lacks an annotation that the widget needs.
    """
    if isinstance(datatype, types.UnionType):
        datatype = typing.Union[tuple(typing.get_args(datatype))]  # noqa: UP007 - what Slicer makes of it
    bare, annotations = split(datatype)
    for cls in _registered:
        if cls.canRepresent(widget, datatype):
            return cls.create(widget, datatype)
    for make in (_flag, _number, _chosen, _text, _path, _node):
        made = make(widget, bare, annotations)
        if made is not None:
            return made
    raise RuntimeError(
        f"Unable to create GUI connector from datatype '{datatype}' to widget type '{type(widget).__name__}' "
        f"({widget.objectName})"
    )


def _flag(widget: Any, bare: Any, annotations: Any) -> GuiConnector | None:
    if bare is not bool:
        return None
    if exactly(widget, "QCheckBox", "ctkCheckBox"):
        return PropertyConnector(widget, "checked", "stateChanged")
    if exactly(widget, "QPushButton"):
        if not widget.checkable:
            logging.warning("Making push button checkable for conversion to bool: button %s", widget.objectName)
            widget.checkable = True
        return PropertyConnector(widget, "checked", "toggled")
    return None


def _number(widget: Any, bare: Any, annotations: Any) -> GuiConnector | None:
    if bare is int and exactly(widget, "QSlider", "QSpinBox"):
        low, high = _bounds(annotations, -(2**31), 2**31 - 1, needed=exactly(widget, "QSlider"))
    elif bare in (int, float) and exactly(widget, "QDoubleSpinBox", "ctkSliderWidget", "ctkDoubleSpinBox"):
        low, high = _bounds(annotations, -math.inf, math.inf, needed=exactly(widget, "ctkSliderWidget"))
        decimals = first(annotations, Decimals)
        if bare is int or decimals is not None:
            widget.decimals = 0 if bare is int else decimals.value
    else:
        return None
    step = first(annotations, SingleStep)
    if step is not None:
        widget.singleStep = step.value
    widget.minimum, widget.maximum = low, high
    return PropertyConnector(widget, "value", "valueChanged", from_widget=bare)


def _bounds(annotations: Any, lowest: float, highest: float, *, needed: bool) -> tuple[float, float]:
    within, low, high = (first(annotations, kind) for kind in (WithinRange, Minimum, Maximum))
    if within is not None:
        return within.minimum, within.maximum
    if needed and (low is None or high is None):
        raise RuntimeError("Cannot have a connection to a slider where the type is unbounded.")
    return lowest if low is None else low.minimum, highest if high is None else high.maximum


def _chosen(widget: Any, bare: Any, annotations: Any) -> GuiConnector | None:
    if not exactly(widget, "QComboBox", "ctkComboBox"):
        return None
    if bare in (int, float, str, bool):
        choice = first(annotations, Choice)
        if choice is None:
            raise RuntimeError("ComboBoxToStringableConnector requires the Choice annotation to be used.")
        return _combo_box(widget, list(choice.choices), str)
    if isinstance(bare, type) and issubclass(bare, enum.Enum):
        return _combo_box(widget, list(bare), getattr(bare, "label", lambda value: value.name))
    return None


def _combo_box(widget: Any, values: list[Any], label: Callable[[Any], str]) -> GuiConnector:
    """Fill the list with the values, whatever the form had in it, and connect it by the place in the list."""
    widget.clear()
    for value in values:
        widget.addItem(label(value))
    return PropertyConnector(widget, "currentIndex", "currentIndexChanged", values.index, values.__getitem__)


def _text(widget: Any, bare: Any, annotations: Any) -> GuiConnector | None:
    if bare is not str:
        return None
    if exactly(widget, "QLineEdit"):
        return PropertyConnector(widget, "text", "textChanged")
    if exactly(widget, "QLabel"):
        return PropertyConnector(widget, "text", None)
    if exactly(widget, "QTextEdit"):
        return TextEditConnector(widget, "plainText", "textChanged")
    return None


def _path(widget: Any, bare: Any, annotations: Any) -> GuiConnector | None:
    if not (isinstance(bare, type) and issubclass(bare, pathlib.PurePath)):
        return None
    if exactly(widget, "ctkPathLineEdit"):
        return PropertyConnector(widget, "currentPath", "currentPathChanged", str, bare)
    if exactly(widget, "ctkDirectoryButton"):
        return PropertyConnector(widget, "directory", "directoryChanged", str, bare)
    return None


def _node(widget: Any, bare: Any, annotations: Any) -> GuiConnector | None:
    parts = typing.get_args(bare) if typing.get_origin(bare) is typing.Union else (bare,)
    kinds = [split(part)[0] for part in parts]
    nodes = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)]
    if not nodes or {*kinds} - {*nodes, type(None)} or not exactly(widget, "qMRMLNodeComboBox"):
        return None
    # the parameter's classes take the place of those in the form
    widget.nodeTypes = [kind().GetClassName() for kind in nodes]
    return NodeConnector(widget, "currentNodeID", "currentNodeChanged")
