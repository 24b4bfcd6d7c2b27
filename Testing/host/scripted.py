"""``slicer.ScriptedLoadableModule``, ``slicer.i18n`` and ``slicer.testing``: the base classes of scripted modules."""

from __future__ import annotations

import logging
import sys
import types
import unittest
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtWidgets

from host import record


class ScriptedLoadableModule:
    """Base of the class that describes a module."""

    def __init__(self, parent: Any) -> None:
        super().__init__()
        self.parent, self.moduleName = parent, type(self).__name__
        parent.title, parent.categories, parent.dependencies, parent.contributors = "", [], [], []
        parent.helpText = parent.acknowledgementText = ""
        slicer.selfTests = {**getattr(slicer, "selfTests", {}), self.moduleName: self.runTest}

    def resourcePath(self, name: str) -> str:
        """Path of a file in the module's folder Resources."""
        return str(Path(self.parent.path).parent / "Resources" / name)

    def getDefaultModuleDocumentationLink(self, page: str | None = None) -> str:
        """Give a sentence for the help text with a link to the module's documentation."""
        url = slicer.app.documentationBaseUrl + page if page else slicer.app.moduleDocumentationUrl(self.moduleName)
        return f'<p>For more information, see the <a href="{url}">online documentation</a>.</p>'

    def runTest(self, msec: int = 100, **options: Any) -> None:
        """Run the module's self-test."""
        case = getattr(sys.modules[type(self).__module__], f"{self.moduleName}Test")()
        case.messageDelay = msec
        case.runTest(**options)


class ScriptedLoadableModuleWidget:
    """Base of the class that makes a module's panel."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = slicer.util.settingsValue("Developer/DeveloperMode", False, converter=slicer.util.toBool)
        self.parent = parent or _own_parent()
        self.layout = self.parent.layout()
        if parent is None:
            self.setup()
        slicer.app.moduleManager().connect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def resourcePath(self, name: str) -> str:
        """Path of a file in the module's folder Resources."""
        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / name)

    def setup(self) -> None:
        """Make the section with the button Reload, in developer mode."""
        if self.developerMode:
            import qt

            self.reloadButton = qt.QPushButton("Reload")
            self.reloadButton.connect("clicked()", self.onReload)
            self.layout.addWidget(self.reloadButton)

    def cleanup(self) -> None:
        """Overridden by modules that have to."""

    def _onModuleAboutToBeUnloaded(self, name: str) -> None:
        if name == self.moduleName:
            self.cleanup()
            manager = slicer.app.moduleManager()
            manager.disconnect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def onReload(self) -> None:
        """Load the module's file again and build its panel anew."""
        slicer.util.reloadScriptedModule(self.moduleName)


def _own_parent() -> Any:
    parent = slicer.qMRMLWidget()
    QtWidgets.QVBoxLayout(parent)
    parent.setMRMLScene(slicer.mrmlScene)
    return parent


class ScriptedLoadableModuleLogic:
    """Base of the class that works without a panel."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self) -> Any:
        """Give the module's parameter node, a new one where the scene has none."""
        if self.isSingletonParameterNode:
            known = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
            if known:
                known.SetAttribute("ModuleName", self.moduleName)
        else:
            known = next(iter(self.getAllParameterNodes()), None)
        return known or slicer.mrmlScene.AddNode(self.createParameterNode())

    def getAllParameterNodes(self) -> list[Any]:
        """Give all parameter nodes of the module."""
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
        return [node for node in nodes if node.GetAttribute("ModuleName") == self.moduleName]

    def createParameterNode(self) -> Any:
        """Make a parameter node that is in no scene."""
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """Base of a module's self-test; it runs all methods with ``test`` in their name."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.moduleTestNames: list[str] = []
        super().__init__(*arguments, **options)
        names = self.moduleTestNames or [name for name in dir(self) if "test" in name]
        self.moduleTestNames = [name for name in names if callable(getattr(self, name))]

    def delayDisplay(self, message: str, requestedDelay: Any = None, msec: Any = None) -> None:
        """Show a message for a moment."""
        slicer.util.delayDisplay(message, msec or requestedDelay or 100)

    def runTest(self) -> None:
        """Run all tests."""
        if not self.moduleTestNames:
            logging.warning("No test is defined in %s", type(self).__name__)
        self.setUpClass()
        for name in self.moduleTestNames:
            self.setUp()
            getattr(self, name)()
            self.tearDown()
        self.tearDownClass()


def runUnitTest(path: str | list[str], testname: str) -> None:
    """Run the tests of a Python module by its name."""
    sys.path.extend([path] if isinstance(path, str) else path)
    suite = unittest.TestLoader().loadTestsFromName(testname)
    if not unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful():
        exitFailure()


def exitFailure(message: str = "") -> None:
    """End a test without success."""
    raise RuntimeError(message)


def _delay_display(message: str, autoCloseMsec: int = 1000, parent: Any = None, **options: Any) -> None:
    record.show("delay", message)
    slicer.app.processEvents()


def _module(name: str, **contents: Any) -> None:
    module = types.ModuleType(f"slicer.{name}")
    module.__dict__.update(contents)
    sys.modules[module.__name__] = module
    setattr(slicer, name, module)


def install(slicer: types.ModuleType) -> None:
    """Make the modules."""
    bases = {name: value for name, value in globals().items() if name.startswith("ScriptedLoadableModule")}
    _module("ScriptedLoadableModule", __all__=list(bases), **bases)
    _module("i18n", tr=lambda text: text, translate=lambda context, text: text)
    _module("testing", runUnitTest=runUnitTest, exitFailure=exitFailure, exitSuccess=lambda: None)
    slicer.qSlicerScriptedLoadableModule = type("qSlicerScriptedLoadableModule", (), {})
    slicer.util.delayDisplay = _delay_display
