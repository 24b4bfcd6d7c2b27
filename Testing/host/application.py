"""``slicer.app``: settings in a temporary file, clipboard, environment, module manager, main window."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets

from host import pythonqt, record
from host.io import CoreIOManager
from host.layout import LayoutManager
from host.signals import fitted


class ModuleSelector:
    """The list of modules; it knows which one is shown."""

    selectedModule = ""

    def selectModule(self, name: str) -> None:
        """Show a module."""
        from host import modules

        modules.select(name)


@pythonqt.strict
class qSlicerMainWindow(QtWidgets.QMainWindow):
    """The main window, which shows nothing but keeps the text of its status bar."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self._selector = ModuleSelector()
        self.statusBar().messageChanged.connect(lambda text: text and record.show("status", text))

    def moduleSelector(self) -> ModuleSelector:
        """Give the list of modules."""
        return self._selector


class ModuleManager(QtCore.QObject):
    """Stand-in of ``qSlicerModuleManager``."""

    moduleAboutToBeUnloaded = QtCore.Signal(str)
    moduleLoaded = QtCore.Signal(str)
    SIGNALS = ("moduleAboutToBeUnloaded(QString)", "moduleLoaded(QString)")

    def module(self, name: str) -> Any:
        """Give an entry of ``slicer.modules``, None where there is none."""
        return getattr(slicer.modules, name.lower(), None)

    def modulesNames(self) -> list[str]:
        """Names of all modules."""
        return [entry.name for entry in vars(slicer.modules).values() if hasattr(entry, "widgetRepresentation")]


class Application:
    """Stand-in of ``qSlicerApplication``."""

    applicationName = "Slicer"
    applicationVersion = "5.12.0"
    majorVersion, minorVersion = 5, 12
    revision = repositoryRevision = "0"
    documentationBaseUrl = "https://slicer.readthedocs.io/"
    commandOptions = None

    def __init__(self) -> None:
        self.temporaryPath = tempfile.mkdtemp(prefix="host-")
        atexit.register(shutil.rmtree, self.temporaryPath, ignore_errors=True)
        self.slicerHome = self.slicerUserSettingsFilePath = self.temporaryPath
        self._use_own_settings()
        self._io, self._modules = CoreIOManager(), ModuleManager()
        self._logic: Any = None
        self._layout: LayoutManager | None = None
        self._window = qSlicerMainWindow()
        self._slots: dict[str, list[Any]] = {"startupCompleted()": [], "aboutToQuit()": [], "lastWindowClosed()": []}
        self.selected: list[str] = []

    def _use_own_settings(self) -> None:
        """Keep ``qt.QSettings()`` away from the settings of whoever runs the tests."""
        ini = QtCore.QSettings.Format.IniFormat
        QtCore.QSettings.setDefaultFormat(ini)
        QtCore.QSettings.setPath(ini, QtCore.QSettings.Scope.UserScope, self.temporaryPath)
        QtCore.QCoreApplication.setOrganizationName("host")
        QtCore.QCoreApplication.setApplicationName("Slicer")

    def attach(self, scene: Any, logic: Any) -> None:
        """Take over scene and application logic when they are made."""
        self._logic, self._layout = logic, LayoutManager(scene, logic)

    def applicationLogic(self) -> Any:
        """Give the application logic of MRML."""
        return self._logic

    def mrmlScene(self) -> Any:
        """Give the scene."""
        return slicer.mrmlScene

    def coreIOManager(self) -> CoreIOManager:
        """Give what reads and writes files."""
        return self._io

    ioManager = coreIOManager

    def moduleManager(self) -> ModuleManager:
        """Give what knows the modules."""
        return self._modules

    def layoutManager(self) -> LayoutManager | None:
        """Give what knows the views."""
        return self._layout

    def mainWindow(self) -> QtWidgets.QMainWindow:
        """Give the main window."""
        return self._window

    def settings(self) -> QtCore.QSettings:
        """Give the settings, those of ``qt.QSettings()``."""
        import qt

        return qt.QSettings()

    userSettings = revisionUserSettings = settings

    def clipboard(self) -> Any:
        """Give the clipboard."""
        return QtWidgets.QApplication.clipboard()

    def processEvents(self, *flags: Any) -> None:
        """Run the event loop once through."""
        QtWidgets.QApplication.processEvents()

    def startupEnvironment(self) -> QtCore.QProcessEnvironment:
        """Give the environment that Slicer was started in."""
        return QtCore.QProcessEnvironment.systemEnvironment()

    def topLevelWidgets(self) -> list[QtWidgets.QWidget]:
        """Give all windows."""
        return QtWidgets.QApplication.topLevelWidgets()

    def setOverrideCursor(self, cursor: Any) -> None:
        """Show another mouse cursor."""
        QtWidgets.QApplication.setOverrideCursor(cursor)

    def restoreOverrideCursor(self) -> None:
        """Show the mouse cursor of before."""
        QtWidgets.QApplication.restoreOverrideCursor()

    def testingEnabled(self) -> bool:
        """Messages are shown, and kept by the host, as to a user."""
        return False

    def moduleDocumentationUrl(self, name: str) -> str:
        """Where the documentation of a module would stand."""
        return f"{self.documentationBaseUrl}{name}"

    def translate(self, context: str, text: str) -> str:
        """Leave a text in English."""
        return text

    def pauseRender(self) -> None:
        """Render nothing, as always here."""

    resumeRender = pauseRender

    def restart(self) -> None:
        """Refuse to end the process of the tests."""
        raise RuntimeError("the module asked the application to restart")

    def openNodeModule(self, node: Any, role: str = "", context: str = "") -> None:
        """Keep which node's module was asked for."""
        self.selected.append(node.GetClassName())

    def connect(self, signal: str, slot: Any) -> bool:
        """Connect a signal of the application; ``startupCompleted()`` comes when a module has been loaded."""
        if signal not in self._slots:
            raise AttributeError(f"signal '{signal}' does not exist on qSlicerApplication")
        self._slots[signal].append(slot)
        return True

    def disconnect(self, signal: str, slot: Any) -> bool:
        """Undo :meth:`connect`."""
        self._slots[signal].remove(slot)
        return True

    def send(self, signal: str) -> None:
        """Send a signal of the application, once to each slot."""
        slots, self._slots[signal] = self._slots[signal], []
        for slot in slots:
            fitted(slot, 0)()

    @property
    def pythonManager(self) -> Any:
        """Not here: there is no Python console."""
        raise AttributeError("the host has no pythonManager")
