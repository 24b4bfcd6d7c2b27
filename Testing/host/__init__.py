"""A stand-in for the desktop application 3D Slicer: it loads scripted modules, clicks and photographs them.

Underneath is the real thing where a wheel offers it: ``slicer-core`` brings MRML, the logics of Slicer's
modules, storage and the original ``slicer.util``. Ours is what only the desktop has: the application object,
file types (:mod:`host.io`), the ``qt`` module with the manners of PythonQt over PySide6 (:mod:`host.pythonqt`),
the widgets of ctk and MRML that the forms name, ``ScriptedLoadableModule``, ``parameterNodeWrapper``,
``packaging`` and ``SampleData``.

What it proves: a module loads without an error; its form names only widgets, properties, signals and slots
that exist; every handler runs; parameters survive the saving and closing of a scene; files, nodes and child
processes are right.

What only the application can prove: how slice views and 3D views look, what true ctk widgets do beyond the
properties and signals listed here, segment editor effects, DICOM, drag and drop, translations, the differences
of Qt 5 and Qt 6, pip in Slicer's own Python, and that Slicer finds the module.

>>> import host
>>> host.start()
>>> widget = host.load("ImplantSeg/ImplantSeg.py")
>>> widget.ui.applyButton.click()
>>> host.wait(lambda: not widget.runner.running, timeout_s=60)
>>> host.errors
[]
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host.record import Message, answers, displayed, errors

__all__ = [
    "Message",
    "answers",
    "displayed",
    "errors",
    "load",
    "missing",
    "process",
    "reset",
    "screenshot",
    "select",
    "start",
    "unload",
    "wait",
]


def missing() -> str | None:
    """Say what this machine lacks to run the host, None where nothing is missing."""
    from host import requirements

    return requirements.missing()


def start() -> Any:
    """Start scene, application and ``qt`` once per process.

    Returns
    -------
    slicer.vtkMRMLScene
        The scene, also ``slicer.mrmlScene``.
    """
    from host import startup

    return startup.start()


def load(path: str | Path) -> Any:
    """Load a scripted module as Slicer does, build its panel and enter it.

    Parameters
    ----------
    path : str or Path
        The module's file, ``ImplantSeg/ImplantSeg.py``.

    Returns
    -------
    ScriptedLoadableModuleWidget
        The module's widget; the panel that can be photographed is its ``parent``.
    """
    start()
    from host import modules

    return modules.load(Path(path))


def select(name: str) -> None:
    """Show a loaded module and leave the other one, as the list of modules does; :func:`load` does it too."""
    from host import modules

    modules.select(name)


def unload() -> None:
    """Take all loaded scripted modules away again: exit, clean up, delete."""
    from host import modules

    modules.unload()


def reset() -> None:
    """Bring the host back to its state after :func:`start`: no modules, empty scene, no settings, no messages."""
    from host import startup

    startup.reset()


def process(ms: float = 0) -> None:
    """Run the event loop of Qt for some milliseconds, at least once through."""
    import qt

    end = time.monotonic() + ms / 1000
    qt.QApplication.processEvents()
    while time.monotonic() < end:
        time.sleep(0.005)
        qt.QApplication.processEvents()


def wait(condition: Callable[[], Any], timeout_s: float = 30.0) -> None:
    """Run the event loop of Qt until the condition holds.

    Raises
    ------
    TimeoutError
        When it does not in that time.
    """
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"still waiting after {timeout_s:g} s; shown so far: {[str(m) for m in displayed]}")
        process(10)


def screenshot(widget: Any, path: str | Path, width: int = 480) -> Path:
    """Photograph a panel at its natural height.

    Parameters
    ----------
    widget : ScriptedLoadableModuleWidget or QWidget
        What is photographed; of a module its whole panel.
    path : str or Path
        The picture, PNG.
    width : int
        Width in pixels.
    """
    from host import picture

    return picture.screenshot(widget, Path(path), width)
