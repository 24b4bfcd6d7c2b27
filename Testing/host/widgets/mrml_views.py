"""Widgets that show segments, tables and plots."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from host.uiloader import custom_widget
from host.widgets.base import Observers, field


class _Table(QtWidgets.QTableWidget):
    """A table that shows a node and follows it."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._observers = Observers(self)
        self.verticalHeader().setVisible(False)
        self.horizontalHeader().setStretchLastSection(True)

    def setMRMLScene(self, scene: Any) -> None:
        """Take a scene; the node alone is needed here."""

    def _take(self, node: Any, followed: Any) -> None:
        self._observers.clear()
        self._node = node
        if followed is not None:
            self._observers.add(followed, "ModifiedEvent", self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        raise NotImplementedError


@custom_widget
class qMRMLSegmentsTableView(_Table):
    """Colours and names of segments."""

    selectionChanged_ = QtCore.Signal()
    SIGNALS = ("selectionChanged(QItemSelection,QItemSelection)",)
    selectionMode = field(int, "selectionMode", 3)
    headerVisible = field(bool, "headerVisible", True)
    visibilityColumnVisible = field(bool, "visibilityColumnVisible", True)
    colorColumnVisible = field(bool, "colorColumnVisible", True)
    opacityColumnVisible = field(bool, "opacityColumnVisible", True)
    statusColumnVisible = field(bool, "statusColumnVisible", False)
    readOnly = field(bool, "readOnly", False)

    def setSegmentationNode(self, node: Any) -> None:
        """Show a segmentation node, or nothing."""
        self._take(node, node.GetSegmentation() if node is not None else None)

    def segmentationNode(self) -> Any:
        """Give the node."""
        return self._node

    def selectedSegmentIDs(self) -> list[str]:
        """Give the ids of the selected segments."""
        rows = sorted({index.row() for index in self.selectedIndexes()})
        return [self._node.GetSegmentation().GetNthSegmentID(row) for row in rows]

    def setSelectedSegmentIDs(self, ids: list[str]) -> None:
        """Select segments."""
        segmentation = self._node.GetSegmentation()
        self.clearSelection()
        for segment_id in ids:
            self.selectRow(segmentation.GetSegmentIndex(segment_id))

    def _refresh(self) -> None:
        segmentation = self._node.GetSegmentation() if self._node is not None else None
        self.setColumnCount(2)
        self.setHorizontalHeaderLabels(["Colour", "Name"])
        self.setRowCount(segmentation.GetNumberOfSegments() if segmentation else 0)
        for row in range(self.rowCount):
            segment = segmentation.GetNthSegment(row)
            swatch = QtWidgets.QTableWidgetItem("")
            swatch.setBackground(QtGui.QColor.fromRgbF(*segment.GetColor()))
            self.setItem(row, 0, swatch)
            self.setItem(row, 1, QtWidgets.QTableWidgetItem(segment.GetName()))


@custom_widget
class qMRMLTableView(_Table):
    """The cells of a table node."""

    SIGNALS = ("selectionChanged()",)

    def setMRMLTableNode(self, node: Any) -> None:
        """Show a table node, or nothing."""
        self._take(node, node)

    def mrmlTableNode(self) -> Any:
        """Give the node."""
        return self._node

    def _refresh(self) -> None:
        node = self._node
        self.setRowCount(node.GetNumberOfRows() if node is not None else 0)
        self.setColumnCount(node.GetNumberOfColumns() if node is not None else 0)
        self.setHorizontalHeaderLabels([node.GetColumnName(column) for column in range(self.columnCount)])
        for row in range(self.rowCount):
            for column in range(self.columnCount):
                self.setItem(row, column, QtWidgets.QTableWidgetItem(node.GetCellText(row, column)))


@custom_widget
class qMRMLPlotView(QtWidgets.QLabel):
    """Keeps which plot view node it would draw."""

    _node: Any = None

    def setMRMLScene(self, scene: Any) -> None:
        """Take a scene; the node alone is needed here."""

    def setMRMLPlotViewNode(self, node: Any) -> None:
        """Show a plot view node, or nothing."""
        self._node = node

    def mrmlPlotViewNode(self) -> Any:
        """Give the node."""
        return self._node
