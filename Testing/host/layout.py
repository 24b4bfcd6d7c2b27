"""``slicer.app.layoutManager()``: layouts and views with their real nodes and logics; nothing is drawn."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

SLICES = ("Red", "Yellow", "Green")
"""Slice views of the usual layouts."""


class SliceWidget:
    """A slice view and its bar, which are one object here."""

    def __init__(self, logic: Any) -> None:
        self._logic = logic

    def sliceLogic(self) -> Any:
        """Give the ``vtkMRMLSliceLogic``."""
        return self._logic

    def mrmlSliceNode(self) -> Any:
        """Give the slice node."""
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        """Give the node that names the layers."""
        return self._logic.GetSliceCompositeNode()

    def sliceController(self) -> SliceWidget:
        """Give the bar over the view."""
        return self

    sliceView = sliceController

    def fitSliceToBackground(self) -> None:
        """Show all of the background volume."""
        self._logic.FitSliceToBackground()


class ViewWidget:
    """A 3D view, a chart or a table with its bar, which are one object here."""

    def __init__(self, node: Any) -> None:
        self._node = node

    def _node_of_view(self) -> Any:
        """Give the node of the view."""
        return self._node

    mrmlViewNode = mrmlPlotViewNode = mrmlTableViewNode = _node_of_view

    def _self(self) -> ViewWidget:
        """Give the view, or its bar."""
        return self

    threeDView = threeDController = plotView = plotController = tableView = _self

    def resetFocalPoint(self) -> None:
        """Nothing is drawn, so nothing is reset."""

    resetCamera = forceRender = fitToContent = resetFocalPoint


class LayoutManager:
    """Stand-in of ``qSlicerLayoutManager``, over the logic that makes the views of a layout."""

    def __init__(self, scene: Any, application: Any) -> None:
        self._slices = vtk.vtkCollection()
        application.SetSliceLogics(self._slices)
        application.SetViewLogics(vtk.vtkCollection())
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(scene)
        self.reset()
        self._views = {name: self._slice_view(scene, name) for name in SLICES}

    def reset(self) -> None:
        """Show the layout of the start."""
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)

    def _slice_view(self, scene: Any, name: str) -> SliceWidget:
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLScene(scene)
        logic.SetSliceNode(scene.GetSingletonNode(name, "vtkMRMLSliceNode"))
        self._slices.AddItem(logic)
        return SliceWidget(logic)

    def layoutLogic(self) -> Any:
        """Give the ``vtkMRMLLayoutLogic``."""
        return self._logic

    def setLayout(self, layout: int) -> None:
        """Choose a layout by its number."""
        self._logic.GetLayoutNode().SetViewArrangement(layout)

    @property
    def layout(self) -> int:
        """The number of the layout."""
        return self._logic.GetLayoutNode().GetViewArrangement()

    @layout.setter
    def layout(self, layout: int) -> None:
        self.setLayout(layout)

    def _shown(self, class_name: str) -> list[Any]:
        nodes = self._logic.GetViewNodes()
        nodes = [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]
        return [node for node in nodes if node.IsA(class_name)]

    def _view(self, class_name: str, index: int) -> ViewWidget | None:
        nodes = self._shown(class_name)
        return ViewWidget(nodes[index]) if index < len(nodes) else None

    threeDViewCount = property(lambda self: len(self._shown("vtkMRMLViewNode")))
    plotViewCount = property(lambda self: len(self._shown("vtkMRMLPlotViewNode")))
    tableViewCount = property(lambda self: len(self._shown("vtkMRMLTableViewNode")))

    def threeDWidget(self, index: int) -> ViewWidget | None:
        """Give a 3D view of the layout."""
        return self._view("vtkMRMLViewNode", index)

    def plotWidget(self, index: int) -> ViewWidget | None:
        """Give a chart of the layout."""
        return self._view("vtkMRMLPlotViewNode", index)

    def tableWidget(self, index: int) -> ViewWidget | None:
        """Give a table of the layout."""
        return self._view("vtkMRMLTableViewNode", index)

    def sliceViewNames(self) -> tuple[str, ...]:
        """Names of the slice views."""
        return tuple(self._views)

    def sliceWidget(self, name: str) -> SliceWidget | None:
        """Give a slice view."""
        return self._views.get(name)

    def mrmlSliceLogics(self) -> Any:
        """Give the logics of the slice views."""
        return self._slices

    def resetThreeDViews(self) -> None:
        """Nothing is drawn, so nothing is reset."""

    def resetSliceViews(self) -> None:
        """Show all of the volumes."""
        for view in self._views.values():
            view.fitSliceToBackground()
