"""Where a grid lies in the world: axis vectors as files write them, spacing and direction as we keep them."""

from __future__ import annotations

import json
from typing import Any, cast

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes.volume import Matrix, Triple, Volume

MM_PER_UNIT = {
    "nm": 1e-6, "nanometer": 1e-6,
    "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "micron": 1e-3, "microns": 1e-3, "micrometer": 1e-3, "\\u00B5m": 1e-3,
    "mm": 1.0, "millimeter": 1.0, "": 1.0,
    "cm": 10.0, "centimeter": 10.0,
    "inch": 25.4,
    "m": 1e3, "meter": 1e3,
}  # fmt: skip
"""Length units as NRRD, ImageJ, OME and NGFF spell them."""

FLIPS = {
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip
"""Signs that take world coordinates of a named space to LPS."""


def axis_vectors(volume: Volume) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Step in the world, in mm, from one voxel to the next along the index axes x, y, z: one row each."""
    return (np.asarray(volume.direction) * volume.spacing_mm[::-1]).T


def place(vectors: Any, origin: Any) -> dict[str, Any]:
    """Spacing, origin and direction, as :class:`Volume` takes them, from axis vectors.

    Parameters
    ----------
    vectors : array_like of float, shape (3, 3)
        One row for each index axis x, y, z: the step in the world (x, y, z), LPS, in mm.
    origin : array_like of float, shape (3,)
        World position of the first voxel, LPS, in mm.
    """
    rows = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1)
    return {
        "spacing_mm": triple(lengths[::-1]),
        "origin_mm": triple(origin),
        "direction": matrix((rows / lengths[:, None]).T),
    }


def triple(values: Any) -> Triple:
    """Three plain floats."""
    a, b, c = (float(value) for value in values)
    return a, b, c


def matrix(rows: Any) -> Matrix:
    """Three rows of three plain floats."""
    return cast("Matrix", tuple(triple(row) for row in rows))


def to_json(volume: Volume) -> str:
    """Everything but the voxels as one line of JSON, with every digit of the floats."""
    return json.dumps(
        {
            "spacing_mm": volume.spacing_mm,
            "origin_mm": volume.origin_mm,
            "direction": volume.direction,
            "metadata": dict(volume.metadata),
        }
    )


def from_json(text: str, source: str) -> dict[str, Any]:
    """Give the arguments of :class:`Volume` that :func:`to_json` wrote.

    Raises
    ------
    InputError
        When the text is no such JSON.
    """
    try:
        values = json.loads(text)
        return {
            "spacing_mm": triple(values["spacing_mm"]),
            "origin_mm": triple(values["origin_mm"]),
            "direction": matrix(values["direction"]),
            "metadata": {str(key): str(value) for key, value in values["metadata"].items()},
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"the side-car of {source} cannot be read: {error!r}", "delete it and pass --spacing-um"
        ) from error
