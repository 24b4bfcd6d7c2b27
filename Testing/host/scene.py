"""The MRML scene with the logics of Slicer's modules, slice nodes and subject hierarchy, as the desktop has them."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import slicer
import slicer_core
import vtk

SHARE = Path(__file__).parent / "share"
"""Small terminologies and a colour table of our own, where Slicer has its large ones."""

LOGICS = {
    "colors": ("vtkSlicerColorLogic", "Colors"),
    "terminologies": ("vtkSlicerTerminologiesModuleLogic", "Terminologies"),
    "units": ("vtkSlicerUnitsLogic", "Units"),
    "subjecthierarchy": ("vtkSlicerSubjectHierarchyModuleLogic", "SubjectHierarchy"),
    "volumes": ("vtkSlicerVolumesLogic", "Volumes"),
    "segmentations": ("vtkSlicerSegmentationsModuleLogic", "Segmentations"),
    "models": ("vtkSlicerModelsLogic", "Models"),
    "markups": ("vtkSlicerMarkupsLogic", "Markups"),
    "tables": ("vtkSlicerTablesLogic", "Tables"),
    "plots": ("vtkSlicerPlotsLogic", "Plots"),
    "transforms": ("vtkSlicerTransformLogic", "Transforms"),
    "texts": ("vtkSlicerTextsLogic", "Texts"),
    "sequences": ("vtkSlicerSequencesLogic", "Sequences"),
    "cropvolume": ("vtkSlicerCropVolumeLogic", "CropVolume"),
    "volumerendering": ("vtkSlicerVolumeRenderingLogic", "VolumeRendering"),
    "cameras": ("vtkSlicerCamerasModuleLogic", "Cameras"),
}
"""Name in ``slicer.modules`` → class of the logic, and the name under which the application logic knows it."""


class Module:
    """An entry of ``slicer.modules``."""

    def __init__(self, name: str, logic: Any = None, path: str = "") -> None:
        self.name, self.title, self.path = name, name, path
        self._logic, self.panel = logic, None

    def logic(self) -> Any:
        """Give the module's logic in C++."""
        return self._logic

    def widgetRepresentation(self) -> Any:
        """Give the module's panel."""
        return self.panel


def make_scene(cache_folder: str) -> tuple[Any, Any]:
    """Make scene and application logic, and fill ``slicer.modules``."""
    scene, application = slicer.vtkMRMLScene(), slicer.vtkSlicerApplicationLogic()
    slicer.mrmlScene = scene
    slicer.modules = types.SimpleNamespace()
    application.SetHomeDirectory(str(SHARE.parent))
    application.SetShareDirectory(SHARE.name)
    application.SetMRMLScene(scene)
    application.GetColorLogic().SetMRMLScene(scene)
    application.GetColorLogic().AddDefaultColorNodes()
    for name, (class_name, known_as) in LOGICS.items():
        _add_logic(scene, application, name, class_name, known_as)
    _add_cache(scene, cache_folder)
    _alias_libraries()
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    scene.AddObserver(scene.NodeAddedEvent, _node_added)
    scene.AddObserver(scene.NodeAboutToBeRemovedEvent, _node_removed)
    return scene, application


def _add_logic(scene: Any, application: Any, name: str, class_name: str, known_as: str) -> None:
    logic = getattr(slicer, class_name)()
    if name == "terminologies":
        logic.SetModuleShareDirectory(str(SHARE))
    logic.SetMRMLApplicationLogic(application)
    logic.SetMRMLScene(scene)
    application.SetModuleLogic(known_as, logic)
    setattr(slicer.modules, name, Module(name, logic))


def _add_cache(scene: Any, folder: str) -> None:
    """Give the scene what unpacks ``.mrb`` files."""
    cache, data_io = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
    (Path(folder) / ".slicer-cache").touch()
    cache.SetRemoteCacheDirectory(folder)
    cache.SetMRMLScene(scene)
    data_io.SetCacheManager(cache)
    scene.SetCacheManager(cache)
    scene.SetDataIOManager(data_io)


def _alias_libraries() -> None:
    """Name the wrapped libraries as Slicer installs them."""
    for name in ("vtkSegmentationCore", "vtkITK", "vtkTeem"):
        for alias in (name, f"{name}Python"):
            sys.modules.setdefault(alias, getattr(slicer_core, name, sys.modules[f"slicer_core.{name}"]))
    addon = types.ModuleType("vtkAddon")
    addon.__dict__.update({name: getattr(slicer, name) for name in dir(slicer) if name.startswith("vtkAddon")})
    sys.modules.setdefault("vtkAddon", addon)


_OWN_ITEMS = ("vtkMRMLDisplayableNode", "vtkMRMLTableNode", "vtkMRMLPlotChartNode", "vtkMRMLTextNode")


@vtk.calldata_type(vtk.VTK_OBJECT)
def _node_added(scene: Any, event: int, node: Any) -> None:
    """Give a node its item in the subject hierarchy, as the desktop's plugins do."""
    if scene.IsImporting() or node.GetHideFromEditors() or not any(map(node.IsA, _OWN_ITEMS)):
        return
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    if not tree.GetItemByDataNode(node):
        tree.CreateItem(tree.GetSceneItemID(), node)


@vtk.calldata_type(vtk.VTK_OBJECT)
def _node_removed(scene: Any, event: int, node: Any) -> None:
    if scene.IsClosing():
        return
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = tree.GetItemByDataNode(node) if tree and node is not tree else 0
    if item:
        tree.RemoveItem(item, False, False)
