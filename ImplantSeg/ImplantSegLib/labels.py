"""The four classes of the segmentation: numbers, names, colours."""

from __future__ import annotations

from enum import IntEnum


class Label(IntEnum):
    """Value of a voxel in a segmentation."""

    BACKGROUND = 0
    RESIDUAL_MATERIAL = 1
    DEGRADATION_LAYER = 2
    BONE = 3


IGNORE = 255
"""Value of a voxel that nobody has labelled: skipped by training and ``evaluate``, refused by ``quantify``."""

IMPLANT = (Label.RESIDUAL_MATERIAL, Label.DEGRADATION_LAYER)
"""Labels that together are the implant."""

NAMES: dict[int, str] = {label.value: label.name.lower() for label in Label}
"""Key of each class in every file: ``background``, ``residual_material``, ``degradation_layer``, ``bone``."""

TITLES: dict[int, str] = {label.value: label.name.replace("_", " ").capitalize() for label in Label}
"""Name of each class as people read it."""

COLOURS: dict[int, tuple[float, float, float]] = {
    Label.BACKGROUND: (0.0, 0.0, 0.0),
    Label.RESIDUAL_MATERIAL: (0.267, 0.467, 0.667),
    Label.DEGRADATION_LAYER: (0.933, 0.467, 0.200),
    Label.BONE: (0.867, 0.800, 0.467),
}
"""RGB in [0, 1], told apart by colour-blind readers too (P. Tol's muted and vibrant schemes)."""
