"""The field of view of a segmentation: what its scan's file said, for nodes of the scene do not keep it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ImplantSegLib.errors import InputError
from ImplantSegLib.inslicer import header

KEY = "fov"
"""Attribute of a node and key in the header of a NRRD."""


def known(*nodes: Any) -> str:
    """Give the field of view that the first of the nodes tells, as an attribute or in its file; else ``box``."""
    for node in nodes:
        told = _told(node) if node is not None else None
        if told:
            return told
    return "box"


def check(text: str) -> None:
    """Refuse a text that is no field of view.

    Raises
    ------
    InputError
        When a circle has no radius above 0.
    """
    if text.startswith("circle:") and not float(text.rpartition(",")[2]) > 0:
        raise InputError(f"got the field of view {text}, wanted a radius above 0", "enter the radius in voxels")


def _told(node: Any) -> str | None:
    attribute = node.GetAttribute(KEY)
    if attribute:
        return str(attribute)
    storage = node.GetStorageNode()
    path = Path(storage.GetFileName() or "") if storage is not None else Path()
    return header.pairs(path).get(KEY) if path.name.endswith((".nrrd", ".nhdr")) and path.is_file() else None
