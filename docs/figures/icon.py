"""Picture of the extension for the catalogue of 3D Slicer, and proof sheets of both modules' icons.

    python docs/figures/icon.py [FOLDER]

Writes Resources/ImplantSeg.png, 128 pixels wide, from the icon of the module; into FOLDER, when it is given, both
icons as they look at 16, 32 and 128 pixels on light and dark ground. Needs PySide6.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("ImplantSeg", "ImplantSegQuant")
SIZES = (16, 32, 128)
GROUNDS = ("#f0f0f0", "#2b2b2b")
GAP = 8


def main() -> None:
    """Render the icons."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    application = QGuiApplication([])
    picture = empty(128, 128)
    draw(picture, "ImplantSeg", 0, 0, 128)
    picture.save(str(ROOT / "Resources" / "ImplantSeg.png"))
    if len(sys.argv) > 1:
        for module in MODULES:
            sheet(module).save(str(Path(sys.argv[1]) / f"{module}.png"))
    application.quit()


def empty(width: int, height: int) -> QImage:
    """Give a transparent picture."""
    picture = QImage(width, height, QImage.Format.Format_ARGB32)
    picture.fill(0)
    return picture


def draw(picture: QImage, module: str, left: int, top: int, size: int) -> None:
    """Draw the icon of a module into a square."""
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    icon = ROOT / module / "Resources" / "Icons" / f"{module}.svg"
    QSvgRenderer(str(icon)).render(painter, QRectF(left, top, size, size))
    painter.end()


def sheet(module: str) -> QImage:
    """Draw an icon in all sizes on all grounds."""
    width, height = sum(SIZES) + GAP * (len(SIZES) + 1), max(SIZES) + 2 * GAP
    picture = empty(width, height * len(GROUNDS))
    for row, ground in enumerate(GROUNDS):
        painter = QPainter(picture)
        painter.fillRect(0, row * height, width, height, QColor(ground))
        painter.end()
        left = GAP
        for size in SIZES:
            draw(picture, module, left, row * height + GAP, size)
            left += size + GAP
    return picture


if __name__ == "__main__":
    main()
