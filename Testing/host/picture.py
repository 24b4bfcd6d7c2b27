"""Photographs of panels, with a font that can be read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

FONTS = ("DejaVu Sans", "Liberation Sans", "Noto Sans")
"""Fonts of Debian's packages fonts-dejavu-core, fonts-liberation, fonts-noto-core."""


_NOISE = ("This plugin does not support propagateSizeHints()", "This plugin does not support raise()")


def install_look() -> None:
    """Choose the look of all pictures: the same on every machine."""
    QtCore.qInstallMessageHandler(_pass_message)
    QtWidgets.QApplication.setStyle("Fusion")
    palette = QtWidgets.QStyleFactory.create("Fusion").standardPalette()
    QtWidgets.QApplication.setPalette(palette)
    font = next((name for name in FONTS if name in QtGui.QFontDatabase.families()), None)
    if font is not None:
        QtWidgets.QApplication.setFont(QtGui.QFont(font, 9))


def _pass_message(kind: QtCore.QtMsgType, context: Any, text: str) -> None:
    if text not in _NOISE:
        sys.stderr.write(f"{text}\n")


def screenshot(widget: Any, path: Path, width: int) -> Path:
    """Photograph a widget, or the panel of a module, at its natural height."""
    if not any(name in QtGui.QFontDatabase.families() for name in FONTS):
        raise RuntimeError("no readable font was found (Debian: apt install fonts-dejavu-core)")
    panel = widget if isinstance(widget, QtWidgets.QWidget) else widget.parent
    panel.setAttribute(QtCore.Qt.WidgetAttribute.WA_DontShowOnScreen, True)
    panel.show()
    panel.resize(width, _height(panel, width))
    # collapsed sections and word-wrapped labels find their size only when they have been laid out once
    for _ in range(3):
        QtWidgets.QApplication.processEvents()
        panel.resize(width, _height(panel, width))
    QtWidgets.QApplication.processEvents()
    path.parent.mkdir(parents=True, exist_ok=True)
    if not panel.grab().save(str(path), "PNG"):
        raise OSError(f"{path} could not be written")
    return path


def _height(panel: QtWidgets.QWidget, width: int) -> int:
    layout = panel.layout()
    if layout is not None:
        layout.activate()
        if layout.hasHeightForWidth():
            return max(layout.totalHeightForWidth(width), layout.totalMinimumSize().height())
    return panel.sizeHint().height()
