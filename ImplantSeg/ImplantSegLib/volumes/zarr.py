"""OME-Zarr 0.5 (zarr v3): volumes larger than memory, in compressed chunks; 0.4 (zarr v2) is read too.

The format is described at https://ngff.openmicroscopy.org/0.5/. It has no direction: ours stands in an own
attribute ``implantseg``, with every digit of spacing and origin and with the metadata.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ImplantSegLib.errors import InputError
from ImplantSegLib.files import atomic_path
from ImplantSegLib.volumes import geometry
from ImplantSegLib.volumes.segmentation import CONTENT, table
from ImplantSegLib.volumes.streams import Put
from ImplantSegLib.volumes.volume import Volume
from ImplantSegLib.volumes.voxels import Array, native

CHUNK = (16, 256, 256)
"""Voxels of a chunk: a slab of 16 slices of 2640 × 2640 is read without touching what it does not need."""

ZSTD_LEVEL = 1

_OWN = "implantseg"


class Chunks:
    """Voxels of a zarr array; leading axes of one element (time, channel) are left out."""

    how = "chunk by chunk"

    def __init__(self, path: Path, array: Any) -> None:
        self.shape: tuple[int, ...] = tuple(array.shape[-3:])
        self.chunks: tuple[int, ...] = tuple(array.chunks[-3:])
        self.dtype = native(np.dtype(array.dtype))
        self._path = path
        self._array = array

    def __getitem__(self, key: Any, /) -> Any:
        inner = key if isinstance(key, tuple) else (key,)
        try:
            return np.asarray(self._array[(*(0,) * (self._array.ndim - 3), *inner)], dtype=self.dtype)
        except (RuntimeError, ValueError) as error:
            raise InputError(f"{self._path} has a damaged chunk: {error}", "copy or export it again") from error

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype=dtype)


def read(path: Path) -> Volume:
    """Open an OME-Zarr image or label volume at full resolution, or a plain zarr array.

    Raises
    ------
    InputError
        When there is no array, or it has more than one channel or time point.
    """
    import zarr

    try:
        node = zarr.open(path, mode="r")
    except (zarr.errors.BaseZarrError, FileNotFoundError, ValueError) as error:
        raise InputError(f"{path} cannot be read as zarr: {error}", "copy or export it again") from error
    if isinstance(node, zarr.Array):
        return Volume(_chunks(path, node), metadata={"voxel_size_known": "no"})
    attributes: dict[str, Any] = dict(node.attrs)
    image = _multiscale(path, attributes)
    dataset = image["datasets"][0]
    if dataset["path"] not in node:
        raise InputError(f"{path} has no array {dataset['path']!r}, which its metadata name", "copy it again")
    array = _chunks(path, node[dataset["path"]])
    if _OWN in attributes:
        return Volume(array, **geometry.from_json(attributes[_OWN], str(path)))
    labels = {CONTENT: "labels"} if "image-label" in attributes.get("ome", attributes) else {}
    return Volume(array, metadata=labels, **_scale_and_translation(image, dataset))


def _chunks(path: Path, array: Any) -> Chunks:
    if array.ndim < 3 or any(size != 1 for size in array.shape[:-3]):
        raise InputError(
            f"{path} has an array of shape {array.shape}, wanted a 3D volume of one channel and one time point",
            "export one channel of one time point",
        )
    return Chunks(path, array)


def _multiscale(path: Path, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    images = attributes.get("ome", attributes).get("multiscales", [])
    if not images:
        raise InputError(
            f"{path} is a zarr group without 'multiscales', wanted an OME-Zarr image",
            "give the path of the image or array inside it",
        )
    image: Mapping[str, Any] = images[0]
    return image


def _scale_and_translation(image: Mapping[str, Any], dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Spacing and origin from the transformations of the array and then of the image."""
    axes = image.get("axes", [{}] * 3)[-3:]
    unit = np.array([geometry.MM_PER_UNIT.get(axis.get("unit", "micrometer"), 1e-3) for axis in axes])
    scale, origin = np.ones(3), np.zeros(3)
    for step in (*dataset.get("coordinateTransformations", ()), *image.get("coordinateTransformations", ())):
        if "scale" in step:
            scale, origin = scale * step["scale"][-3:], origin * step["scale"][-3:]
        if "translation" in step:
            origin = origin + step["translation"][-3:]
    return {
        "spacing_mm": geometry.triple(scale * unit),
        "origin_mm": geometry.triple((origin * unit)[::-1]),
    }


@contextmanager
def writer(path: Path, target: Volume, compress: bool | None) -> Iterator[Put]:
    """Write an OME-Zarr of one resolution, compressed unless told otherwise; labels get their colours and names."""
    import zarr
    from zarr.codecs import ZstdCodec

    with atomic_path(path) as temporary:
        group = zarr.open_group(temporary, mode="w", zarr_format=3)
        group.attrs.update(_attributes(target, path))
        array = group.create_array(
            "0",
            shape=target.shape,
            chunks=CHUNK,
            dtype=target.dtype,
            dimension_names=("z", "y", "x"),
            compressors=None if compress is False else ZstdCodec(level=ZSTD_LEVEL),
        )
        buffer = _WholeChunks(array)
        yield buffer.put
        buffer.flush()


class _WholeChunks:
    """Collects slices until a layer of chunks is full, so that each chunk is written once."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self._waiting: list[Array] = []
        self._start = 0

    def put(self, block: Array) -> None:
        while len(block):
            room = CHUNK[0] - sum(map(len, self._waiting))
            self._waiting.append(np.array(block[:room]))  # a copy: the caller may use the block again
            block = block[room:]
            if sum(map(len, self._waiting)) == CHUNK[0]:
                self.flush()

    def flush(self) -> None:
        if self._waiting:
            layer = np.concatenate(self._waiting)
            self._array[self._start : self._start + len(layer)] = layer
            self._start += len(layer)
            self._waiting = []


def _attributes(target: Volume, path: Path) -> dict[str, Any]:
    transformations = [
        {"type": "scale", "scale": list(target.spacing_mm)},
        {"type": "translation", "translation": list(target.origin_mm[::-1])},
    ]
    ome: dict[str, Any] = {
        "version": "0.5",
        "multiscales": [
            {
                "name": path.name.split(".")[0],
                "axes": [{"name": name, "type": "space", "unit": "millimeter"} for name in "zyx"],
                "datasets": [{"path": "0", "coordinateTransformations": transformations}],
            }
        ],
    }
    if target.metadata.get(CONTENT) == "labels":
        ome["image-label"] = _label_colours(target.metadata)
    return {"ome": ome, _OWN: geometry.to_json(target)}


def _label_colours(metadata: Mapping[str, str]) -> dict[str, Sequence[Any]]:
    segments = table(metadata)
    return {
        "colors": [
            {"label-value": one.value, "rgba": [*(round(255 * part) for part in one.colour), 255]} for one in segments
        ],
        "properties": [{"label-value": one.value, "name": one.name} for one in segments],
    }
