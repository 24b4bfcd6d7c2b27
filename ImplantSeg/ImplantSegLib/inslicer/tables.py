"""Plain tables of a panel: headers, rows of text and numbers, colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qt

Cell = str | float


def prepare(table: Any, headers: Sequence[str]) -> None:
    """Give a ``QTableWidget`` its columns, as wide as what stands in them."""
    table.setColumnCount(len(headers))
    table.setHorizontalHeaderLabels(list(headers))
    table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
    table.verticalHeader().visible = False


def fill(table: Any, rows: Sequence[Sequence[Cell]]) -> None:
    """Show rows instead of those that were there; numbers stay numbers, so that a column sorts by them."""
    sorts = table.sortingEnabled
    table.sortingEnabled = False  # else a row moves while its cells are filled in
    table.setRowCount(len(rows))
    for index, row in enumerate(rows):
        for column, cell in enumerate(row):
            table.setItem(index, column, _item(cell))
    table.sortingEnabled = sorts


def _item(cell: Cell) -> Any:
    item = qt.QTableWidgetItem()
    item.setData(qt.Qt.DisplayRole, cell)
    if not isinstance(cell, str):
        item.setTextAlignment(qt.Qt.AlignCenter)
    return item


def paint(table: Any, row: int, colour: str, tip: str = "") -> None:
    """Colour the text of a row, and say why."""
    for column in range(table.columnCount):
        item = table.item(row, column)
        item.setForeground(qt.QBrush(qt.QColor(colour)))
        item.setToolTip(tip)


def texts(table: Any, column: int) -> list[str]:
    """Texts of a column, from top to bottom."""
    return [table.item(row, column).text() for row in range(table.rowCount)]


def selected(table: Any) -> list[int]:
    """Rows that are selected, from top to bottom."""
    return sorted({item.row() for item in table.selectedItems()})
