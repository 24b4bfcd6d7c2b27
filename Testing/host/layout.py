"""``slicer.app.layoutManager()``: slice views with their real nodes and logics; layouts are kept, nothing is drawn."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

SLICES = {"Red": ("R", "Axial"), "Yellow": ("Y", "Sagittal"), "Green": ("G", "Coronal")}
"""Slice views of the usual layout: label and orientation."""


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


class ThreeDWidget:
    """A 3D view and its bar, which are one object here."""

    def threeDView(self) -> ThreeDWidget:
        """Give the view."""
        return self

    threeDController = threeDView

    def mrmlViewNode(self) -> Any:
        """Give the view node."""
        return slicer.mrmlScene.GetSingletonNode("1", "vtkMRMLViewNode")

    def resetFocalPoint(self) -> None:
        """Nothing is drawn, so nothing is reset."""

    resetCamera = forceRender = resetFocalPoint


class LayoutManager:
    """Stand-in of ``qSlicerLayoutManager``."""

    threeDViewCount = 1
    plotViewCount = tableViewCount = 0

    def __init__(self, scene: Any, application: Any) -> None:
        self._scene, self._logics = scene, vtk.vtkCollection()
        application.SetSliceLogics(self._logics)
        application.SetViewLogics(vtk.vtkCollection())
        self._views = {name: self._add_slice_view(name, *how) for name, how in SLICES.items()}
        self._three_d = self._add_3d_view()
        self.layout = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView

    def _add_slice_view(self, name: str, label: str, orientation: str) -> SliceWidget:
        node, composite = (
            self._add_node(class_name, name) for class_name in ("vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode")
        )
        node.SetLayoutLabel(label)
        node.SetOrientation(orientation)
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLScene(self._scene)
        logic.SetSliceNode(node)
        logic.SetSliceCompositeNode(composite)
        self._logics.AddItem(logic)
        return SliceWidget(logic)

    def _add_3d_view(self) -> ThreeDWidget:
        self._add_node("vtkMRMLViewNode", "1")
        return ThreeDWidget()

    def _add_node(self, class_name: str, name: str) -> Any:
        node = self._scene.CreateNodeByClass(class_name)
        node.UnRegister(None)
        node.SetSingletonTag(name)
        node.SetLayoutName(name)
        return self._scene.AddNode(node)

    def setLayout(self, layout: int) -> None:
        """Choose a layout by its number."""
        self.layout = int(layout)

    def sliceViewNames(self) -> tuple[str, ...]:
        """Names of the slice views."""
        return tuple(self._views)

    def sliceWidget(self, name: str) -> SliceWidget | None:
        """Give a slice view."""
        return self._views.get(name)

    def threeDWidget(self, index: int) -> ThreeDWidget | None:
        """Give a 3D view."""
        return self._three_d if index == 0 else None

    def mrmlSliceLogics(self) -> Any:
        """Give the logics of the slice views."""
        return self._logics

    def resetThreeDViews(self) -> None:
        """Nothing is drawn, so nothing is reset."""

    def resetSliceViews(self) -> None:
        """Show all of the volumes."""
        for view in self._views.values():
            view.fitSliceToBackground()
