"""Properties of Qt as attributes, checked as strictly as PythonQt does: ``label.text = "ready"``.

PySide6 has getter and setter methods instead; each of them that belongs to a Qt property is replaced, for all
classes at once, by a Python property of its name. ``button.text()`` then fails as it does in Slicer.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any

from PySide6 import QtCore, QtGui, QtNetwork, QtWidgets

# functions that C++ overrides call by name; PythonQt shows them as properties
_VIRTUAL = {"sizeHint", "minimumSizeHint"}

_KINDS: dict[str, tuple[type, ...]] = {
    "bool": (bool, int),
    "int": (int, float, enum.Enum),
    "uint": (int, float),
    "double": (int, float),
    "QString": (str,),
    "QStringList": (list, tuple),
}
"""Python types that PythonQt turns into the type of a property; other types are left to Qt."""


class _Attribute(property):
    """A property whose class still shows the static function of that name, such as ``QTimer.singleShot``."""

    static: Any = None

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self.static if instance is None and self.static is not None else super().__get__(instance, owner)


def check(owner: QtCore.QObject, name: str, kind: str, value: Any) -> None:
    """Refuse a value that PythonQt would not convert.

    Raises
    ------
    TypeError
        With the message of PythonQt.
    """
    known = _KINDS.get(kind)
    if value is None or (known is not None and not isinstance(value, known)):
        raise TypeError(
            f"Property '{name}' of type '{kind}' of {owner.metaObject().className()} does not accept an object of "
            f"type {type(value).__name__} ({value!r})"
        )


def _attribute(name: str, kind: str, writable: bool, known: Any) -> property:
    def get(self: QtCore.QObject) -> Any:
        value = QtCore.QObject.property(self, name)
        return tuple(value) if kind == "QStringList" else value

    def put(self: QtCore.QObject, value: Any) -> None:
        check(self, name, kind, value)
        value = int(value) if kind in ("int", "uint") and isinstance(value, float) else value
        if not QtCore.QObject.setProperty(self, name, value):
            raise TypeError(f"Property '{name}' of {self.metaObject().className()} does not accept {value!r}")

    made = _Attribute(get, put if writable else None)
    made.static = known if callable(known) else None
    return made


def qobject_classes() -> Iterator[type]:
    """All classes of Qt that a form or a module may meet."""
    for module in (QtCore, QtGui, QtWidgets, QtNetwork):
        for name in dir(module):
            found = getattr(module, name)
            if isinstance(found, type) and issubclass(found, QtCore.QObject):
                yield found


def install() -> None:
    """Make all properties attributes; ``name`` is ``objectName`` as in PythonQt."""
    for cls in qobject_classes():
        meta = cls.staticMetaObject
        for index in range(meta.propertyOffset(), meta.propertyCount()):
            found = meta.property(index)
            if found.name() not in _VIRTUAL:
                known = getattr(cls, found.name(), None)
                setattr(cls, found.name(), _attribute(found.name(), found.typeName(), found.isWritable(), known))
    QtCore.QObject.name = vars(QtCore.QObject)["objectName"]
