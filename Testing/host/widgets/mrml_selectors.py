"""Widgets that choose nodes of the scene."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtWidgets

from host.uiloader import custom_widget
from host.widgets.base import Observers, field, row


@custom_widget
class qMRMLWidget(QtWidgets.QWidget):
    """A panel that hands the scene to its widgets."""

    mrmlSceneChanged = QtCore.Signal(object)
    SIGNALS = ("mrmlSceneChanged(vtkMRMLScene*)",)
    _scene = None

    def setMRMLScene(self, scene: Any) -> None:
        """Take a scene."""
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self) -> Any:
        """Give the scene."""
        return self._scene


@custom_widget
class qMRMLNodeComboBox(QtWidgets.QWidget):
    """A list of the nodes of some classes."""

    currentNodeChanged = QtCore.Signal((object,), (bool,))
    currentNodeIDChanged = QtCore.Signal(str)
    nodeActivated = QtCore.Signal(object)
    nodeAdded = QtCore.Signal(object)
    nodeAddedByUser = QtCore.Signal(object)
    SIGNALS = (
        "currentNodeChanged(vtkMRMLNode*)",
        "currentNodeChanged(bool)",
        "currentNodeIDChanged(QString)",
        "nodeActivated(vtkMRMLNode*)",
        "nodeAdded(vtkMRMLNode*)",
        "nodeAddedByUser(vtkMRMLNode*)",
    )
    NULLABLE = ("currentNodeID",)  # slicer.util sets what GetNodeReferenceID gives

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._shown = self._requested = ""
        self._wanted: dict[str, tuple[str, str | None]] = {}
        self._observers, self._names = Observers(self), Observers(self)
        self._combo = QtWidgets.QComboBox()
        self._combo.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._combo.setMinimumContentsLength(12)
        self._combo.currentIndexChanged.connect(self._picked)
        row(self, self._combo)
        self.setEnabled(False)  # until there is a scene

    nodeTypes = field("QStringList", "nodeTypes", (), "_refresh")
    hideChildNodeTypes = field("QStringList", "hideChildNodeTypes", (), "_refresh")
    showChildNodeTypes = field(bool, "showChildNodeTypes", True, "_refresh")
    showHidden = field(bool, "showHidden", False, "_refresh")
    noneEnabled = field(bool, "noneEnabled", False, "_refresh")
    noneDisplay = field(str, "noneDisplay", "None", "_refresh")
    addEnabled = field(bool, "addEnabled", True)
    removeEnabled = field(bool, "removeEnabled", True)
    editEnabled = field(bool, "editEnabled", False)
    renameEnabled = field(bool, "renameEnabled", False)
    selectNodeUponCreation = field(bool, "selectNodeUponCreation", True)
    baseName = field(str, "baseName", "")
    interactionNodeSingletonTag = field(str, "interactionNodeSingletonTag", "")
    currentNodeID = QtCore.Property(
        str, lambda self: self._combo.currentData or "", lambda self, node_id: self.setCurrentNodeID(node_id)
    )

    def setMRMLScene(self, scene: Any) -> None:
        """Take a scene, and the node that was asked for before, or else its first one where none is not a choice."""
        if scene is self._scene:
            return
        self._observers.clear()
        self._scene = scene
        self.enabled = scene is not None
        if scene is not None:
            for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndBatchProcessEvent):
                self._observers.add(scene, event, self._scene_changed)
        self._fill()
        wanted = self._combo.findData(self._requested) if self._requested else 0
        self._show(wanted if self._combo.count else -1)
        self._requested = ""

    def mrmlScene(self) -> Any:
        """Give the scene."""
        return self._scene

    def addAttribute(self, node_type: str, name: str, value: Any = None) -> None:
        """List only nodes with that attribute, and that value of it."""
        self._wanted[node_type] = (name, None if value is None else str(value))
        self._refresh()

    def removeAttribute(self, node_type: str, name: str) -> None:
        """List nodes without that attribute too."""
        self._wanted.pop(node_type, None)
        self._refresh()

    def _scene_changed(self) -> None:
        if not self._scene.IsBatchProcessing():
            self._refresh()

    def _lists(self, node: Any) -> bool:
        if (node.GetHideFromEditors() and not self.showHidden) or any(map(node.IsA, self.hideChildNodeTypes)):
            return False
        for node_type in self.nodeTypes:
            if node.GetClassName() == node_type or (self.showChildNodeTypes and node.IsA(node_type)):
                name, value = self._wanted.get(node_type, (None, None))
                has = node.GetAttribute(name) if name else ""
                return name is None or (has is not None and value in (None, has))
        return False

    def _nodes(self) -> list[Any]:
        if self._scene is None:
            return []
        nodes = (self._scene.GetNthNode(index) for index in range(self._scene.GetNumberOfNodes()))
        return [node for node in nodes if self._lists(node)]

    def _fill(self) -> None:
        blocked = self._combo.blockSignals(True)
        self._combo.clear()
        self._names.clear()
        if self.noneEnabled:
            self._combo.addItem(self.noneDisplay, "")
        for node in self._nodes():
            self._combo.addItem(node.GetName() or node.GetID(), node.GetID())
            self._names.add(node, "ModifiedEvent", self._rename)
        self._combo.blockSignals(blocked)

    def _rename(self) -> None:
        for index in range(self._combo.count):
            node = self._scene.GetNodeByID(self._combo.itemData(index) or "")
            if node is not None:
                self._combo.setItemText(index, node.GetName() or node.GetID())

    def _refresh(self) -> None:
        """List the nodes anew; where the chosen one is gone, its neighbour takes its place, as in Slicer."""
        was, was_empty = self._combo.currentIndex, self._combo.count == 0
        self._fill()
        here = self._combo.findData(self._shown)
        if self._shown and here < 0:
            here = min(was, self._combo.count - 1)
        # Qt chooses the first entry of an empty list, but entries such as "Create new" make it not empty
        actions = self.addEnabled or self.removeEnabled or self.editEnabled or self.renameEnabled
        if was_empty and self._combo.count and not actions:
            here = 0
        self._show(here)

    def _show(self, index: int) -> None:
        blocked = self._combo.blockSignals(True)
        self._combo.setCurrentIndex(index)
        self._combo.blockSignals(blocked)
        self._picked()

    def _picked(self, *_: Any) -> None:
        if self.currentNodeID != self._shown:
            self._shown = self.currentNodeID
            self.currentNodeIDChanged.emit(self._shown)
            node = self.currentNode()
            self.currentNodeChanged[object].emit(node)
            self.currentNodeChanged[bool].emit(node is not None)

    def currentNode(self) -> Any:
        """Give the chosen node, None where there is none."""
        return self._scene.GetNodeByID(self.currentNodeID) if self._scene and self.currentNodeID else None

    def setCurrentNode(self, node: Any) -> None:
        """Choose a node."""
        self.setCurrentNodeID(node.GetID() if node is not None else "")

    def setCurrentNodeID(self, node_id: str | None) -> None:
        """Choose a node by its id; one that is not listed is no choice."""
        if self._scene is None:
            self._requested = node_id or ""
        self._combo.setCurrentIndex(self._combo.findData(node_id or ""))

    def setCurrentNodeIndex(self, index: int) -> None:
        """Choose the node at a place of the list."""
        self._combo.setCurrentIndex(index + bool(self.noneEnabled))

    def nodeCount(self) -> int:
        """Count the nodes of the list."""
        return self._combo.count - bool(self.noneEnabled)

    def nodeFromIndex(self, index: int) -> Any:
        """Give the node at a place of the list."""
        return self._scene.GetNodeByID(self._combo.itemData(index + bool(self.noneEnabled)))

    def addNode(self, node_type: str | None = None) -> Any:
        """Make a node, as the entry "Create new" of the list does."""
        node_type = node_type or self.nodeTypes[0]
        if node_type not in self.nodeTypes:
            return None
        name = self._scene.GenerateUniqueName(self.baseName or node_type[len("vtkMRML") : -len("Node")])
        node = self._scene.AddNewNodeByClass(node_type, name)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node
