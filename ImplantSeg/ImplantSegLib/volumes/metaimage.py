"""MetaImage (.mha; .mhd with its .raw): raw voxels are memory-mapped, deflated ones unpacked once.

The format is described at https://itk.org/Wiki/ITK/MetaIO/Documentation.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegLib.files import atomic_path
from ImplantSegLib.volumes.geometry import place
from ImplantSegLib.volumes.streams import DeflatedVoxels, Put, raw, voxel_writer
from ImplantSegLib.volumes.volume import Volume
from ImplantSegLib.volumes.voxels import RawVoxels, Shape

TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
"""MetaImage's names of the types that volumes may have; the long ones have 4 bytes on disk."""

_NAMES = {code: name for name, code in reversed(TYPES.items())}

_OWN = {
    "ObjectType", "ObjectSubType", "NDims", "BinaryData", "BinaryDataByteOrderMSB", "ElementByteOrderMSB",
    "CompressedData", "CompressedDataSize", "CompressionLevel", "TransformMatrix", "Rotation", "Orientation",
    "Offset", "Position", "Origin", "CenterOfRotation", "AnatomicalOrientation", "ElementSpacing", "ElementSize",
    "DimSize", "ElementType", "ElementMin", "ElementMax", "ElementNumberOfChannels", "ElementDataFile",
    "HeaderSize", "Comment", "Name", "ID", "ParentID", "Color", "TransformType", "Modality", "SequenceID",
    "DistanceUnits",
}  # fmt: skip
"""Keys of the format itself; all others are metadata."""


_PLAIN = string.punctuation.replace("%", "") + " "


def read(path: Path) -> Volume:
    """Open a MetaImage whose voxels are read lazily.

    Raises
    ------
    InputError
        When the header cannot be read, the file is cut off, or it holds no 3D volume of one channel.
    """
    fields, end = _read_header(path)
    try:
        array = _voxels(path, fields, end)
        where = _geometry(fields)
    except (KeyError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the header of {path} cannot be read: {error!r}", "export the file again") from error
    return Volume(array, metadata=_metadata(fields), **where)


def _read_header(path: Path) -> tuple[dict[str, str], int]:
    fields: dict[str, str] = {}
    end = 0
    with path.open("rb") as stream:
        for line in stream:
            end += len(line)
            key, mark, value = line.decode("utf-8", "replace").partition("=")
            if mark:
                fields[key.strip()] = value.strip()
            if key.strip() == "ElementDataFile":
                return fields, end
    raise InputError(f"the header of {path} has no field 'ElementDataFile'", "export the file again")


def _voxels(path: Path, fields: Mapping[str, str], end: int) -> RawVoxels:
    sizes = [int(size) for size in fields["DimSize"].split()]
    if len(sizes) != 3 or int(fields.get("ElementNumberOfChannels", 1)) != 1:
        raise InputError(
            f"{path} has sizes {fields['DimSize']} and {fields.get('ElementNumberOfChannels', 1)} channels, "
            "wanted a 3D volume of one channel",
            "export one channel as a 3D volume",
        )
    if fields["ElementType"] not in TYPES:
        raise InputError(f"{path} has voxels of type {fields['ElementType']}, wanted {', '.join(TYPES)}", "convert it")
    shape: Shape = (sizes[2], sizes[1], sizes[0])
    big = _is_true(fields, "BinaryDataByteOrderMSB") or _is_true(fields, "ElementByteOrderMSB")
    dtype = np.dtype(TYPES[fields["ElementType"]]).newbyteorder(">" if big else "<")
    data, start = _data_file(path, fields["ElementDataFile"], end)
    if _is_true(fields, "CompressedData"):
        return DeflatedVoxels(data, dtype, shape, start)
    skip = int(fields.get("HeaderSize", 0))
    count = dtype.itemsize * sizes[0] * sizes[1] * sizes[2]
    return raw(data, dtype, shape, max(data.stat().st_size - count, 0) if skip == -1 else start + skip)


def _is_true(fields: Mapping[str, str], key: str) -> bool:
    return fields.get(key, "False").lower() in ("true", "1")


def _data_file(path: Path, name: str, end: int) -> tuple[Path, int]:
    if name.upper() == "LOCAL":
        return path, end
    if name.startswith("LIST") or "%" in name:
        raise InputError(f"{path} keeps its voxels in many files ({name})", "save it as one .mha file")
    data = path.parent / name
    if not data.is_file():
        raise InputError(f"{path} keeps its voxels in {name}, which is not there", "put both files in one folder")
    return data, 0


def _numbers(fields: Mapping[str, str], *keys: str, default: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    text = next((fields[key] for key in keys if key in fields), default)
    return np.array([float(part) for part in text.split()])


def _geometry(fields: Mapping[str, str]) -> dict[str, Any]:
    spacing = _numbers(fields, "ElementSpacing", "ElementSize", default="1 1 1")
    # one row for each index axis: MetaImage writes the columns of ITK's direction matrix one after another
    axes = _numbers(fields, "TransformMatrix", "Rotation", "Orientation", default="1 0 0 0 1 0 0 0 1").reshape(3, 3)
    return place(axes * spacing[:, None], _numbers(fields, "Offset", "Position", "Origin", default="0 0 0"))


def _metadata(fields: Mapping[str, str]) -> dict[str, str]:
    own = {unquote(key): unquote(value) for key, value in fields.items() if key not in _OWN}
    known = "ElementSpacing" in fields or "ElementSize" in fields
    return own if known else {"voxel_size_known": "no", **own}


def _format_header(target: Volume, compress: bool, data: str, packed: int = 0) -> bytes:
    """Bytes of a header whose length does not depend on ``packed``, the size of the compressed voxels."""
    code = target.dtype.str[1:]
    if code not in _NAMES:
        raise InputError(f"MetaImage cannot hold voxels of type {target.dtype}", "pass --dtype uint8, float32, ...")
    lines = [
        "ObjectType = Image",
        "NDims = 3",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        f"CompressedData = {compress}",
        *([f"CompressedDataSize = {packed:<20}"] if compress else []),
        f"TransformMatrix = {_text(np.transpose(target.direction))}",
        f"Offset = {_text(target.origin_mm)}",
        "CenterOfRotation = 0 0 0",
        f"ElementSpacing = {_text(target.spacing_mm[::-1])}",
        f"DimSize = {' '.join(map(str, target.shape[::-1]))}",
        f"ElementType = {_NAMES[code]}",
        *(f"{_quoted_key(key)} = {_quoted(value)}" for key, value in target.metadata.items()),
        f"ElementDataFile = {data}",  # the last line: the voxels follow
    ]
    return ("\n".join(lines) + "\n").encode()


def _text(values: Any) -> str:
    return " ".join(repr(float(value)) for value in np.ravel(values))


def _quoted_key(key: str) -> str:
    """Percent-encode what would end a key, and the first letter of a key that is the format's own."""
    return f"%{ord(key[0]):02X}{key[1:]}" if key in _OWN else quote(key, safe="")


def _quoted(value: str) -> str:
    """Percent-encode what a line of text cannot hold."""
    return quote(value, safe=_PLAIN if value == value.strip() else "")


@contextmanager
def writer(path: Path, target: Volume, compress: bool | None) -> Iterator[Put]:
    """Write a MetaImage, raw unless told otherwise; ``.mhd`` puts the voxels into a second file beside it."""
    compress = bool(compress)
    with atomic_path(path) as header:
        if path.suffix.lower() == ".mha":
            start = _format_header(target, compress, "LOCAL")
            with voxel_writer(header, target.dtype, compress, start) as put:
                yield put
            size = header.stat().st_size - len(start)
            with header.open("r+b") as stream:
                stream.write(_format_header(target, compress, "LOCAL", size))
            return
        data = path.with_suffix(".zraw" if compress else ".raw")
        with atomic_path(data) as voxels:
            with voxel_writer(voxels, target.dtype, compress) as put:
                yield put
            header.write_bytes(_format_header(target, compress, data.name, voxels.stat().st_size))
