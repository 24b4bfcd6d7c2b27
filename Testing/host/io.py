"""File types: what ``slicer.app.coreIOManager()`` reads and writes, on the storage nodes of MRML.

Every ``slicer.util.load…`` and ``save…`` goes through here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer

FILE_TYPES = {
    "SceneFile": (".mrml", ".mrb"),
    "SegmentationFile": (".seg.nrrd", ".seg.nhdr", ".seg.vtm", ".nii.seg.gz"),
    "MarkupsFile": (".mrk.json", ".fcsv"),
    "ColorTableFile": (".ctbl", ".color.csv"),
    "VolumeFile": (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd", ".tif", ".tiff", ".png", ".jpg", ".vti"),
    "TableFile": (".csv", ".tsv", ".schema.csv"),
    "TransformFile": (".h5", ".tfm", ".mat"),
    "ModelFile": (".vtk", ".vtp", ".stl", ".ply", ".obj"),
    "TextFile": (".txt", ".json", ".xml"),
}
"""File type of Slicer → endings of its files; the first row that fits is taken."""

_NODES = {
    "SegmentationFile": "vtkMRMLSegmentationNode",
    "ColorTableFile": "vtkMRMLColorTableNode",
    "TableFile": "vtkMRMLTableNode",
    "TransformFile": "vtkMRMLLinearTransformNode",
    "ModelFile": "vtkMRMLModelNode",
    "TextFile": "vtkMRMLTextNode",
}


def file_type(path: str) -> str:
    """Give Slicer's name of the type of a file, ``NoFile`` where it has none."""
    name = str(path).lower()
    return next((kind for kind, endings in FILE_TYPES.items() if name.endswith(endings)), "NoFile")


def base_name(path: str) -> str:
    """Name for a node: the file's name without its ending, however many dots that has."""
    name = Path(path).name
    endings = sorted((ending for group in FILE_TYPES.values() for ending in group), key=len, reverse=True)
    ending = next((ending for ending in endings if name.lower().endswith(ending)), "")
    return name[: len(name) - len(ending)] or name


class CoreIOManager:
    """Stand-in of ``qSlicerCoreIOManager``."""

    def fileType(self, path: str) -> str:
        """Give the type of a file."""
        return file_type(path)

    def fileWriterFileType(self, node: Any, path: str = "") -> str:
        """Give the type that a node is written as."""
        found = [kind for kind, name in _NODES.items() if node.IsA(name)]
        return found[0] if found else "NodeFile"

    def loadNodes(self, kind: str, properties: dict[str, Any], nodes: Any = None, messages: Any = None) -> bool:
        """Load a file into the scene."""
        path = str(properties["fileName"])
        if not Path(path).exists():
            return False
        if kind == "SceneFile":
            return _load_scene(path, clear=properties.get("clear", False))
        node = _load_node(kind, path, properties)
        if node is not None and nodes is not None:
            nodes.AddItem(node)
        return node is not None

    def saveNodes(self, kind: str, properties: dict[str, Any], messages: Any = None) -> bool:
        """Write a node or the scene."""
        path = str(properties["fileName"])
        return _save_scene(path) if kind == "SceneFile" else _save_node(path, properties)

    def exportNodes(self, jobs: Any, messages: Any = None) -> bool:
        """Write copies of nodes, which keep the files they came from."""
        jobs = [jobs] if isinstance(jobs, dict) else jobs
        return all(_export_node(job) for job in jobs)

    def loadFile(self, path: str) -> bool:
        """Load a file by its ending."""
        return self.loadNodes(file_type(path), {"fileName": path})

    def loadScene(self, path: str, clear: bool = True) -> bool:
        """Load a scene."""
        return _load_scene(str(path), clear=clear)

    def saveScene(self, path: str, image: Any = None) -> bool:
        """Write the scene."""
        return _save_scene(str(path))


def _load_scene(path: str, *, clear: bool) -> bool:
    scene = slicer.mrmlScene
    if path.lower().endswith(".mrb"):
        return bool(scene.ReadFromMRB(path, clear))
    scene.SetURL(path)
    return bool(scene.Connect() if clear else scene.Import())


def _save_scene(path: str) -> bool:
    scene = slicer.mrmlScene
    if path.lower().endswith(".mrb"):
        return bool(scene.WriteToMRB(path))
    folder = Path(path).resolve().parent
    scene.SetURL(path)
    scene.SetRootDirectory(str(folder))
    # a scene file names the files of its nodes; nodes without one get theirs beside it
    for node in slicer.util.getNodesByClass("vtkMRMLStorableNode"):
        if node.GetSaveWithScene() and node.GetModifiedSinceRead() and not _save_beside(node, folder):
            return False
    return bool(scene.Commit(path))


def _save_beside(node: Any, folder: Path) -> bool:
    node.AddDefaultStorageNode()
    storage = node.GetStorageNode()
    if storage is None:
        return True
    storage.SetFileName(str(folder / f"{node.GetName()}.{storage.GetDefaultWriteFileExtension()}"))
    return bool(storage.WriteData(node))


def _load_node(kind: str, path: str, properties: dict[str, Any]) -> Any:
    name = properties.get("name") or base_name(path)
    if kind == "VolumeFile":
        options = (1 if properties.get("labelmap") else 0) + (4 if properties.get("singleFile") else 0)
        return slicer.modules.volumes.logic().AddArchetypeVolume(path, name, options)
    if kind == "MarkupsFile":
        return slicer.mrmlScene.GetNodeByID(slicer.modules.markups.logic().LoadMarkups(path, name) or "")
    if kind not in _NODES:
        raise LookupError(f"the host reads no {kind}; it reads {', '.join(FILE_TYPES)}")
    return _read(_NODES[kind], name, path)


def _read(class_name: str, name: str, path: str) -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass(class_name, slicer.mrmlScene.GenerateUniqueName(name))
    storage = _storage(node, path)
    if not storage.ReadData(node):
        slicer.mrmlScene.RemoveNode(storage)
        slicer.mrmlScene.RemoveNode(node)
        return None
    if hasattr(node, "CreateDefaultDisplayNodes"):
        node.CreateDefaultDisplayNodes()
    return node


def _save_node(path: str, properties: dict[str, Any]) -> bool:
    node = slicer.mrmlScene.GetNodeByID(properties["nodeID"])
    storage = _storage(node, path)
    if "useCompression" in properties:
        storage.SetUseCompression(bool(properties["useCompression"]))
    return bool(storage.WriteData(node))


def _storage(node: Any, path: str) -> Any:
    """Give the node's storage node for a file."""
    if node.IsA("vtkMRMLTextNode"):
        # a short text stands in the scene file unless it is told otherwise
        node.SetForceCreateStorageNode(node.CreateStorageNodeAlways)
    if node.GetStorageNode() is None:
        node.AddDefaultStorageNode(path)
    node.GetStorageNode().SetFileName(path)
    return node.GetStorageNode()


def _export_node(job: dict[str, Any]) -> bool:
    node = slicer.mrmlScene.GetNodeByID(job["nodeID"])
    storage = node.CreateDefaultStorageNode()
    storage.UnRegister(None)
    storage.SetFileName(str(job["fileName"]))
    if "useCompression" in job:
        storage.SetUseCompression(bool(job["useCompression"]))
    return bool(storage.WriteData(node))
