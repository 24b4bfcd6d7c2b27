"""What a NRRD says about itself, read without a package that Slicer lacks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

_LINE_BYTES = 1 << 20
"""A line longer than this is none of a header."""


def pairs(path: Path) -> dict[str, str]:
    """Key/value pairs in the header of a NRRD, such as ``fov``."""
    parted = (line.partition(":=") for line in _lines(path))
    return {key: value for key, assigned, value in parted if assigned}


def voxels_in(path: Path) -> int:
    """Count the voxels of a NRRD."""
    sizes = (value for key, _, value in (line.partition(": ") for line in _lines(path)) if key == "sizes")
    return math.prod(map(int, next(sizes, "0").split()))


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as stream:
        for line in iter(lambda: stream.readline(_LINE_BYTES), b""):
            text = line.decode("utf-8", "replace").strip()
            if not text:
                break
            yield text
