"""Raw and deflated streams of voxels, read and written piece by piece."""

from __future__ import annotations

import gzip
import tempfile
import weakref
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from ImplantSegLib import progress
from ImplantSegLib.errors import InputError, size_text
from ImplantSegLib.files import explained_os_errors
from ImplantSegLib.volumes.voxels import Array, RawVoxels, Shape

Put = Callable[[Array], None]

_PIECE = 2**16
"""Bytes read at once: zeros inflate a thousandfold, so that a piece becomes 64 MiB at most."""

_SHOWN = 2**28
"""Unpacked bytes from which on a progress bar is worth its line."""

GZIP_LEVEL = 1
"""Level 9, the default of many writers, takes 30 times as long and saves little on labels."""


class DeflatedVoxels(RawVoxels):
    """Voxels behind gzip or zlib, unpacked at the first access to a temporary file that is then memory-mapped.

    A compressed stream can only be read from its start, but stages read with overlap, backwards and
    many times: unpacking once makes every later access as fast as on a raw file, at the price of disk
    space (in ``TMPDIR``; runs of zeros take none), not of memory. The temporary file has no name and
    vanishes with this object, also after a crash.

    Parameters
    ----------
    path, dtype, shape, offset
        As for :class:`~ImplantSegLib.volumes.voxels.RawVoxels`; ``offset`` is where the stream begins.
    skip : int
        Unpacked bytes in front of the first voxel.
    """

    how = "unpacked once to a temporary file, then memory-mapped"

    def __init__(self, path: Path, dtype: np.dtype[Any], shape: Shape, offset: int = 0, skip: int = 0) -> None:
        super().__init__(path, dtype, shape, skip)
        self._start = offset
        self._unpacked: IO[bytes] | None = None

    def _file(self) -> IO[bytes]:
        if self._unpacked is None:
            self._unpacked = self._unpack()
        return self._unpacked

    def _unpack(self) -> IO[bytes]:
        wanted = self._offset + self.nbytes
        where = Path(tempfile.gettempdir())
        deed = f"unpack {self.path.name} ({size_text(wanted)}; TMPDIR names the folder) to"
        with explained_os_errors(where, deed), ExitStack() as opened:
            unpacked: IO[bytes] = opened.enter_context(tempfile.TemporaryFile(prefix="implantseg-"))
            done = _copy(inflate(self.path, self._start), unpacked, wanted)
            if done < wanted:
                raise truncated(self.path, done, wanted)
            opened.pop_all()
        weakref.finalize(self, unpacked.close)
        return unpacked

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_unpacked": None}


def truncated(path: Path, got: int, wanted: int) -> InputError:
    """Error for a file that ends too early."""
    return InputError(f"{path} is cut off: got {got} bytes of voxels, wanted {wanted}", "copy or export the file again")


def raw(path: Path, dtype: np.dtype[Any], shape: Shape, offset: int = 0) -> RawVoxels:
    """Memory-map uncompressed voxels, and check that the file holds them all."""
    voxels = RawVoxels(path, dtype, shape, offset)
    with explained_os_errors(path, "read"):
        got = path.stat().st_size - offset
    if got < voxels.nbytes:
        raise truncated(path, max(got, 0), voxels.nbytes)
    return voxels


def inflate(path: Path, offset: int = 0) -> Iterator[bytes]:
    """Yield the unpacked bytes of a gzip or zlib stream (also of several gzip members in a row)."""
    with explained_os_errors(path, "read"), path.open("rb") as stream:
        stream.seek(offset)
        decoder = _decoder()
        while packed := stream.read(_PIECE):
            while packed:
                if decoder.eof:
                    decoder = _decoder()
                try:
                    yield decoder.decompress(packed)
                except zlib.error as error:
                    raise InputError(
                        f"{path} is damaged: its compressed voxels cannot be unpacked ({error})",
                        "copy or export the file again",
                    ) from error
                packed = decoder.unused_data


def _decoder() -> Any:
    return zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: gzip or zlib, as the stream's first bytes say


def _copy(pieces: Iterator[bytes], target: IO[bytes], wanted: int) -> int:
    """Copy at most ``wanted`` bytes, leaving holes for zeros; give how many there were."""
    done = 0
    with progress.stage("unpack", wanted, "B") if wanted > _SHOWN else _silent() as advance:
        for piece in pieces:
            part = piece[: wanted - done]
            if np.frombuffer(part, np.uint8).any():
                target.write(part)
            else:
                target.seek(len(part), 1)
            done += len(part)
            advance(len(part))
    target.truncate(done)
    target.flush()
    return done


@contextmanager
def _silent() -> Iterator[progress.Advance]:
    yield lambda *_: None


@contextmanager
def voxel_writer(
    path: Path, dtype: np.dtype[Any], compress: bool, header: bytes = b"", inner: bytes = b""
) -> Iterator[Put]:
    """Write blocks of voxels, little-endian, raw or as gzip of level 1.

    The same voxels give the same bytes: no time and no name is written into the gzip stream.

    Parameters
    ----------
    path : Path
        The file.
    dtype : numpy.dtype
        Type of a voxel in the file.
    compress : bool
        Whether the voxels are compressed.
    header : bytes
        What stands in front of them, never compressed.
    inner : bytes
        What stands between header and voxels, compressed as they are.
    """
    stored = dtype.newbyteorder("<")
    with path.open("wb") as stream:
        stream.write(header)
        if not compress:
            stream.write(inner)
            yield lambda block: _write(stream, block, stored)
            return
        with gzip.GzipFile("", "wb", GZIP_LEVEL, stream, mtime=0) as packed:
            packed.write(inner)
            yield lambda block: _write(packed, block, stored)


def _write(stream: Any, block: Array, stored: np.dtype[Any]) -> None:
    stream.write(np.ascontiguousarray(block, dtype=stored).data)
