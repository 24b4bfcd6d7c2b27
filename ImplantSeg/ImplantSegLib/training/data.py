"""The scans of a training: found, split by whole scans, and read where they are cut."""

from __future__ import annotations

import dataclasses
import fnmatch
import logging
import os
import platform
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib.errors import InputError
from ImplantSegLib.labels import IGNORE
from ImplantSegLib.training.checks import check_labels, grid_problems, slab_slices
from ImplantSegLib.training.config import Data, Pair
from ImplantSegLib.volumes.volume import Volume, Voxels

Array = npt.NDArray[Any]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scan:
    """A scan with its labels, ready to be cut.

    Parameters
    ----------
    name : str
        Name for tables and for choosing the validation.
    image : Voxels, shape (Z, Y, X)
        Raw grey values: an array, or a file that is memory-mapped at each access.
    labels : Voxels of uint8, shape (Z, Y, X)
        Class of every voxel; 255 is skipped.
    low, high : float
        Raw grey values that become 0 and 1.
    spacing_mm : tuple of float
        Voxel size (z, y, x).
    valid : Voxels, shape (Z, Y, X), or None
        The field of view, 0 where the reconstruction is not valid; None: valid everywhere.
    old : bool
        Whether it is old data, which is trained on so that a model does not forget it.
    """

    name: str
    image: Voxels
    labels: Voxels
    low: float = 0.0
    high: float = 1.0
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    valid: Voxels | None = None
    old: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along (z, y, x)."""
        z, y, x = self.labels.shape
        return z, y, x

    @cached_property
    def known(self) -> tuple[Array, Array, Array]:
        """Indices along (z, y, x) of the slices that hold known voxels: all, or those that somebody corrected."""
        depth, rows, columns = self.shape
        found = np.zeros(depth, bool), np.zeros(rows, bool), np.zeros(columns, bool)
        step = slab_slices(self.shape)
        for start in range(0, depth, step):
            z = slice(start, min(start + step, depth))
            labelled = self.truth(z) != IGNORE
            in_slice = labelled.any(axis=2)  # (nz, Y)
            found[0][z] = in_slice.any(axis=1)
            found[1][:] |= in_slice.any(axis=0)
            found[2][:] |= labelled.any(axis=(0, 1))
        along_z, along_y, along_x = (np.flatnonzero(one) for one in found)
        return along_z, along_y, along_x

    def cut(self, axis: int, index: int, rows: slice, columns: slice) -> tuple[Array, Array]:
        """Part of one slice: image float32 in [0, 1] and labels uint8, both (rows, columns).

        Parameters
        ----------
        axis : int
            Direction of the slice: 0 z, 1 y, 2 x; its rows and columns run along the other two, in order.
        index : int
            Which slice.
        rows, columns : slice
            Which part of it.
        """
        from ImplantSegLib.preprocess.normalise import scale

        key: list[int | slice] = [rows, columns]
        key.insert(axis, index)
        where = tuple(key)
        image = scale(np.asarray(self.image[where]), self.low, self.high)
        return image, self.truth(where)

    def truth(self, where: Any) -> Array:
        """Labels uint8 of a part of the scan, 255 outside of its field of view."""
        labels = np.array(self.labels[where], np.uint8)
        if self.valid is not None:
            labels[np.asarray(self.valid[where]) == 0] = IGNORE
        return labels


def find_pairs(data: Data, base: Path | None = None) -> dict[str, Pair]:
    """Find the scans of a recipe by name, in the order in which folds count them; make a missing phantom cohort.

    Parameters
    ----------
    data : Data
        What the recipe says.
    base : Path, optional
        Folder that the paths are relative to; where it holds no such file, they are relative to the current one.

    Raises
    ------
    InputError
        When the cohort is a folder without scans, or neither a folder nor the name of a phantom cohort, and for two
        scans of one name or one file under two.
    """
    pairs: dict[str, Pair] = {}
    if data.cohort:
        folder = _cohort_folder(data, base)
        for image in sorted(folder.glob("*/image.nrrd")):
            pairs[image.parent.name] = Pair(str(image), str(image.with_name("labels.seg.nrrd")))
        if not pairs:
            raise InputError(
                f"the cohort {folder} holds no scans",
                "wanted folders with image.nrrd and labels.seg.nrrd; correct data.cohort",
            )
    for pair in data.pairs:
        name = pair.name or Path(pair.image).name.split(".")[0]
        if name in pairs:
            raise InputError(
                f"two scans are named {name}: {pairs[name].image} and {pair.image}",
                "give one of them another name in data.pairs, or leave it out",
            )
        pairs[name] = Pair(str(_beside(base, pair.image)), str(_beside(base, pair.labels)), name)
    _refuse_twice(pairs)
    return pairs


def find_old_pairs(data: Data, pairs: dict[str, Pair], base: Path | None = None) -> dict[str, Pair]:
    """Find the scans of ``data.replay`` as :func:`find_pairs` does; their names begin with ``old-``.

    Raises
    ------
    InputError
        As :func:`find_pairs`, and for a scan that is among the new ones, ``pairs``: it could train and validate.
    """
    if not data.replay:
        return {}
    found = find_pairs(dataclasses.replace(data, cohort=data.replay, pairs=[]), base)
    old = {f"old-{name}": pair for name, pair in found.items()}
    _refuse_twice(pairs | old)
    return old


def _refuse_twice(pairs: dict[str, Pair]) -> None:
    """Refuse a scan under two names: it could train and validate."""
    seen: dict[Path, str] = {}
    for name, pair in pairs.items():
        path = Path(pair.image).resolve()
        if path in seen:
            raise InputError(f"{pair.image} is listed twice, as {seen[path]} and {name}", "leave one of them out")
        seen[path] = name


def _beside(base: Path | None, path: str) -> Path:
    return base / path if base is not None and (base / path).exists() else Path(path)


def _cohort_folder(data: Data, base: Path | None) -> Path:
    if (folder := _beside(base, data.cohort)).is_dir():
        return folder
    from ImplantSegLib.phantom.cohort import jobs, make_cohort

    try:
        jobs(data.cohort)
    except InputError as error:
        raise InputError(
            f"there is no folder {data.cohort}, and no phantom cohort has that name",
            f"pass --set data.cohort=FOLDER, or {error.remedy}",
        ) from error
    folder = cache_folder(data.cache) / data.cohort
    logger.info("phantom cohort %s in %s", data.cohort, folder)
    make_cohort(data.cohort, folder)
    return folder


def cache_folder(chosen: str = "") -> Path:
    """Folder of what can be made again: the chosen one, IMPLANTSEG_CACHE_DIR, or the platform's."""
    if folder := chosen or os.environ.get("IMPLANTSEG_CACHE_DIR"):
        return Path(folder)
    home = Path.home()
    base = {
        "Windows": Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")),
        "Darwin": home / "Library" / "Caches",
    }.get(platform.system(), Path(os.environ.get("XDG_CACHE_HOME", home / ".cache")))
    return base / "implantseg"


def split(names: list[str], data: Data) -> tuple[list[str], list[str]]:
    """Names that train and names that validate: never slices of one scan on both sides.

    A fold takes every ``folds``-th scan, beginning with the fold's number.

    Raises
    ------
    InputError
        When a pattern of ``data.validation`` meets no scan, or no scan is left to train on.
    """
    if data.fold_unit == "slice":
        return names, names
    if data.validation:
        validation = [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in data.validation)]
        if not validation:
            raise InputError(
                f"no scan is named {' or '.join(data.validation)}", f"data.validation chooses among: {', '.join(names)}"
            )
    else:
        validation = names[data.fold :: data.folds] if data.folds > 1 else []
    training = [name for name in names if name not in validation]
    if not training:
        raise InputError(
            f"all {len(names)} scans validate, none is left to train on", "choose fewer for validation or set folds = 1"
        )
    return training, validation


def open_scan(name: str, pair: Pair, data: Data) -> Scan:
    """Open a scan and its labels; they are read where they are cut, as :func:`~.mapped.indexable` says.

    Raises
    ------
    InputError
        When a file is missing or cannot be read, the scan has no contrast or NaN voxels, or the labels lie on another
        grid, are outside the table or tell nothing.
    """
    from ImplantSegLib.training.mapped import indexable, valid_voxels
    from ImplantSegLib.volumes import read

    for role, path in (("image", pair.image), ("labels", pair.labels)):
        if not Path(path).exists():
            raise InputError(f"the {role} of the scan {name}, {path}, does not exist", "correct the data of the recipe")
    image, labels = read(pair.image), read(pair.labels)
    if problems := list(grid_problems(image, labels)):
        raise InputError(
            f"{name} cannot train: {', '.join(problems)}", f"pass the labels of this scan, not {pair.labels}"
        )
    limits = cache_folder(data.cache), data.in_memory_mb * 2**20
    image = image.like(indexable(image, pair.image, *limits))
    labels = labels.like(indexable(labels, pair.labels, *limits))
    check_labels(labels, pair.labels)
    low, high = _grey_range(image, data, pair.image)
    return Scan(name, image.array, labels.array, low, high, image.spacing_mm, valid_voxels(image, *limits))


def _grey_range(image: Volume, data: Data, source: str) -> tuple[float, float]:
    """Grey values that become 0 and 1; those of a scan that was preprocessed are looked at, too."""
    from ImplantSegLib.preprocess.normalise import KEY, robust_range, value_range
    from ImplantSegLib.volumes import FieldOfView

    try:
        if KEY not in image.metadata:
            return robust_range(image, data.low_percent, data.high_percent)
        low, high = value_range(image, FieldOfView.of(image))
    except InputError as error:
        raise InputError(f"{source} cannot train: {error.message}", error.remedy) from error
    if low == high:
        raise InputError(f"{source} has the grey value {low:g} everywhere: nothing to learn from", "leave it out")
    return 0.0, 1.0
