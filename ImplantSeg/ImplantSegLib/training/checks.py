"""What makes scans and labels unfit for training."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegLib.labels import IGNORE, NAMES
from ImplantSegLib.volumes import Volume

logger = logging.getLogger(__name__)
_SLAB = 32
_SLAB_VOXELS = 2**23
_GRID_TOLERANCE = 1e-3  # of a voxel; NIfTI keeps places as float32


def slab_slices(shape: tuple[int, int, int]) -> int:
    """Slices of which masks and indices fit into memory, whatever the size of a slice."""
    return max(1, min(_SLAB, _SLAB_VOXELS // (shape[1] * shape[2])))


def grid_problems(image: Volume, labels: Volume) -> Iterator[str]:
    """Tell what is wrong with a scan and labels that should lie voxel on voxel."""
    if image.shape != labels.shape:
        yield f"its labels have shape {labels.shape}, the scan has {image.shape}"
    elif not image.same_grid(labels, _GRID_TOLERANCE):
        turned = "" if np.allclose(image.direction, labels.direction) else " and are turned"
        yield f"its labels lie elsewhere{turned}: {labels.describe_grid()}, the scan: {image.describe_grid()}"
    if image.dtype.kind not in "uif":
        yield f"its scan holds values of type {image.dtype}, wanted numbers"


def check_labels(labels: Volume, source: str) -> None:
    """Refuse labels outside the table, and those that tell nothing.

    Raises
    ------
    InputError
        Naming the first wrong label.
    """
    labelled = False
    for _, slab in labels.slabs(slab_slices(labels.shape)):
        unknown = slab[~np.isin(slab, (*NAMES, IGNORE))]
        if unknown.size:
            raise InputError(
                f"{source} has the label {unknown[0]}, wanted {', '.join(map(str, NAMES))} or {IGNORE}",
                "renumber its segments",
            )
        labelled = labelled or bool((slab != IGNORE).any())
    if not labelled:
        raise InputError(f"{source} has the label {IGNORE} everywhere: nothing is known", "label some slices")


def check_classes(found: Mapping[str, set[int]]) -> None:
    """Refuse training scans without any voxel of a class; warn of a scan that lacks one.

    Parameters
    ----------
    found : mapping of str to set of int
        Classes inside the field of view, by the names of the scans.

    Raises
    ------
    InputError
        Naming the classes that no scan holds.
    """
    missing = set(NAMES) - set().union(*found.values())
    if missing:
        raise InputError(
            f"no training scan holds {_names(missing)}: it could not be learnt",
            "add a scan that does, or choose other scans for validation",
        )
    for name, classes in found.items():
        if lacking := set(NAMES) - classes:
            logger.warning("the training scan %s holds no %s", name, _names(lacking))


def _names(classes: set[int]) -> str:
    return " and no ".join(NAMES[value] for value in sorted(classes))
