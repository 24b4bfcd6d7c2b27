"""TIFF: a folder of slices, a file of many pages (also BigTIFF and ImageJ), or one slice.

Contiguous files are memory-mapped, others read page by page. Written files are ImageJ's; what TIFF has no place
for stands with every digit in the image description of a file, or in ``volume.json`` in a folder.
"""

from __future__ import annotations

import logging
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegLib.files import atomic_path
from ImplantSegLib.volumes import geometry, tiff_size
from ImplantSegLib.volumes.streams import Put, truncated
from ImplantSegLib.volumes.volume import Volume, Voxels
from ImplantSegLib.volumes.voxels import Array, RawVoxels, Slices

SUFFIXES = (".tif", ".tiff")
SIDE_CAR = "volume.json"

_BIG = 2**32 - 2**25
"""Bytes of voxels from which on a file must be BigTIFF."""


def read(path: Path) -> Volume:
    """Open a TIFF file or a folder of TIFF slices.

    Raises
    ------
    InputError
        When a file is no TIFF, cut off or in colour, or the slices differ in size or type.
    """
    return _read_folder(path) if path.is_dir() else _read_file(path)


def _read_file(path: Path) -> Volume:
    with _opened(path) as tif:
        series = _series(tif, path)
        shape = tuple(size for size in series.shape if size != 1)
        if len(shape) > 3 or len(series.shape) < 2:
            raise InputError(
                f"{path} has axes {series.axes} of sizes {series.shape}, wanted (z, y, x) of one channel",
                "export one channel of one time point",
            )
        return Volume(_voxels(path, tif, series), **tiff_size.place(tif, str(path)))


def _series(tif: Any, path: Path) -> Any:
    """Give the image of a file; several are refused, unless they are an OME file's smaller copies."""
    series = tif.series
    page = tif.pages[0]
    if page.samplesperpixel > 1:
        raise InputError(
            f"{path} is a colour image of {page.samplesperpixel} channels, wanted grey values", "convert it to grey"
        )
    if len(series) > 1 and not tif.is_ome:
        raise InputError(
            f"{path} has pages of several sizes: {', '.join(str(one.shape) for one in series[:4])}; wanted one",
            "export the volume again without previews",
        )
    return series[0]


def _voxels(path: Path, tif: Any, series: Any) -> Voxels:
    y, x = tif.pages[0].shape[-2:]
    shape = (int(np.prod(series.shape, dtype=np.int64)) // (y * x), int(y), int(x))
    if series.dataoffset is not None:
        voxels = RawVoxels(path, np.dtype(series.dtype).newbyteorder(tif.byteorder), shape, series.dataoffset)
        got = path.stat().st_size - series.dataoffset
        if got < voxels.nbytes:
            raise truncated(path, max(got, 0), voxels.nbytes)
        return voxels
    for number in (0, shape[0] - 1):
        _check_whole(series.pages[number], path)
    return Slices(shape, np.dtype(series.dtype), partial(_read_pages, path), "page by page")


def _read_pages(path: Path, z: slice) -> Array:
    with _opened(path) as tif:
        return np.stack([page.asarray() for page in tif.series[0].pages[z]])


def _check_whole(page: Any, path: Path) -> None:
    """Refuse a page whose data reach beyond the end of the file."""
    end = max(
        (int(start) + int(count) for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)), default=0
    )
    got = path.stat().st_size
    if got < end:
        raise truncated(path, got, end)


def _read_folder(path: Path) -> Volume:
    files = _slices_of(path)
    if len(files) == 1:
        volume = _read_file(files[0])
    else:
        shape, dtype = _common_shape(files)
        array = Slices((len(files), *shape), dtype, partial(_read_slices, files), "slice by slice")
        with _opened(files[0]) as tif:
            volume = Volume(array, **tiff_size.place(tif, str(path)))
    side_car = path / SIDE_CAR
    if not side_car.is_file():
        return volume
    return Volume(volume.array, **geometry.from_json(side_car.read_text(encoding="utf-8"), str(side_car)))


def _slices_of(path: Path) -> list[Path]:
    """TIFF files of a folder; numbers in their names count as numbers, so that slice 10 follows slice 9."""
    inside = [one for one in path.iterdir() if not one.name.startswith(".")]
    files = [one for one in inside if one.suffix.lower() in SUFFIXES]
    if not files:
        found = ", ".join(sorted({one.suffix or one.name for one in inside})[:5]) or "nothing"
        raise InputError(f"the folder {path} holds {found}, wanted TIFF slices", "give the folder with .tif files")
    return sorted(
        files, key=lambda one: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", one.name)]
    )


def _common_shape(files: Sequence[Path]) -> tuple[tuple[int, int], np.dtype[Any]]:
    """Shape and type of the slices, which must all be alike.

    Raises
    ------
    InputError
        Naming the first file that differs from the first one.
    """
    first: tuple[Any, Any] | None = None
    for file in files:
        with _opened(file) as tif:
            _series(tif, file)
            page = tif.pages[0]
            if len(tif.pages) > 1:
                raise InputError(f"{file} has {len(tif.pages)} slices, wanted one in each file", "give its own path")
            _check_whole(page, file)
            this = page.shape, np.dtype(page.dtype)
        first = first or this
        if this != first:
            raise InputError(
                f"{file} has {_size(this)}, wanted {_size(first)} as in {files[0].name}",
                "export it again or move it out of the folder",
            )
    assert first is not None
    return first


def _size(slice_: tuple[Any, Any]) -> str:
    (y, x), dtype = slice_
    return f"{y} × {x} pixels of {dtype}"


def _read_slices(files: Sequence[Path], z: slice) -> Array:
    slices = []
    for file in files[z]:
        with _opened(file) as tif:
            slices.append(tif.pages[0].asarray())
    return np.stack(slices)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file; what tifffile finds wrong is an error, also where tifffile itself goes on with fewer pages."""
    import tifffile

    complaints = _Complaints()
    try:
        with complaints, tifffile.TiffFile(path) as tif:
            yield tif
    except InputError:
        raise
    except KeyError as error:
        if "imagecodecs" not in str(error):
            raise
        raise InputError(f"{path} is compressed in a rare way: {error.args[0]}", "pip install imagecodecs") from error
    except (ValueError, IndexError, TypeError, RuntimeError, struct.error, zlib.error) as error:
        raise InputError(f"{path} cannot be read as TIFF: {error}", "copy or export the file again") from error
    if complaints.first:
        raise InputError(f"{path} is damaged or cut off: {complaints.first}", "copy or export the file again")


class _Complaints(logging.Handler):
    """While inside, keeps the first error that tifffile logs about the chain of pages, and shows none.

    Other complaints, as of ImageJ's text naming more slices than there are, do no harm to the voxels.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.first = ""

    def emit(self, record: logging.LogRecord) -> None:
        if "TiffPages" in record.getMessage():
            self.first = self.first or record.getMessage()

    def __enter__(self) -> None:
        logger = logging.getLogger("tifffile")
        self._propagate, logger.propagate = logger.propagate, False
        logger.addHandler(self)

    def __exit__(self, *_: object) -> None:
        logger = logging.getLogger("tifffile")
        logger.propagate = self._propagate
        logger.removeHandler(self)


@contextmanager
def writer(path: Path, target: Volume, compress: bool | None) -> Iterator[Put]:
    """Write one TIFF (BigTIFF where needed), or a folder of slices where the path has no suffix."""
    compression = "zlib" if compress else None
    with atomic_path(path) as temporary:
        if path.suffix:
            with _file_writer(temporary, target, compression) as put:
                yield put
            return
        temporary.mkdir()
        yield _FolderWriter(temporary, target, compression)
        (temporary / SIDE_CAR).write_text(geometry.to_json(target), encoding="utf-8")


@contextmanager
def _file_writer(path: Path, target: Volume, compression: str | None) -> Iterator[Put]:
    import tifffile

    first = True
    size = int(np.prod(target.shape, dtype=np.int64)) * target.dtype.itemsize
    with tifffile.TiffWriter(path, bigtiff=size > _BIG) as tif:

        def put(block: Array) -> None:
            nonlocal first
            for plane in np.asarray(block, dtype=target.dtype):
                description = tiff_size.describe(target, target.shape[0]) if first else None
                tif.write(plane, contiguous=not compression, description=description, **_tags(target, compression))
                first = False

        yield put


class _FolderWriter:
    """Writes each slice to a file of its own."""

    def __init__(self, folder: Path, target: Volume, compression: str | None) -> None:
        self._folder = folder
        self._target = target
        self._compression = compression
        self._digits = max(4, len(str(target.shape[0])))
        self._done = 0

    def __call__(self, block: Array) -> None:
        import tifffile

        for plane in np.asarray(block, dtype=self._target.dtype):
            name = f"slice_{self._done:0{self._digits}}.tif"
            tags = _tags(self._target, self._compression)
            tifffile.imwrite(self._folder / name, plane, description=tiff_size.describe(self._target, 1), **tags)
            self._done += 1


def _tags(target: Volume, compression: str | None) -> dict[str, Any]:
    _, y, x = target.spacing_mm
    return {
        "photometric": "minisblack",
        "metadata": None,
        "resolution": (1 / (1000 * x), 1 / (1000 * y)),
        "resolutionunit": 1,
        "compression": compression,
    }
