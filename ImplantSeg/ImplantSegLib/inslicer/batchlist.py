"""A list of scans to segment, kept in a table node of the scene and written as the list that ``segment`` reads."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ImplantSegLib.inference.scanlist import read_list
from ImplantSegLib.inslicer import cells
from ImplantSegLib.volumes.formats import FORMATS, of_input, stem

WAITING, RUNNING, DONE, FAILED, SKIPPED = "waiting", "running", "done", "failed", "skipped"
"""What can be said of a row: the words of the events of ``segment`` and one for what was not begun."""

FINISHED = (DONE, SKIPPED)

_OWN = ("input", "output", "status", "message", "node")


@dataclass(frozen=True)
class Row:
    """One scan of the list."""

    input: str
    """File or folder; of a volume of the scene its name."""
    output: str
    """Labels to write; a bare name lies in the folder of the batch."""
    status: str = WAITING
    message: str = ""
    node: str = ""
    """Role of the table's reference to a volume of the scene; empty for a scan on disk."""
    options: dict[str, str] = field(default_factory=dict)
    """Options of ``segment`` for this scan alone, by their long names with ``_`` for ``-``."""


class BatchList:
    """The rows of a batch in a table node; whatever changes them writes the node anew.

    Parameters
    ----------
    table : vtkMRMLTableNode
        Where the rows are kept, so that they are saved with the scene.
    """

    def __init__(self, table: Any) -> None:
        self.table = table

    @classmethod
    def new(cls) -> BatchList:
        """Make an empty list in the scene."""
        return cls(cells.new("ImplantSeg batch", _OWN))

    def rows(self) -> list[Row]:
        """Read the rows."""
        found = []
        for row in cells.read(self.table):
            own = {name: row.pop(name, "") for name in _OWN}
            found.append(Row(**own, options={name: text for name, text in row.items() if text}))
        return found

    def put(self, rows: Sequence[Row]) -> None:
        """Replace all rows."""
        options = dict.fromkeys(name for row in rows for name in row.options)
        own = [{name: getattr(row, name) for name in _OWN} for row in rows]
        texts = [{**row.options, **cell} for row, cell in zip(rows, own, strict=True)]
        cells.write(self.table, [*_OWN, *options], texts)

    def change(self, index: int, status: str, message: str = "") -> None:
        """Tell what became of a row."""
        rows = self.rows()
        rows[index] = replace(rows[index], status=status, message=message)
        self.put(rows)

    def remove(self, indices: Iterable[int]) -> None:
        """Take rows out; what was written stays on disk."""
        gone, rows = set(indices), self.rows()
        for index in gone:
            if rows[index].node:
                self.table.RemoveNodeReferenceIDs(rows[index].node)
        self.put([row for index, row in enumerate(rows) if index not in gone])

    def add_paths(self, paths: Iterable[Path]) -> None:
        """Add scans on disk that are not in the list yet."""
        self._append(Row(str(path), f"{stem(path)}.seg.nrrd") for path in paths)

    def add_volume(self, node: Any) -> None:
        """Add a volume of the scene that is not in the list yet."""
        if any(self.volume(row) is node for row in self.rows()):
            return
        role = cells.refer(self.table, "scan", node)
        self._append([Row(node.GetName(), f"{_plain(node.GetName())}.seg.nrrd", node=role)])

    def add_csv(self, path: Path) -> None:
        """Add the rows of a list as ``segment`` reads it: ``input``, and optionally ``output`` and options.

        Raises
        ------
        InputError
            When it is no such list.
        """
        folder, rows = path.parent, []
        for row in read_list(path):
            scan, output = folder / row.pop("input"), row.pop("output", "")
            labels = str(folder / output) if output else f"{stem(scan)}.seg.nrrd"
            rows.append(Row(str(scan), labels, options={name: _found(text, folder) for name, text in row.items()}))
        self._append(rows)

    def volume(self, row: Row) -> Any:
        """Give the volume of the scene that a row stands for; ``None`` for a scan on disk, or one that is gone."""
        return self.table.GetNodeReference(row.node) if row.node else None

    def _append(self, new: Iterable[Row]) -> None:
        rows = self.rows()
        # one scan may be in the list twice, with other options: cut into two parts, or with two models
        known = [(row.input, row.options) for row in rows if not row.node]
        outputs = {text for row in rows for text in (row.output, Path(row.output).name)}
        for row in new:
            if row.node or (row.input, row.options) not in known:
                unique = replace(row, output=_unique(row.output, outputs))
                rows.append(unique)
                known.append((row.input, row.options))
                outputs |= {unique.output, Path(unique.output).name}
        self.put(rows)


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write the list that ``implantseg segment LIST --resume`` reads."""
    options = list(dict.fromkeys(name for row in rows for name in row.options))
    with path.open("w", encoding="utf-8", newline="") as stream:
        lines = csv.DictWriter(stream, ["input", "output", *options], restval="", lineterminator="\n")
        lines.writeheader()
        lines.writerows({"input": row.input, "output": row.output, **row.options} for row in rows)


def scans_in(folder: Path) -> list[Path]:
    """Tell which folders of slices were meant: the folder, or those in it where it holds none itself."""
    if _is_scan(folder):
        return [folder]
    return sorted(inside for inside in folder.iterdir() if inside.is_dir() and _is_scan(inside))


def _is_scan(folder: Path) -> bool:
    slices = FORMATS["tiff"].suffixes
    return of_input(folder) == "zarr" or any(path.name.lower().endswith(slices) for path in folder.iterdir())


def _found(text: str, folder: Path) -> str:
    """Text of an option; a file beside the list it comes from is named so that it is found from everywhere."""
    return str(folder / text) if (folder / text).exists() else text


def _plain(name: str) -> str:
    """Name that every file system takes."""
    return "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in name)


def _unique(output: str, taken: set[str]) -> str:
    path, number = Path(output), 2
    while output in taken:
        output = str(path.with_name(f"{stem(path)}-{number}.seg.nrrd"))
        number += 1
    return output
