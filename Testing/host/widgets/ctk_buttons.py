"""Sections that fold, buttons and boxes of ctk."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from host.uiloader import custom_widget
from host.widgets.base import field

_HEADER_PX = 24
_STYLE = """QToolButton { border: 1px solid palette(mid); border-radius: 3px; background: palette(button);
font-weight: bold; text-align: left; padding-left: 4px; }"""


@custom_widget
class ctkCollapsibleButton(QtWidgets.QWidget):
    """A section with a header that folds it."""

    contentsCollapsed = QtCore.Signal(bool)
    clicked = QtCore.Signal(bool)
    toggled = QtCore.Signal(bool)
    SIGNALS = ("contentsCollapsed(bool)", "clicked(bool)", "clicked()", "toggled(bool)")

    def __init__(self, text: object = "", parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent if isinstance(text, str) else text)
        self._collapsed = False
        self._header = QtWidgets.QToolButton(self)
        self._header.setToolButtonStyle(QtCore.Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._header.setStyleSheet(_STYLE)
        self._header.setText(text if isinstance(text, str) else "")
        self._header.clicked.connect(self.click)
        self.setContentsMargins(0, _HEADER_PX + 2, 0, 0)
        self._show_state()

    def click(self) -> None:
        """Fold, or unfold."""
        self._fold(not self._collapsed)
        self.clicked.emit(not self._collapsed)

    def resizeEvent(self, event: object) -> None:
        """Keep the header as wide as the section."""
        self._header.setGeometry(0, 0, self.width, _HEADER_PX)
        super().resizeEvent(event)

    def _fold(self, collapsed: bool) -> None:
        if bool(collapsed) != self._collapsed:
            self._collapsed = bool(collapsed)
            self._show_state()
            self.contentsCollapsed.emit(self._collapsed)
            self.toggled.emit(not self._collapsed)

    def _show_state(self) -> None:
        # the contents stay where they are and are cut off, so that what is hidden inside stays hidden
        arrow = QtCore.Qt.ArrowType.RightArrow if self._collapsed else QtCore.Qt.ArrowType.DownArrow
        self._header.setArrowType(arrow)
        self.setMaximumHeight(_HEADER_PX if self._collapsed else 16777215)
        self.updateGeometry()

    text = QtCore.Property(str, lambda self: self._header.text, lambda self, text: self._header.setText(text))
    collapsed = QtCore.Property(bool, lambda self: self._collapsed, _fold)
    checked = QtCore.Property(bool, lambda self: not self._collapsed, lambda self, on: self._fold(not on))
    checkable = field(bool, "checkable", True)
    flat = field(bool, "flat", False)
    collapsedHeight = field(int, "collapsedHeight", 10)
    contentsFrameShape = field(int, "contentsFrameShape", 0)
    contentsFrameShadow = field(int, "contentsFrameShadow", 16)
    contentsLineWidth = field(int, "contentsLineWidth", 1)
    contentsMidLineWidth = field(int, "contentsMidLineWidth", 0)


@custom_widget
class ctkCollapsibleGroupBox(QtWidgets.QGroupBox):
    """A group box that folds."""

    def __init__(self, title: object = "", parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent if isinstance(title, str) else title)
        if isinstance(title, str):
            self.setTitle(title)
        self.setCheckable(True)
        self.toggled.connect(self._show_state)

    def _show_state(self, expanded: bool) -> None:
        self.setMaximumHeight(16777215 if expanded else 22)

    collapsed = QtCore.Property(bool, lambda self: not self.checked, lambda self, value: self.setChecked(not value))
    collapsedHeight = field(int, "collapsedHeight", 14)


@custom_widget
class ctkMenuButton(QtWidgets.QPushButton):
    """A button with a menu at its right end."""

    showMenu = field(bool, "showMenu", True)


@custom_widget
class ctkMessageBox(QtWidgets.QMessageBox):
    """The message box of ``slicer.util``; :mod:`host.dialogs` answers it."""

    dontShowAgainVisible = field(bool, "dontShowAgainVisible", False)
    dontShowAgain = field(bool, "dontShowAgain", False)
    dontShowAgainSettingsKey = field(str, "dontShowAgainSettingsKey", "")


@custom_widget
class ctkExpandButton(QtWidgets.QToolButton):
    """A button that turns its arrows."""

    mirrorOnExpand = field(bool, "mirrorOnExpand", False)
