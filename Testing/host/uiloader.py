"""``qt.QUiLoader``: forms of Qt Designer, checked against the widgets they name.

A property, an enumerator, a signal or a slot that a custom widget does not have is an error here; Qt itself
only warns, or says nothing. Connections of the form are made with the signals of :mod:`host.signals`.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from PySide6 import QtCore, QtUiTools, QtWidgets

from host import pythonqt, signals

WIDGETS: dict[str, type] = {}
"""Class name of a custom widget → its stand-in; filled by :func:`custom_widget`."""


def custom_widget(cls: type) -> type:
    """Make a class known to forms, and strict."""
    WIDGETS[cls.__name__] = pythonqt.strict(cls)
    return cls


class UiLoader(QtUiTools.QUiLoader):
    """Loader of forms; it knows the stand-ins, and nothing else of ctk and MRML."""

    def createWidget(self, class_name: str, parent: Any = None, name: str = "") -> QtWidgets.QWidget:
        """Make one widget of the form."""
        cls = WIDGETS.get(class_name)
        if cls is None and hasattr(QtWidgets, class_name):
            cls = pythonqt.strict_class(getattr(QtWidgets, class_name))
        if cls is None:
            raise RuntimeError(f"the host has no stand-in for the class {class_name} of the widget {name}")
        widget = cls(parent)
        widget.setObjectName(name)
        return widget

    def createLayout(self, class_name: str, parent: Any = None, name: str = "") -> QtWidgets.QLayout:
        """Make one layout of the form."""
        # a layout inside a layout is put in its place by the loader
        layout = pythonqt.strict_class(getattr(QtWidgets, class_name))(
            parent if isinstance(parent, QtWidgets.QWidget) else None
        )
        layout.setObjectName(name)
        return layout

    def load(self, device: Any, parent: Any = None) -> QtWidgets.QWidget:
        """Build the form of a file, by its path or as an open ``QFile``."""
        if isinstance(device, str):
            device = QtCore.QFile(device)
        if not device.isOpen():
            device.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        root = ET.fromstring(bytes(device.readAll().data()))
        _check_and_spell_out(root)
        connections = root.find("connections")
        if connections is not None:
            root.remove(connections)
        buffer = QtCore.QBuffer()
        buffer.setData(ET.tostring(root))
        buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        form = super().load(buffer, parent)
        for connection in connections if connections is not None else ():
            _connect(form, connection)
        return form


def _check_and_spell_out(root: ET.Element) -> None:
    """Check the properties of custom widgets, and write their enumerators as numbers, which Qt can read."""
    for element in root.iter("widget"):
        cls = WIDGETS.get(element.get("class"))
        if cls is None:
            continue
        meta = cls.staticMetaObject
        for found in element.findall("property"):
            if meta.indexOfProperty(found.get("name")) < 0 and found.get("stdset") != "0":
                raise AttributeError(
                    f"{element.get('class')} ({element.get('name')}) has no property '{found.get('name')}'; "
                    'a dynamic property is written with stdset="0"'
                )
            for tag in ("enum", "set"):
                spelled = found.find(tag)
                if spelled is not None and hasattr(cls, _first_name(spelled.text)):
                    spelled.tag, spelled.text = "number", str(_number(cls, spelled.text))


def _first_name(text: str) -> str:
    return text.partition("|")[0].rpartition("::")[2].strip()


def _number(cls: type, text: str) -> int:
    total = 0
    for part in text.split("|"):
        total |= int(getattr(cls, part.rpartition("::")[2].strip()))
    return total


def _connect(form: QtWidgets.QWidget, connection: ET.Element) -> None:
    ends = []
    for end in ("sender", "receiver"):
        name = connection.findtext(end)
        found = form if name == form.objectName else form.findChild(QtCore.QObject, name)
        if found is None:
            raise AttributeError(f"the form connects the {end} {name}, which it does not have")
        ends.append(found)
    signals.connect(ends[0], connection.findtext("signal"), ends[1], connection.findtext("slot"))
