"""The samples of a scene: their nodes, by role, in one folder of the subject hierarchy each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import slicer
import vtk

from ImplantSegQuantLib.inslicer import names


def nodes(sample: str | None = None, role: str | None = None) -> Iterator[Any]:
    """Nodes of this module in the scene: of one sample or all, of one role or all."""
    for node in slicer.util.getNodesByClass("vtkMRMLNode"):
        if (
            node.GetAttribute(names.ROLE)
            and sample in (None, node.GetAttribute(names.SAMPLE) or "")
            and role in (None, node.GetAttribute(names.ROLE))
        ):
            yield node


def find(sample: str, role: str) -> Any:
    """Give the node of a sample, or None."""
    return next(nodes(sample, role), None)


def tables() -> list[Any]:
    """Give the result tables of all samples, in the order in which they were measured."""
    return list(nodes(role=names.RESULTS))


def chosen() -> list[Any]:
    """Give the result tables of the samples that go into charts and group tables."""
    return [table for table in tables() if table.GetAttribute(names.CHOSEN) != "no"]


def result(table: Any) -> dict[str, Any]:
    """Give what ``results.json`` holds for a result table; it travels with the scene."""
    text = table.GetNodeReference(names.JSON)
    return dict(json.loads(text.GetText())) if text is not None else {}


def add(class_name: str, name: str, sample: str, role: str) -> Any:
    """Make a node of a sample, in the sample's folder; without a sample (``""``) in none."""
    node = slicer.mrmlScene.AddNewNodeByClass(class_name)
    node.SetName(name)  # also while the node that it replaces is there
    node.SetAttribute(names.ROLE, role)
    node.SetAttribute(names.SAMPLE, sample)
    if sample:
        _put_into_folder(node, sample)
    return node


def folder(sample: str) -> int:
    """Give the item of a sample's folder in the subject hierarchy; it is made where there is none."""
    item = _known_folder(sample)
    if not item:
        tree = _tree()
        item = int(tree.CreateFolderItem(tree.GetSceneItemID(), sample))
        tree.SetItemAttribute(item, names.SAMPLE, sample)
    return item


def _known_folder(sample: str) -> int:
    tree = _tree()
    children = vtk.vtkIdList()
    tree.GetItemChildren(tree.GetSceneItemID(), children, True)
    for number in range(children.GetNumberOfIds()):
        item = children.GetId(number)
        if not tree.GetItemDataNode(item) and tree.GetItemAttribute(item, names.SAMPLE) == sample:
            return int(item)
    return 0


def rename(sample: str, title: str) -> None:
    """Give all nodes of a sample, and its folder, another name."""
    for node in list(nodes(sample)):
        node.SetAttribute(names.SAMPLE, title)
        node.SetName(node.GetName().replace(sample, title))
        _put_into_folder(node, title)
    forget(sample)


def _put_into_folder(node: Any, sample: str) -> None:
    tree = _tree()
    item = tree.GetItemByDataNode(node) or tree.CreateItem(folder(sample), node)
    tree.SetItemParent(item, folder(sample))


def forget(sample: str, *roles: str) -> None:
    """Remove nodes of a sample: those of some roles, or all of them with the folder."""
    for node in list(nodes(sample)):
        if not roles or node.GetAttribute(names.ROLE) in roles:
            remove(node)
    if not roles and _known_folder(sample):
        # what the user has put into the folder stays
        tree = _tree()
        tree.RemoveItem(_known_folder(sample), False, False)


def remove(node: Any) -> None:
    """Take a node out of the scene, with what shows and stores it."""
    parts = [node]
    if node.IsA("vtkMRMLDisplayableNode"):
        parts += [node.GetNthDisplayNode(number) for number in range(node.GetNumberOfDisplayNodes())]
    if node.IsA("vtkMRMLStorableNode"):
        parts += [node.GetNthStorageNode(number) for number in range(node.GetNumberOfStorageNodes())]
    for part in filter(None, parts):
        slicer.mrmlScene.RemoveNode(part)


def _tree() -> Any:
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
