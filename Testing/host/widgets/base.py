"""What all stand-ins share: properties that only keep a value, rows of plain widgets, observers that end in time."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from PySide6 import QtCore, QtWidgets


def field(kind: type | str, name: str, default: Any, changed: str | None = None) -> QtCore.Property:
    """Make a Qt property that keeps its value; ``changed`` names a method to call when it has become another."""

    def get(self: Any) -> Any:
        return vars(self).get(f"_{name}", default)

    def put(self: Any, value: Any) -> None:
        # PythonQt shows lists of Qt as tuples
        value = tuple(value) if kind == "QStringList" else value
        if value != get(self):
            vars(self)[f"_{name}"] = value
            if changed:
                getattr(self, changed)()

    return QtCore.Property(kind, get, put)


def of_part(kind: type, part: str, name: str) -> QtCore.Property:
    """Make a Qt property that is the one of a plain widget inside."""
    return QtCore.Property(
        kind,
        lambda self: getattr(vars(self)[part], name),
        lambda self, value: setattr(vars(self)[part], name, value),
    )


def row(parent: QtWidgets.QWidget, *parts: QtWidgets.QWidget) -> None:
    """Lay plain widgets side by side."""
    layout = QtWidgets.QHBoxLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    for part in parts:
        layout.addWidget(part)


class Observers:
    """Observers of VTK objects, taken away when the widget that has them dies."""

    def __init__(self, widget: QtCore.QObject) -> None:
        self._tags: list[tuple[Any, int]] = []
        widget.destroyed.connect(self.clear)

    def add(self, subject: Any, event: Any, method: Callable[[], None]) -> None:
        """Call a method of the widget on an event, as long as the widget lives."""
        weak = weakref.WeakMethod(method)
        self._tags.append((subject, subject.AddObserver(event, lambda caller, event: weak() and weak()())))

    def clear(self, *_: Any) -> None:
        """End all."""
        for subject, tag in self._tags:
            subject.RemoveObserver(tag)
        self._tags.clear()
