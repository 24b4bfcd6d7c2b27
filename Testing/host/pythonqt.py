"""The module ``qt``: PySide6 with the manners of PythonQt.

=====================================================  =====================================================
manner of PythonQt                                     where it is made
=====================================================  =====================================================
properties are attributes of a checked type            :mod:`host.properties`
``widget.connect('clicked(bool)', slot)``              :mod:`host.signals`
setting an attribute that does not exist is refused    :func:`strict`
``name``, ``className()``, ``delete()``, ``exec_()``   :mod:`host.properties`, here, :mod:`host.dialogs`
forms with widgets of ctk and MRML                     :mod:`host.uiloader`
all names in one flat module                           here
=====================================================  =====================================================
"""

from __future__ import annotations

import sys
import types
from typing import Any

from PySide6 import QtCore, QtGui, QtNetwork, QtTest, QtUiTools, QtWidgets

from host import dialogs, properties, signals

_MODULES = (QtCore, QtGui, QtWidgets, QtUiTools, QtNetwork, QtTest)
_PYSIDE_ONLY = ("Signal", "Slot", "Property", "ClassInfo", "QEnum", "QFlag")
_strict: dict[type, type] = {}


class _Kind(type(QtCore.QObject)):
    """Type of the strict classes: an object of the class of PySide6 beneath is an instance too."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, vars(cls).get("_beneath", ())) or super().__instancecheck__(instance)


def strict(cls: type) -> type:
    """Let a class refuse attributes that it does not have, as C++ classes do in PythonQt; subclasses may add some."""

    def put(self: QtCore.QObject, name: str, value: Any) -> None:
        # the loader of forms shows named children as attributes of the top widget, as PythonQt does
        child = isinstance(value, QtCore.QObject) and value.objectName == name
        if type(self) is cls and not name.startswith("_") and not child:
            _check(self, name, value)
        super(cls, self).__setattr__(name, value)

    cls.__setattr__ = put
    return cls


def _check(instance: QtCore.QObject, name: str, value: Any) -> None:
    meta = instance.metaObject()
    index = meta.indexOfProperty(name)
    if value is None and name in getattr(type(instance), "NULLABLE", ()):
        return
    if index >= 0:
        properties.check(instance, name, meta.property(index).typeName(), value)
    elif name not in ("name", *dynamic_properties(instance)):
        kind = "method" if hasattr(type(instance), name) else None
        raise AttributeError(
            f"{kind} '{name}' of {meta.className()} cannot be set"
            if kind
            else f"Attribute '{name}' does not exist and creating new attributes on C++ objects is not allowed "
            f"({meta.className()})"
        )


def dynamic_properties(instance: QtCore.QObject) -> list[str]:
    """Names of the properties that were added to this object, by a form or by ``setProperty``."""
    return [bytes(name.data()).decode() for name in instance.dynamicPropertyNames()]


def strict_class(cls: type) -> type:
    """Give the strict subclass of a class of Qt, of the same name."""
    if cls not in _strict:
        members = {"_beneath": cls, "__module__": "qt", "__init__": _without_keywords(cls)}
        _strict[cls] = strict(_Kind(cls.__name__, (cls,), members))
    return _strict[cls]


def _without_keywords(cls: type) -> Any:
    """Give a constructor without keywords, which PySide6 would take for properties and PythonQt does not."""

    def start(self: Any, *given: Any) -> None:
        cls.__init__(self, *given)

    return start


def _lookup(name: str) -> Any:
    """Find a name of the flat module ``qt``."""
    if name in _PYSIDE_ONLY:
        raise AttributeError(f"module 'qt' has no attribute '{name}'; it is PySide's, not PythonQt's")
    for module in _MODULES:
        if hasattr(module, name):
            found = getattr(module, name)
            if isinstance(found, type) and issubclass(found, QtCore.QObject) and found is not QtCore.QObject:
                found = strict_class(found)
            setattr(sys.modules["qt"], name, found)
            return found
    raise AttributeError(f"module 'qt' has no attribute '{name}'")


def find_children(parent: QtCore.QObject, kind: Any = QtCore.QObject, name: str | None = None) -> list[Any]:
    """Give all children of a class, or of the name of a class."""
    if isinstance(kind, str):
        found = [child for child in QtCore.QObject.findChildren(parent, QtCore.QObject) if child.inherits(kind)]
    else:
        found = QtCore.QObject.findChildren(parent, vars(kind).get("_beneath", kind))
    return [child for child in found if name is None or child.objectName == name]


def find_child(parent: QtCore.QObject, kind: Any = QtCore.QObject, name: str | None = None) -> Any:
    """Give the first child of a class, None where there is none."""
    return next(iter(find_children(parent, kind, name)), None)


def _own_methods() -> None:
    """Put methods of our own on all objects; PySide6 hands out its own ones whatever the classes say."""
    own = {
        "connect": signals.connect,
        "disconnect": signals.disconnect,
        "findChildren": find_children,
        "findChild": find_child,
    }

    def patched(original: Any) -> Any:
        return lambda self, name: own[name].__get__(self) if name in own else original(self, name)

    for cls in properties.qobject_classes():
        if "__getattribute__" in vars(cls):
            cls.__getattribute__ = patched(cls.__getattribute__)


def _delete(instance: QtCore.QObject) -> None:
    signals.forget(instance)
    instance.deleteLater()


def install() -> types.ModuleType:
    """Make the application object of Qt and the module ``qt``."""
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["host"])
    properties.install()
    _own_methods()
    dialogs.install()
    QtCore.QObject.className = lambda self: self.metaObject().className()
    QtCore.QObject.delete = _delete
    qt = types.ModuleType("qt")
    qt.__getattr__ = _lookup
    from host.uiloader import UiLoader

    qt.QUiLoader = UiLoader
    qt.QFileDialog, qt.QMessageBox, qt.QInputDialog = dialogs.FileDialog, dialogs.MessageBox, dialogs.InputDialog
    qt.QDesktopServices = dialogs.DesktopServices
    qt._application = application
    sys.modules["qt"] = qt
    sys.excepthook = signals.collect
    return qt
