"""The uncertainty of a segmentation as a volume with a colour map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer

from ImplantSegLib.inslicer import mrml

COLOURS = "ImplantSeg uncertainty"
"""Name of the colour node."""

FULL = 255
"""Value of a voxel about which nothing is known (all classes equally probable); 0 is certain."""

_ANCHORS = (
    (0.001, 0.000, 0.014),
    (0.159, 0.044, 0.329),
    (0.396, 0.083, 0.433),
    (0.623, 0.165, 0.388),
    (0.832, 0.283, 0.259),
    (0.961, 0.490, 0.084),
    (0.981, 0.756, 0.153),
    (0.988, 0.998, 0.645),
)
"""Colours from certain to uncertain, evenly spaced: Inferno of matplotlib (CC0), its brightness rises evenly."""


def load(path: Path, scan_name: str, into: Any = None) -> Any:
    """Load an uncertainty as ``segment --uncertainty`` writes it: entropy of the classes / ln 4, in 1/255.

    Parameters
    ----------
    path : Path
        The file.
    scan_name : str
        Name of the scan, after which a new node is called.
    into : vtkMRMLScalarVolumeNode, optional
        Node whose voxels are replaced.
    """
    node = mrml.load_volume(path, f"{scan_name} uncertainty (0 certain, {FULL} unknown)", into)
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0, FULL)
    display.SetAndObserveColorNodeID(colour_node().GetID())
    return node


def colour_node() -> Any:
    """Give the colour node of the scene, made when there is none."""
    node = slicer.mrmlScene.GetFirstNodeByName(COLOURS)
    if node is not None:
        return node
    node = slicer.vtkMRMLColorTableNode()
    node.SetTypeToUser()
    node.SetName(COLOURS)
    node.SetNumberOfColors(FULL + 1)
    for value, (red, green, blue) in enumerate(colours()):
        node.SetColor(value, f"{value / FULL:.2f}", red, green, blue, 1.0)
    return slicer.mrmlScene.AddNode(node)


def colours() -> np.ndarray[Any, Any]:
    """Colours (256, 3) in [0, 1] of the values 0 to 255."""
    anchors = np.array(_ANCHORS)
    places = np.linspace(0, FULL, len(anchors))
    return np.stack([np.interp(np.arange(FULL + 1), places, channel) for channel in anchors.T], axis=1)
