"""``qt.QUiLoader``: forms of Qt Designer, checked against the widgets they name.

A property, an enumerator, a signal or a slot that a custom widget does not have is an error here; Qt itself
only warns, or says nothing. Connections of the form are made with the signals of :mod:`host.signals`.
"""

from __future__ import annotations

import functools
import inspect
import operator
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
            return super().createWidget(class_name, parent, name)
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
    """Check the classes and properties of all widgets, and write enumerators of custom ones as numbers for Qt.

    What goes wrong while Qt builds the form would be lost: it cannot pass exceptions on.
    """
    for element in root.iter("widget"):
        class_name, name = element.get("class"), element.get("name")
        if class_name == "Line":  # Designer's own: a frame
            continue
        cls = WIDGETS.get(class_name) or getattr(QtWidgets, class_name, None)
        if cls is None:
            raise RuntimeError(f"the host has no stand-in for the class {class_name} of the widget {name}")
        for found in element.findall("property"):
            if found.get("stdset") != "0" and not _has_property(cls, found.get("name")):
                raise AttributeError(
                    f"{class_name} ({name}) has no property '{found.get('name')}'; "
                    'a dynamic property is written with stdset="0"'
                )
            if class_name in WIDGETS:
                _spell_out(cls, found)


def _spell_out(cls: type, found: ET.Element) -> None:
    for tag in ("enum", "set"):
        spelled = found.find(tag)
        if spelled is not None and spelled.text.startswith(f"{cls.__name__}::"):
            parts = [part.rpartition("::")[2].strip() for part in spelled.text.split("|")]
            spelled.tag = "number"
            spelled.text = str(functools.reduce(operator.or_, (int(getattr(cls, part)) for part in parts)))


def _has_property(cls: type, name: str) -> bool:
    # not by the meta object of the class, which Python rebuilds when it likes; Designer sets buddies itself
    return name == "buddy" or isinstance(inspect.getattr_static(cls, name, None), (QtCore.Property, property))


def _connect(form: QtWidgets.QWidget, connection: ET.Element) -> None:
    ends = []
    for end in ("sender", "receiver"):
        name = connection.findtext(end)
        found = form if name == form.objectName else form.findChild(QtCore.QObject, name)
        if found is None:
            raise AttributeError(f"the form connects the {end} {name}, which it does not have")
        ends.append(found)
    signals.connect(ends[0], connection.findtext("signal"), ends[1], connection.findtext("slot"))
