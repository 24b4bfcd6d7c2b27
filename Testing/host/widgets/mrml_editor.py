"""The widget of the Segment Editor, which keeps what it would edit, and an entry in ``slicer.modules`` for it."""

from __future__ import annotations

import types
from typing import Any

import slicer
from PySide6 import QtWidgets

from host.scene import Module
from host.uiloader import custom_widget


@custom_widget
class qMRMLSegmentEditorWidget(QtWidgets.QWidget):
    """Segmentation, source volume and current segment; no effects."""

    _parameters: Any = None
    _segmentation: Any = None
    _source: Any = None
    _segment = ""

    def setMRMLScene(self, scene: Any) -> None:
        """Take a scene; the nodes alone are needed here."""

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        """Take the node with the editor's parameters."""
        self._parameters = node

    def mrmlSegmentEditorNode(self) -> Any:
        """Give the node with the editor's parameters."""
        return self._parameters

    def setSegmentationNode(self, node: Any) -> None:
        """Choose the segmentation."""
        self._segmentation = node

    def segmentationNode(self) -> Any:
        """Give the segmentation."""
        return self._segmentation

    def setSourceVolumeNode(self, node: Any) -> None:
        """Choose the volume that is shown beneath."""
        self._source = node

    def sourceVolumeNode(self) -> Any:
        """Give the volume."""
        return self._source

    def setCurrentSegmentID(self, segment: str) -> None:
        """Choose the segment."""
        self._segment = segment

    def currentSegmentID(self) -> str:
        """Give the segment."""
        return self._segment


def install() -> None:
    """Make ``slicer.modules.segmenteditor.widgetRepresentation().self().editor`` anew."""
    scripted = types.SimpleNamespace(editor=qMRMLSegmentEditorWidget())
    slicer.modules.segmenteditor = Module("SegmentEditor")
    slicer.modules.segmenteditor.panel = types.SimpleNamespace(self=lambda: scripted)
