"""NIfTI-1: read and written with a warning, because its geometry has the 7 digits of a float32.

The header is described at https://nifti.nimh.nih.gov/nifti-1/; it is parsed here and not by SimpleITK, which
reads the whole file for a slab and refuses axes that float32 has made oblique.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegLib.files import atomic_path
from ImplantSegLib.volumes.geometry import axis_vectors, place
from ImplantSegLib.volumes.streams import DeflatedVoxels, Put, inflate, raw, voxel_writer
from ImplantSegLib.volumes.volume import Volume, Voxels
from ImplantSegLib.volumes.voxels import Array, Shape, Slices, how

HEADER = np.dtype(
    [
        ("sizeof_hdr", "i4"), ("unused", "S35"), ("dim_info", "u1"), ("dim", "i2", 8), ("intent_p", "f4", 3),
        ("intent_code", "i2"), ("datatype", "i2"), ("bitpix", "i2"), ("slice_start", "i2"), ("pixdim", "f4", 8),
        ("vox_offset", "f4"), ("scl_slope", "f4"), ("scl_inter", "f4"), ("slice_end", "i2"), ("slice_code", "u1"),
        ("xyzt_units", "u1"), ("cal_max", "f4"), ("cal_min", "f4"), ("slice_duration", "f4"), ("toffset", "f4"),
        ("glmax", "i4"), ("glmin", "i4"), ("descrip", "S80"), ("aux_file", "S24"), ("qform_code", "i2"),
        ("sform_code", "i2"), ("quatern", "f4", 3), ("qoffset", "f4", 3), ("srow", "f4", (3, 4)),
        ("intent_name", "S16"), ("magic", "S4"),
    ]
)  # fmt: skip

TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
"""NIfTI's codes of the types that volumes may have."""

_MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])
_START = 352
"""Bytes in front of the voxels: the header and an empty extension."""

_log = logging.getLogger(__name__)


def read(path: Path) -> Volume:
    """Open a NIfTI-1 file whose voxels are read lazily.

    Raises
    ------
    InputError
        When it is no NIfTI-1 file, is cut off, or holds no 3D volume of one channel.
    """
    _log.warning("%s: NIfTI keeps 7 digits of the geometry and no metadata; prefer .nrrd for micrometre voxels", path)
    packed = path.name.lower().endswith(".gz")
    header = _read_header(path, packed)
    array: Voxels = _voxels(path, header, packed)
    slope, shift = float(header["scl_slope"]), float(header["scl_inter"])
    if np.isfinite([slope, shift]).all() and slope != 0 and (slope, shift) != (1, 0):
        scaled = partial(_scaled, array, slope, shift)
        array = Slices(_shape(header), np.dtype(np.float32), scaled, f"{how(array)}, scaled")
    return Volume(array, **_geometry(header))


def _read_header(path: Path, packed: bool) -> Any:
    start = b""
    if packed:
        for piece in inflate(path):
            start += piece[:_START]
            if len(start) >= HEADER.itemsize:
                break
    else:
        with path.open("rb") as stream:
            start = stream.read(HEADER.itemsize)
    for layout in (HEADER.newbyteorder("<"), HEADER.newbyteorder(">")):
        if len(start) >= HEADER.itemsize:
            header = np.frombuffer(start, layout, 1)[0]
            if header["sizeof_hdr"] == HEADER.itemsize and header["magic"].startswith(b"n+1"):
                return header
    raise InputError(f"{path} is no NIfTI-1 file of one piece", "save it as .nii (NIfTI-1) or, better, as .nrrd")


def _shape(header: Any) -> Shape:
    x, y, z = (int(size) for size in header["dim"][1:4])
    return z, y, x


def _voxels(path: Path, header: Any, packed: bool) -> Voxels:
    dimensions = int(header["dim"][0])
    if dimensions < 3 or any(size > 1 for size in header["dim"][4 : dimensions + 1]):
        raise InputError(
            f"{path} has sizes {header['dim'][1 : dimensions + 1].tolist()}, wanted a 3D volume of one channel",
            "export one channel of one time point",
        )
    if int(header["datatype"]) not in TYPES:
        raise InputError(f"{path} has voxels of NIfTI type {header['datatype']}, wanted real numbers", "convert it")
    dtype: np.dtype[Any] = np.dtype(TYPES[int(header["datatype"])])
    if not header.dtype["sizeof_hdr"].isnative:  # the header has the byte order of the voxels
        dtype = dtype.newbyteorder("S")
    start = int(header["vox_offset"])
    if packed:
        return DeflatedVoxels(path, dtype, _shape(header), 0, start)
    return raw(path, dtype, _shape(header), start)


def _scaled(array: Any, slope: float, shift: float, z: slice) -> Array:
    return np.asarray(array[z]).astype(np.float64) * slope + shift


def _geometry(header: Any) -> dict[str, Any]:
    """Geometry in LPS from the sform, else the qform, else the voxel size alone."""
    steps = np.abs(header["pixdim"][1:4].astype(np.float64))
    unit = _MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)
    if header["sform_code"] > 0:
        vectors, origin = header["srow"][:, :3].T, header["srow"][:, 3]
    elif header["qform_code"] > 0:
        vectors, origin = _rotation(header).T * steps[:, None], header["qoffset"]
    else:
        vectors, origin = np.diag(steps), np.zeros(3)
    vectors, origin = vectors.astype(np.float64) * _RAS_TO_LPS * unit, origin * _RAS_TO_LPS * unit
    if header["sform_code"] <= 0 and header["qform_code"] <= 0:
        vectors = np.abs(vectors)  # no world is named: the axes of the file are those of the world
    if np.isfinite(vectors).all() and np.linalg.norm(vectors, axis=1).all():
        return place(vectors, origin)
    return {"metadata": {"voxel_size_known": "no"}}


def _rotation(header: Any) -> Array:
    from scipy.spatial.transform import Rotation

    b, c, d = (float(value) for value in header["quatern"])
    a = np.sqrt(max(0.0, 1.0 - b * b - c * c - d * d))
    handed = -1.0 if header["pixdim"][0] < 0 else 1.0
    return np.asarray(Rotation.from_quat([b, c, d, a]).as_matrix() * [1.0, 1.0, handed])


@contextmanager
def writer(path: Path, target: Volume, compress: bool | None) -> Iterator[Put]:
    """Write a NIfTI-1 file; ``.nii.gz`` is compressed, ``.nii`` is not."""
    _log.warning("%s: NIfTI keeps 7 digits of the geometry and no metadata; prefer .nrrd for micrometre voxels", path)
    packed = path.name.lower().endswith(".gz")
    if compress is not None and compress != packed:
        raise InputError(f"got {path.name}, which is {'' if packed else 'not '}compressed", "choose .nii or .nii.gz")
    inner = _header(target).tobytes() + bytes(_START - HEADER.itemsize)
    with atomic_path(path) as temporary, voxel_writer(temporary, target.dtype, packed, inner=inner) as put:
        yield put


def _header(target: Volume) -> Any:
    from scipy.spatial.transform import Rotation

    codes = {name: code for code, name in TYPES.items()}
    if target.dtype.str[1:] not in codes or max(target.shape) > np.iinfo(np.int16).max:
        raise InputError(f"NIfTI cannot hold {target.dtype} voxels of shape {target.shape}", "write it as .nrrd")
    vectors = axis_vectors(target) * _RAS_TO_LPS
    rotation = (vectors / np.linalg.norm(vectors, axis=1)[:, None]).T
    handed = np.sign(np.linalg.det(rotation))
    header = np.zeros((), HEADER.newbyteorder("<"))
    header["sizeof_hdr"] = HEADER.itemsize
    header["dim"] = (3, *target.shape[::-1], 1, 1, 1, 1)
    header["datatype"], header["bitpix"] = codes[target.dtype.str[1:]], 8 * target.dtype.itemsize
    header["pixdim"] = (handed, *target.spacing_mm[::-1], 1, 1, 1, 1)
    header["vox_offset"], header["scl_slope"], header["xyzt_units"] = _START, 1, 2
    header["qform_code"] = header["sform_code"] = 1
    quaternion = Rotation.from_matrix(rotation * [1, 1, handed]).as_quat(canonical=True)
    header["quatern"] = quaternion[:3]
    header["qoffset"] = np.asarray(target.origin_mm) * _RAS_TO_LPS
    header["srow"] = np.column_stack([vectors.T, header["qoffset"]])
    header["magic"] = b"n+1"
    return header
