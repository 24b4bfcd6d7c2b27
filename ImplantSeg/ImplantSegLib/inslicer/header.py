"""What a NRRD says about itself, read without a package that Slicer lacks."""

from __future__ import annotations

from pathlib import Path

_LINE_BYTES = 1 << 20
"""A line longer than this is none of a header."""


def pairs(path: Path) -> dict[str, str]:
    """Key/value pairs in the header of a NRRD, such as ``fov``."""
    found = {}
    with path.open("rb") as stream:
        for line in iter(lambda: stream.readline(_LINE_BYTES), b""):
            text = line.decode("utf-8", "replace").strip()
            if not text:
                break
            key, assigned, value = text.partition(":=")
            if assigned:
                found[key] = value
    return found
