"""What is no scan: a label volume that was taken for one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Volume

_SLICES = 9
_MOST_LABELS = 8
_LARGEST_LABEL = 255


def refuse_labels(volume: Volume, path: Path, look: bool = True) -> None:
    """Refuse a label volume where a scan is wanted.

    Parameters
    ----------
    volume : Volume
        What was read.
    path : Path
        Where from, for the message.
    look : bool
        Whether a few slices are read: integers of 2 to 8 different values from 0 to 255 are labels, since even a
        poor scan has noise. Otherwise it is labels only where the file says so.

    Raises
    ------
    InputError
        When it holds labels.
    """
    told = volume.metadata.get("content") == "labels"
    values = _values(volume) if look and not told and volume.dtype.kind in "ui" else set()
    if told or (2 <= len(values) <= _MOST_LABELS and min(values) >= 0 and max(values) <= _LARGEST_LABEL):
        found = f" with the values {', '.join(map(str, sorted(values)))}" if values else ""
        raise InputError(
            f"{path} is a label volume{found}, wanted a scan in grey values",
            "pass the scan; if it is one, convert it with --dtype float32 first",
        )


def _values(volume: Volume) -> set[int]:
    """Different values of a few slices; no more than it takes to tell that they are grey values."""
    found: set[int] = set()
    for z in np.unique(np.linspace(0, volume.shape[0] - 1, _SLICES).round().astype(int)):
        found |= set(np.unique(volume.array[int(z) : int(z) + 1]).tolist())
        if len(found) > _MOST_LABELS:
            break
    return found
