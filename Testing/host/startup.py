"""Start of the host and its way back to the start."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

_state: dict[str, Any] = {}


def start() -> Any:
    """Make everything once; give the scene."""
    if not _state:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        # an empty name keeps VTK from falling back to a library that needs no screen
        if not os.environ.get("VTK_DEFAULT_OPENGL_WINDOW", "x"):
            del os.environ["VTK_DEFAULT_OPENGL_WINDOW"]
        _state["scene"] = _start()
    return _state["scene"]


def _keep_singletons() -> None:
    """Give None, True and False more references than can be lost.

    PySide6 6.12 drops one with every call that returns them and every property that a form sets. From Python 3.12
    on they are immortal; before, a test run of some thousand calls ends in a fatal error of the interpreter.
    """
    if sys.version_info < (3, 12):
        for singleton in (None, True, False):
            ctypes.c_ssize_t.from_address(id(singleton)).value += 1 << 40


def _start() -> Any:
    _keep_singletons()
    from host import pythonqt

    pythonqt.install()
    import slicer
    import slicer.util

    from host.application import Application
    from host.scene import make_scene

    slicer.app = Application()
    scene, logic = make_scene(slicer.app.temporaryPath)
    slicer.app.attach(scene, logic)
    _install_modules()
    return scene


def _install_modules() -> None:
    """Make the Python modules of Slicer that the wheel lacks."""
    import slicer

    from host import modules, packaging, parameternode, picture, sampledata, scripted, widgets

    sys.modules["ctk"] = widgets.install(slicer)
    widgets.mrml_editor.install()
    scripted.install(slicer)
    slicer.qSlicerScriptedLoadableModuleWidget = modules.qSlicerScriptedLoadableModuleWidget
    for name, module in (("parameterNodeWrapper", parameternode), ("packaging", packaging)):
        sys.modules[f"slicer.{name}"] = module
        setattr(slicer, name, module)
    slicer.util.pip_install, slicer.util.pip_uninstall = packaging.pip_install, packaging.pip_uninstall
    sampledata.install()
    picture.install_look()


def reset() -> None:
    """Bring everything back to the state after the start."""
    import slicer
    from PySide6 import QtCore, QtWidgets

    from host import modules, packaging, record
    from host.widgets import mrml_editor

    modules.unload()
    slicer.mrmlScene.Clear(0)
    # closing a scene keeps the modules' parameter nodes, and with them observers that nobody else has any more
    for node in slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode"):
        slicer.mrmlScene.RemoveNode(node)
    slicer.app.layoutManager().reset()
    mrml_editor.install()
    slicer.app.settings().clear()
    slicer.app.clipboard().clear()
    for samples in ("sampleDataSources", "sampleDataSourceCategories"):
        vars(slicer.modules).pop(samples, None)
    while QtWidgets.QApplication.overrideCursor():
        QtWidgets.QApplication.restoreOverrideCursor()
    QtWidgets.QApplication.processEvents()
    # what was deleted is gone before the next test looks
    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
    record.errors.clear()
    record.displayed.clear()
    record.answers.clear()
    packaging.installed.clear()
