"""What the host needs of the machine, asked without crashing it: Qt ends the whole process where a library lacks."""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path

DEBIAN_PACKAGES = "libgl1 libegl1 libglib2.0-0 libxkbcommon0 libfontconfig1 libdbus-1-3"
"""What PySide6 links to on Debian, also where nothing is drawn on a screen."""


def missing() -> str | None:
    """Say what is missing and how to get it, None where nothing is."""
    for distribution, package in (("slicer-core", "slicer_core"), ("PySide6-Essentials", "PySide6")):
        if importlib.util.find_spec(package) is None:
            return f"{distribution} is not installed (pip install '.[slicer-test]')"
    try:
        from PySide6 import QtWidgets

        for plugin in Path(QtWidgets.__file__).parent.glob("Qt/plugins/platforms/libqoffscreen.so"):
            ctypes.CDLL(str(plugin))
    except (ImportError, OSError) as error:
        return f"a system library of Qt is missing: {error} (Debian: apt install {DEBIAN_PACKAGES})"
    return None
