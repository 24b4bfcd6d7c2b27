"""Scans with labels that somebody made or corrected, checked before they become training data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ImplantSegLib.errors import InputError
from ImplantSegLib.inference.scanlist import read_cells
from ImplantSegLib.labels import IGNORE, NAMES
from ImplantSegLib.training.checks import grid_problems
from ImplantSegLib.volumes import Volume, read

COLUMNS = ("image", "labels", "name", "slices")

_SLAB = 32


@dataclass(frozen=True)
class Sample:
    """A scan with its labels."""

    image: Path
    """File of the scan."""
    labels: Path
    """File of its labels, on the same grid: 0 to 3, and 255 where nobody has labelled."""
    name: str = ""
    """Name in the training folder; empty: the name of the scan's file."""
    slices: tuple[int, ...] = ()
    """Slices along z that were labelled or corrected by hand, counted from 0; the others become 255. Empty: all."""

    @property
    def title(self) -> str:
        """Name in the training folder."""
        return self.name or self.image.name.partition(".")[0]

    def open_labels(self) -> Volume:
        """Open the labels, with 255 in the slices that nobody corrected."""
        volume = read(self.labels)
        return volume.like(_Corrected(volume, self.slices)) if self.slices else volume


class _Corrected:
    """Labels that are 255 but in some slices, when they are read."""

    def __init__(self, volume: Volume, slices: Iterable[int]) -> None:
        self.shape, self.dtype = volume.shape, np.dtype(np.uint8)
        self._array, self._slices = volume.array, sorted(slices)

    def __getitem__(self, z: slice) -> npt.NDArray[np.uint8]:
        block = np.asarray(self._array[z]).astype(np.uint8)
        unknown = np.isin(np.arange(self.shape[0])[z], self._slices, invert=True)
        block[unknown] = IGNORE
        return block


def read_samples(path: Path) -> list[Sample]:
    """Read a list of samples.

    Parameters
    ----------
    path : Path
        A CSV file (commas, semicolons or tabs) with the columns ``image`` and ``labels`` (paths, relative to the list)
        and, if wished, ``name`` and ``slices`` (``3 7 10:20``, the second number of a range not included).

    Raises
    ------
    InputError
        For a list without these columns, without lines, or with slices that are none.
    """
    head, *lines = read_cells(path) or [[]]
    names = [name.strip().lower() for name in head]
    if not {"image", "labels"} <= set(names) or not set(names) <= set(COLUMNS):
        raise InputError(
            f"{path} has the columns {', '.join(names) or 'none'}, wanted image, labels and perhaps name, slices",
            "correct its first line",
        )
    found = []
    for number, cells in enumerate(lines, start=2):
        where = f"line {number} of {path}"
        line = {name: cell.strip() for name, cell in zip(names, cells, strict=False)}
        if any(cell.strip() for cell in cells[len(names) :]):
            raise InputError(f"{where} has more cells than columns", "put texts with separators in quotes")
        if not any(line.values()):
            continue
        if not (line.get("image") and line.get("labels")):
            raise InputError(f"{where} names no scan or no labels", "fill in both columns")
        image, labels = (path.parent / line[role] for role in ("image", "labels"))
        found.append(Sample(image, labels, line.get("name", ""), parse_slices(line.get("slices", ""), where)))
    return found


def parse_slices(text: str, where: str = "slices") -> tuple[int, ...]:
    """Read numbers and half-open ranges of slices, ``3 7 10:20``, separated by spaces, commas or semicolons."""
    found: set[int] = set()
    for part in filter(None, re.split(r"[\s,;]+", text)):
        match = re.fullmatch(r"(\d+)(?::(\d+))?", part)
        if not match:
            message = f"{where} has the slices {part!r}, wanted numbers and ranges such as 3 7 10:20"
            raise InputError(message, "correct it")
        first = int(match[1])
        found |= set(range(first, int(match[2]))) if match[2] else {first}
    return tuple(sorted(found))


def check(samples: list[Sample]) -> None:
    """Refuse samples that cannot train, all of them in one message.

    Raises
    ------
    InputError
        Naming every such sample and what is wrong with it.
    """
    if not samples:
        raise InputError("got no samples, wanted at least one scan with labels", "add one")
    titles = [sample.title for sample in samples]
    wrong = {sample.title: list(_problems(sample, titles)) for sample in samples}
    told = [f"{title}: {', '.join(problems)}" for title, problems in wrong.items() if problems]
    if told:
        raise InputError(
            f"{len(told)} of {len(samples)} samples cannot train: {'; '.join(told)}", "correct or leave them out"
        )


def _problems(sample: Sample, titles: list[str]) -> Iterator[str]:
    if not re.fullmatch(r"\w[\w.+-]*", sample.title):
        yield "its name may hold letters, digits and . _ + - only"
    if titles.count(sample.title) > 1:
        yield f"{titles.count(sample.title)} samples have this name"
    try:
        image, labels = read(sample.image), read(sample.labels)
    except InputError as error:
        yield error.message
        return
    yield from grid_problems(image, labels)
    if sample.slices and max(sample.slices) >= labels.shape[0]:
        yield f"slice {max(sample.slices)} was corrected, but it has {labels.shape[0]} slices"
        return
    yield from _of_labels(sample.open_labels())


def _of_labels(labels: Volume) -> Iterator[str]:
    values: set[Any] = set()
    for _, slab in labels.slabs(_SLAB):
        values |= set(np.unique(slab).tolist())
    if strange := sorted(values - {*NAMES, IGNORE}):
        wanted = ", ".join(f"{value} {name}" for value, name in NAMES.items())
        yield f"its labels hold {', '.join(map(str, strange))}, wanted {wanted} or {IGNORE} (unknown)"
    if not values & (set(NAMES) - {0}):
        yield "nothing is labelled but background"
