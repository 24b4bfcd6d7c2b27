"""Windows that would wait for a user: what they showed is kept, what they return is chosen beforehand."""

from __future__ import annotations

from typing import Any

from PySide6 import QtGui, QtWidgets

from host.record import answer, show

Buttons = QtWidgets.QMessageBox.StandardButton

_KINDS = {
    QtWidgets.QMessageBox.Icon.NoIcon: "message",
    QtWidgets.QMessageBox.Icon.Information: "info",
    QtWidgets.QMessageBox.Icon.Warning: "warning",
    QtWidgets.QMessageBox.Icon.Critical: "error",
    QtWidgets.QMessageBox.Icon.Question: "question",
}
_ACCEPT = (Buttons.Ok, Buttons.Yes, Buttons.Retry, Buttons.Save, Buttons.Open, Buttons.Apply)
_REJECT = (Buttons.Cancel, Buttons.No, Buttons.Close, Buttons.Abort, Buttons.Discard)


def run_message_box(box: QtWidgets.QMessageBox) -> Buttons:
    """Stand for ``exec``: keep the message, and press the button that was chosen."""
    show(_KINDS[box.icon], box.text, box.detailedText or box.informativeText)
    buttons = [Buttons(button) for button in (*_ACCEPT, *_REJECT) if button & box.standardButtons]
    if len(buttons) < 2:
        return buttons[0] if buttons else Buttons.Ok
    wanted = _ACCEPT if answer("confirm", box.text) else _REJECT
    return next(button for button in buttons if button in wanted)


def run_dialog(dialog: QtWidgets.QDialog) -> int:
    """Stand for ``exec`` of any other dialog: 1 is accepted."""
    show("message", dialog.windowTitle)
    return int(answer("exec", dialog.windowTitle))


def install() -> None:
    """Let no dialog wait."""
    for name in ("exec", "exec_"):
        setattr(QtWidgets.QDialog, name, run_dialog)
        setattr(QtWidgets.QMessageBox, name, run_message_box)
    QtWidgets.QMenu.exec_ = QtWidgets.QMenu.exec


def _static_box(icon: QtWidgets.QMessageBox.Icon, usual: Buttons) -> Any:
    def ask(parent: Any, title: str, text: str, buttons: Buttons = usual, default: Any = None) -> Buttons:
        box = QtWidgets.QMessageBox(icon, title, text, buttons)
        return run_message_box(box)

    return staticmethod(ask)


class MessageBox(QtWidgets.QMessageBox):
    """``qt.QMessageBox``, whose static functions do not wait either."""

    information = _static_box(QtWidgets.QMessageBox.Icon.Information, Buttons.Ok)
    warning = _static_box(QtWidgets.QMessageBox.Icon.Warning, Buttons.Ok)
    critical = _static_box(QtWidgets.QMessageBox.Icon.Critical, Buttons.Ok)
    question = _static_box(QtWidgets.QMessageBox.Icon.Question, Buttons.Yes | Buttons.No)


def _static_answer(name: str) -> Any:
    return staticmethod(lambda parent=None, title=name, *rest: answer(name, title))


class FileDialog(QtWidgets.QFileDialog):
    """``qt.QFileDialog``; its static functions return the path alone, as a string, empty when cancelled."""

    getOpenFileName = _static_answer("getOpenFileName")
    getOpenFileNames = _static_answer("getOpenFileNames")
    getSaveFileName = _static_answer("getSaveFileName")
    getExistingDirectory = _static_answer("getExistingDirectory")


class InputDialog(QtWidgets.QInputDialog):
    """``qt.QInputDialog``; its static functions return the value alone, empty when cancelled."""

    getText = _static_answer("getText")
    getItem = _static_answer("getItem")
    getInt = _static_answer("getInt")
    getDouble = _static_answer("getDouble")


class DesktopServices(QtGui.QDesktopServices):
    """``qt.QDesktopServices``; it opens neither a browser nor a folder, but keeps the address."""

    @staticmethod
    def openUrl(url: Any) -> bool:
        """Keep the address."""
        show("url", url.toString())
        return True
