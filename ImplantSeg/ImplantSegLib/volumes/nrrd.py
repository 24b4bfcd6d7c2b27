"""NRRD: raw voxels are memory-mapped, gzip ones unpacked once to a temporary file.

The format is described at https://teem.sourceforge.net/nrrd/format.html; pynrrd parses the fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegLib.files import atomic_path
from ImplantSegLib.volumes.geometry import FLIPS, MM_PER_UNIT, axis_vectors, place
from ImplantSegLib.volumes.streams import DeflatedVoxels, Put, raw, voxel_writer
from ImplantSegLib.volumes.volume import Volume
from ImplantSegLib.volumes.voxels import RawVoxels, Shape

TYPES = {
    "i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32", "u4": "uint32",
    "i8": "int64", "u8": "uint64", "f4": "float", "f8": "double",
}  # fmt: skip
"""NRRD's names of the types that volumes may have."""

_FIELDS = {
    "block size", "blocksize", "byte skip", "byteskip", "line skip", "lineskip", "data file", "datafile", "content",
    "dimension", "encoding", "endian", "kinds", "labels", "units", "centers", "centerings", "sizes", "spacings", "type",
    "thicknesses", "axis mins", "axismins", "axis maxs", "axismaxs", "old min", "oldmin", "old max", "oldmax", "min",
    "max", "number", "sample units", "sampleunits", "measurement frame", "space", "space dimension", "space directions",
    "space origin", "space units",
}  # fmt: skip

_SPATIAL_KINDS = {"domain", "space", "none", "???"}
"""Kinds of axes along which voxels lie; ``none`` and ``???`` stand for unknown."""


@dataclass(frozen=True)
class Header:
    """What stands in front of the voxels of a NRRD.

    Parameters
    ----------
    fields : mapping
        NRRD's own fields, parsed by pynrrd.
    pairs : mapping of str to str
        Key/value pairs of whoever wrote the file.
    end : int
        Bytes of the header, with the blank line that ends it.
    """

    fields: Mapping[str, Any]
    pairs: Mapping[str, str]
    end: int


def read(path: Path) -> Volume:
    """Open a NRRD (attached or detached header) whose voxels are read lazily."""
    header = read_header(path)
    return Volume(_voxels(path, header), metadata=_metadata(header), **_geometry(path, header))


def read_header(path: Path) -> Header:
    """Read what stands in front of the voxels.

    Raises
    ------
    InputError
        When a field is missing or cannot be parsed.
    """
    import nrrd

    lines, pairs, end = [], {}, 0
    with path.open("rb") as stream:
        for number, line in enumerate(stream):
            end += len(line)
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if not text:
                break
            key, is_pair = _split_pair(text)
            if number and is_pair:
                pairs[_unescaped(key)] = _unescaped(text[len(key) + 2 :])
            else:
                lines.append(text)
    try:
        fields = nrrd.read_header(lines)
        missing = [name for name in ("dimension", "type", "encoding", "sizes") if name not in fields]
    except (nrrd.NRRDError, ValueError, TypeError) as error:
        raise InputError(f"the header of {path} cannot be read: {error}", "export the file again") from error
    if missing:
        raise InputError(f"the header of {path} has no field {missing[0]!r}", "export the file again")
    return Header(fields, pairs, end)


def _split_pair(text: str) -> tuple[str, bool]:
    """Key of a ``key:=value`` line, and whether it is one (a field's description may hold ``:=`` too)."""
    key, mark, _ = text.partition(":=")
    return key, bool(mark) and not text.startswith("#") and text.partition(": ")[0] not in _FIELDS


def _unescaped(text: str) -> str:
    return re.sub(r"\\([nr\\])", lambda match: {"n": "\n", "r": "\r", "\\": "\\"}[match[1]], text)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def _metadata(header: Header) -> dict[str, str]:
    known = {} if "space directions" in header.fields or "spacings" in header.fields else {"voxel_size_known": "no"}
    return {**header.pairs, **known} if "voxel_size_known" not in header.pairs else dict(header.pairs)


def _spatial_axes(path: Path, header: Header) -> list[int]:
    """Give the three axes of space; further axes are left out when they have one element only."""
    sizes = [int(size) for size in header.fields["sizes"]]
    axes = list(range(len(sizes)))
    kinds = header.fields.get("kinds", ["domain"] * len(sizes))
    for axis in sorted(axes, key=lambda axis: kinds[axis] in ("domain", "space")):
        if len(axes) > 3 and sizes[axis] == 1:
            axes.remove(axis)
    if len(axes) != 3:
        raise InputError(
            f"{path} has {len(sizes)} dimensions of sizes {' × '.join(map(str, sizes))}, wanted a 3D volume",
            "export one channel, one time point or one layer as a 3D volume",
        )
    for axis in axes:
        if kinds[axis].lower() not in _SPATIAL_KINDS:
            raise InputError(
                f"{path} has an axis of {sizes[axis]} values of kind {kinds[axis]!r}, wanted one grey value per voxel",
                "convert it to grey, or export one channel or one time point as a 3D volume",
            )
    return axes


def _voxels(path: Path, header: Header) -> RawVoxels:
    x, y, z = (int(header.fields["sizes"][axis]) for axis in _spatial_axes(path, header))
    shape: Shape = (z, y, x)
    dtype = _dtype(path, header)
    data, start = _data_file(path, header)
    skip = int(header.fields.get("byte skip", header.fields.get("byteskip", 0)))
    encoding = header.fields["encoding"].lower()
    if encoding == "raw":
        count = dtype.itemsize * x * y * z
        return raw(data, dtype, shape, data.stat().st_size - count if skip == -1 else start + skip)
    if encoding in ("gzip", "gz"):
        return DeflatedVoxels(data, dtype, shape, start, max(skip, 0))
    raise InputError(f"{path} has the encoding {encoding!r}, wanted raw or gzip", "save it again as raw or gzip")


def _dtype(path: Path, header: Header) -> np.dtype[Any]:
    from nrrd.reader import _TYPEMAP_NRRD2NUMPY as NAMES

    name = header.fields["type"]
    if NAMES.get(name) not in TYPES:
        raise InputError(f"{path} has voxels of type {name!r}, wanted {', '.join(TYPES.values())}", "convert it")
    return np.dtype(NAMES[name]).newbyteorder(">" if header.fields.get("endian") == "big" else "<")


def _data_file(path: Path, header: Header) -> tuple[Path, int]:
    """File of the voxels and where they begin in it."""
    name = header.fields.get("data file", header.fields.get("datafile"))
    if name is None:
        return path, header.end
    if name.startswith("LIST") or "%" in name:
        raise InputError(f"{path} keeps its voxels in many files ({name})", "save it as one .nrrd file")
    data = path.parent / name
    if not data.is_file():
        raise InputError(f"{path} keeps its voxels in {name}, which is not there", "put both files in one folder")
    skipped = int(header.fields.get("line skip", header.fields.get("lineskip", 0)))
    with data.open("rb") as stream:
        return data, sum(len(stream.readline()) for _ in range(skipped))


def _geometry(path: Path, header: Header) -> dict[str, Any]:
    fields, axes = header.fields, _spatial_axes(path, header)
    flip = np.array(FLIPS.get(fields.get("space", "").lower(), (1, 1, 1)), dtype=np.float64)
    if fields.get("space directions") is not None:
        if any(len(fields["space directions"][axis]) != 3 for axis in axes):
            raise InputError(f"{path} lies in a space of other than 3 dimensions", "export it as a 3D volume")
        scale = np.array([_mm_per_unit(path, unit) for unit in fields.get("space units", ["mm"] * 3)])
        vectors = np.array([fields["space directions"][axis] for axis in axes], dtype=np.float64) * flip * scale
        origin = np.asarray(fields.get("space origin", np.zeros(3))) * flip * scale
    else:
        units = fields.get("units", ["mm"] * len(fields["sizes"]))
        steps = fields.get("spacings", np.ones(len(fields["sizes"])))
        vectors = np.diag([steps[axis] * _mm_per_unit(path, units[axis]) for axis in axes])
        origin = np.zeros(3)
    if not np.isfinite(vectors).all() or not np.linalg.norm(vectors, axis=1).all():
        raise InputError(f"{path} has voxel axes {vectors.tolist()}, wanted steps above 0", "correct its header")
    return place(vectors, np.where(np.isfinite(origin), origin, 0.0))


def _mm_per_unit(path: Path, unit: str) -> float:
    if unit.lower() not in MM_PER_UNIT:
        raise InputError(f"{path} has the unit {unit!r}, wanted {', '.join(MM_PER_UNIT)}", "correct its header")
    return MM_PER_UNIT[unit.lower()]


@contextmanager
def writer(path: Path, target: Volume, compress: bool | None) -> Iterator[Put]:
    """Write a NRRD, raw unless told otherwise."""
    header = format_header(target, target.metadata, bool(compress))
    with atomic_path(path) as temporary, voxel_writer(temporary, target.dtype, bool(compress), header) as put:
        yield put


def format_header(target: Volume, pairs: Mapping[str, str], compress: bool) -> bytes:
    """Bytes of a header in LPS, in mm, with every digit of the geometry.

    Raises
    ------
    InputError
        When NRRD has no such type of voxels.
    """
    kind = target.dtype.str[1:]
    if kind not in TYPES:
        raise InputError(f"NRRD cannot hold voxels of type {target.dtype}", f"pass --dtype {', '.join(TYPES.values())}")
    lines = [
        "NRRD0005",
        f"type: {TYPES[kind]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, target.shape[::-1]))}",
        f"space directions: {' '.join(_vector(row) for row in axis_vectors(target))}",
        "kinds: domain domain domain",
        "endian: little",
        f"encoding: {'gzip' if compress else 'raw'}",
        'space units: "mm" "mm" "mm"',
        f"space origin: {_vector(target.origin_mm)}",
        *(f"{_key(key)}:={_escaped(value)}" for key, value in pairs.items()),
    ]
    return ("\n".join(lines) + "\n\n").encode()


def _vector(values: Any) -> str:
    return f"({','.join(repr(float(value)) for value in values)})"


def _key(key: str) -> str:
    """Refuse a key that would be read as something else."""
    if not _split_pair(f"{key}:=")[1] or ":=" in key or key != _escaped(key).strip():
        raise InputError(f"the metadata key {key!r} cannot stand in a NRRD header", "rename or remove it")
    return key
