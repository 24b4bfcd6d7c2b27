"""``.seg.nrrd``: label volumes with the names, colours and terminology of their segments, for 3D Slicer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegLib.files import atomic_path
from ImplantSegLib.labels import IGNORE, NAMES
from ImplantSegLib.volumes import nrrd, segments
from ImplantSegLib.volumes.segments import IGNORED, STANDARD, Segment
from ImplantSegLib.volumes.streams import Put, voxel_writer
from ImplantSegLib.volumes.volume import Volume, Voxels
from ImplantSegLib.volumes.voxels import Array, Slices, how

SEGMENTS = "segments"
"""Metadata key of the segment table (JSON) of a segmentation; absent where it is the project's own table."""

CONTENT = "content"
"""Metadata key that says ``labels`` of a volume whose voxels are labels."""


def read(path: Path) -> Volume:
    """Open a segmentation of one layer; the segments get the project's numbers by their names.

    Raises
    ------
    InputError
        When segments overlap (several layers), or names and numbers contradict each other.
    """
    header = nrrd.read_header(path)
    if int(header.fields["dimension"]) > 3 and int(header.fields["sizes"][0]) > 1:
        raise InputError(
            f"{path} has segments that overlap, in {header.fields['sizes'][0]} layers; wanted one layer",
            "in Slicer's Segment Editor forbid overlap (Masking: Overwrite all) and save again, or export a labelmap",
        )
    volume = nrrd.read(path)
    found = segments.from_pairs(header.pairs)
    changes = segments.renumbering(found)
    array: Voxels = volume.array
    if changes:
        array = Slices(volume.shape, volume.dtype, partial(_renumbered, array, changes), f"{how(array)}, renumbered")
    metadata = {key: value for key, value in volume.metadata.items() if not segments.is_segment_key(key)}
    if not segments.all_standard(segments.renumbered(found, changes)):
        metadata[SEGMENTS] = segments.to_json(segments.renumbered(found, changes))
    return Volume(array, volume.spacing_mm, volume.origin_mm, volume.direction, {**metadata, CONTENT: "labels"})


def _renumbered(array: Any, changes: Mapping[int, int], z: slice) -> Array:
    block = np.asarray(array[z])
    result = block.copy()
    for old, new in changes.items():
        result[block == old] = new
    return result


def table(metadata: Mapping[str, str]) -> tuple[Segment, ...]:
    """Segments of a label volume: those of its metadata, or the project's own."""
    return tuple(segments.from_json(metadata[SEGMENTS])) if SEGMENTS in metadata else STANDARD


@contextmanager
def writer(path: Path, target: Volume, compress: bool | None) -> Iterator[Put]:
    """Write a segmentation, gzip of level 1 unless told otherwise.

    Raises
    ------
    InputError
        When the voxels are no integers, or have values for which there is no segment.
    """
    if target.dtype.kind not in "ui":
        raise InputError(
            f"got voxels of type {target.dtype} for {path.name}, wanted labels (integers)",
            "write an image as .nrrd, or pass --dtype uint8",
        )
    compress = compress is not False
    own = table(target.metadata)
    widest = own if any(segment.value == IGNORE for segment in own) else (*own, IGNORED)
    known = sorted({0, *(segment.value for segment in widest)})
    top = max(NAMES) if known[: len(NAMES)] == list(NAMES) else 0
    ignored = False

    def checked(block: Array) -> None:
        nonlocal ignored
        if block.size and (block.min() < 0 or block.max() > top):  # a glance, before the look at every voxel
            _check_values(block, known, path)
            ignored = ignored or bool((block == IGNORE).any())
        put(block)

    header = _header(target, widest, compress)
    with atomic_path(path) as temporary:
        with voxel_writer(temporary, target.dtype, compress, header) as put:
            yield checked
        if not ignored:
            _replace_start(temporary, _header(target, own, compress), len(header))


def _header(target: Volume, table: Sequence[Segment], compress: bool) -> bytes:
    others = {key: value for key, value in target.metadata.items() if key not in (SEGMENTS, CONTENT)}
    return nrrd.format_header(target, others | segments.to_pairs(table, target.shape), compress)


def _check_values(block: Array, known: Sequence[int], path: Path) -> None:
    unknown = block[~np.isin(block, known)]
    if unknown.size:
        raise InputError(
            f"got label value {unknown[0]} for {path.name}, wanted {', '.join(map(str, known))}",
            "correct the labels, or write them as .nrrd",
        )


def _replace_start(path: Path, header: bytes, length: int) -> None:
    """Put a shorter header in the place of a longer one, filled up with a comment.

    Whether a segment is needed for voxels without a label is known only after the last block.
    """
    gap = length - len(header)
    comment = b"#" * (gap - 1) + b"\n" if gap else b""
    with path.open("r+b") as stream:
        stream.write(header[:-1] + comment + header[-1:])
