"""Fields of ctk for paths, colours and choices."""

from __future__ import annotations

import re
from pathlib import Path

from PySide6 import QtCore, QtGui, QtWidgets

from host import record
from host.uiloader import custom_widget
from host.widgets.base import field, of_part, row


@custom_widget
class ctkPathLineEdit(QtWidgets.QWidget):
    """A field for the path of a file or folder, with a button to look for it."""

    Dirs, AllDirs, Files, Drives, NoSymLinks = 0x001, 0x400, 0x002, 0x004, 0x008
    Readable, Writable, Executable, PermissionMask = 0x010, 0x020, 0x040, 0x070
    Hidden, System, NoDot, NoDotDot, NoDotAndDotDot = 0x100, 0x200, 0x2000, 0x4000, 0x6000
    AllEntries = Dirs | Files | Drives
    currentPathChanged = QtCore.Signal(str)
    validInputChanged = QtCore.Signal(bool)
    SIGNALS = ("currentPathChanged(QString)", "validInputChanged(bool)")

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._edit, self._browse = QtWidgets.QLineEdit(), QtWidgets.QToolButton()
        self._browse.setText("…")
        self._browse.clicked.connect(self.browse)
        self._edit.textChanged.connect(self._on_text)
        self._valid = False
        row(self, self._edit, self._browse)

    currentPath = of_part(str, "_edit", "text")
    filters = field(int, "filters", Files | Readable)
    nameFilters = field("QStringList", "nameFilters", ())
    label = field(str, "label", "")
    settingKey = field(str, "settingKey", "")
    showHistoryButton = field(bool, "showHistoryButton", True)
    showBrowseButton = field(bool, "showBrowseButton", True, "_show_browse")
    sizeAdjustPolicy = field(int, "sizeAdjustPolicy", 0)
    minimumContentsLength = field(int, "minimumContentsLength", 0)

    def _show_browse(self) -> None:
        self._browse.setVisible(self.showBrowseButton)

    def _on_text(self, path: str) -> None:
        """Tell of a path as ctk does: of none that is empty, nor of one that misses the name filters."""
        # ctk looks at the first part of an ending alone (.ome of .ome.zarr), and its last letter may be missing
        endings = re.findall(r"\*\.(\w+)", " ".join(self.nameFilters))
        pattern = "|".join(rf".*\.{ending}?" for ending in endings) or ".+"
        before, self._valid = self._valid, re.fullmatch(pattern, path) is not None
        if self._valid:
            self.currentPathChanged.emit(path)
        if self._valid != before:
            self.validInputChanged.emit(self._valid)

    def setCurrentPath(self, path: str) -> None:
        """Put a path into the field."""
        self._edit.setText(path)

    def browse(self) -> None:
        """Let the user look for a file or folder: what ``host.answers`` has."""
        folder = self.filters & self.Dirs and not self.filters & self.Files
        name = "getExistingDirectory" if folder else "getOpenFileName"
        if not folder and self.filters & self.Writable:
            name = "getSaveFileName"
        chosen = record.answer(name, self.label)
        if chosen:
            self.setCurrentPath(chosen)

    def addCurrentPathToHistory(self) -> None:
        """Keep the path for the list of former ones, which is not shown here."""


@custom_widget
class ctkDirectoryButton(QtWidgets.QPushButton):
    """A button that shows and chooses a folder."""

    directoryChanged = QtCore.Signal(str)
    directorySelected = QtCore.Signal(str)
    SIGNALS = ("directoryChanged(QString)", "directorySelected(QString)")

    def _put(self, path: str) -> None:
        path = str(Path(path).absolute())
        if path != self.text:
            self.setText(path)
            self.directoryChanged.emit(path)

    directory = QtCore.Property(str, lambda self: self.text, _put)
    caption = field(str, "caption", "")


@custom_widget
class ctkColorPickerButton(QtWidgets.QPushButton):
    """A button that shows and chooses a colour."""

    colorChanged = QtCore.Signal(QtGui.QColor)
    SIGNALS = ("colorChanged(QColor)",)

    def _put(self, color: QtGui.QColor) -> None:
        self._color = QtGui.QColor(color)
        self.setStyleSheet(f"background: {self._color.name()}")
        self.colorChanged.emit(self._color)

    color = QtCore.Property(QtGui.QColor, lambda self: vars(self).get("_color", QtGui.QColor("black")), _put)
    displayColorName = field(bool, "displayColorName", True)


@custom_widget
class ctkComboBox(QtWidgets.QComboBox):
    """A list of choices with a text for none."""

    defaultText = field(str, "defaultText", "")
    defaultIcon = field(QtGui.QIcon, "defaultIcon", None)
    elideMode = field(int, "elideMode", 3)
    scrollWheelEffect = field(int, "scrollWheelEffect", 2)


@custom_widget
class ctkCheckBox(QtWidgets.QCheckBox):
    """A check box with icons of its own."""

    indicatorIcon = field(QtGui.QIcon, "indicatorIcon", None)


@custom_widget
class ctkFittedTextBrowser(QtWidgets.QTextBrowser):
    """A text that is as high as it needs."""

    collapsed = field(bool, "collapsed", False)
    collapsible = field(bool, "collapsible", False)


@custom_widget
class ctkSearchBox(QtWidgets.QLineEdit):
    """A field for a word to search."""

    showSearchIcon = field(bool, "showSearchIcon", False)
    alwaysShowClearIcon = field(bool, "alwaysShowClearIcon", False)
