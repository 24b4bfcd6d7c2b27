"""Loading of scripted modules as Slicer's factory does it, and taking them away."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtWidgets

from host.scene import Module
from host.widgets.mrml_selectors import qMRMLWidget

_loaded: list[Module] = []


class ModuleDescription:
    """What a module's class gets as ``parent``, and fills: a ``qSlicerScriptedLoadableModule`` in Slicer."""

    __slots__ = (
        "acknowledgementText",
        "associatedNodeTypes",
        "categories",
        "contributors",
        "dependencies",
        "helpText",
        "hidden",
        "icon",
        "index",
        "name",
        "path",
        "title",
        "widgetRepresentationCreationEnabled",
    )

    def __init__(self, path: Path) -> None:
        self.path, self.name, self.hidden = str(path), path.stem, False


class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """The panel of a module; ``reload`` is what the button Reload of developer mode ends in."""

    def __init__(self, entry: Module) -> None:
        super().__init__()
        self._entry = entry
        QtWidgets.QVBoxLayout(self)
        self.setMRMLScene(slicer.mrmlScene)

    def self(self) -> Any:
        """Give the module's widget."""
        return _widget(self._entry)

    def reload(self) -> Any:
        """Make the module's widget and set it up."""
        name = self._entry.name
        widget = getattr(sys.modules[name], f"{name}Widget")(self)
        setattr(slicer.modules, f"{name}Widget", widget)
        widget.setup()
        return widget


def load(path: Path) -> Any:
    """Load a module, build its panel, show it; give its widget, None where it has none."""
    path = path.resolve()
    name = path.stem
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    module = _import(name, path)
    description = ModuleDescription(path)
    entry = Module(name, path=str(path))
    setattr(slicer.modules, name.lower(), entry)
    setattr(slicer.modules, f"{name}Instance", getattr(module, name)(description))
    entry.title = description.title
    _loaded.append(entry)
    slicer.app.send("startupCompleted()")
    if not hasattr(module, f"{name}Widget"):
        return None
    entry.panel = qSlicerScriptedLoadableModuleWidget(entry)
    try:
        entry.panel.reload()
        select(name)
    except Exception:
        # a panel that was not finished can neither be left nor cleaned up
        _forget(_loaded.pop())
        raise
    return _widget(entry)


def _import(name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _widget(entry: Module) -> Any:
    return vars(slicer.modules).get(f"{entry.name}Widget")


def select(name: str) -> None:
    """Show a module's panel and leave the one that was shown; of modules that are not loaded the name is kept."""
    shown = slicer.app.mainWindow().moduleSelector()
    if shown.selectedModule != name:
        _call(shown.selectedModule, "exit")
        shown.selectedModule = name
        _call(name, "enter")


def _call(name: str, method: str) -> None:
    for entry in _loaded:
        if entry.name == name and hasattr(_widget(entry), method):
            getattr(_widget(entry), method)()


def unload() -> None:
    """Leave the module that is shown, and take all loaded modules away, the last one first."""
    select("")
    while _loaded:
        slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(_loaded[-1].name)
        _forget(_loaded.pop())


def _forget(entry: Module) -> None:
    widget = _widget(entry)
    if widget is not None:
        slicer.app.moduleManager().disconnect("moduleAboutToBeUnloaded(QString)", widget._onModuleAboutToBeUnloaded)
    if entry.panel is not None:
        entry.panel.delete()
    shown = slicer.app.mainWindow().moduleSelector()
    shown.selectedModule = "" if shown.selectedModule == entry.name else shown.selectedModule
    for attribute in (entry.name.lower(), f"{entry.name}Instance", f"{entry.name}Widget"):
        vars(slicer.modules).pop(attribute, None)
    sys.modules.pop(entry.name, None)
