"""Pairs of a scan and its segmentation that are to become training data, kept in a table node of the scene."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import slicer

from ImplantSegLib.errors import InputError
from ImplantSegLib.inslicer import cells, classes, mrml

_COLUMNS = ("name", "scan", "segmentation", "used", "slices")
_YES, _NO = "yes", "no"


@dataclass(frozen=True)
class Pair:
    """A scan and its segmentation."""

    name: str
    """Name in the training folder."""
    scan: str
    """Role of the table's reference to the scan."""
    segmentation: str
    """Role of the table's reference to the segmentation."""
    used: str = _YES
    """Whether it is exported: ``yes`` or ``no``."""
    slices: str = ""
    """Slices that were corrected, such as ``10, 20-25``; empty for all."""

    @property
    def chosen(self) -> bool:
        """Whether it is exported."""
        return self.used == _YES


class TrainingList:
    """The pairs in a table node.

    Parameters
    ----------
    table : vtkMRMLTableNode
        Where the pairs are kept, so that they are saved with the scene.
    """

    def __init__(self, table: Any) -> None:
        self.table = table

    @classmethod
    def new(cls) -> TrainingList:
        """Make an empty list in the scene."""
        return cls(cells.new("ImplantSeg training data", _COLUMNS))

    def pairs(self) -> list[Pair]:
        """Read the pairs."""
        return [Pair(**row) for row in cells.read(self.table)]

    def put(self, pairs: Sequence[Pair]) -> None:
        """Replace all pairs."""
        cells.write(self.table, _COLUMNS, [asdict(pair) for pair in pairs])

    def nodes(self, pair: Pair) -> tuple[Any, Any]:
        """Scan and segmentation of a pair; ``None`` for what is no longer in the scene."""
        return self.table.GetNodeReference(pair.scan), self.table.GetNodeReference(pair.segmentation)

    def add(self, scan: Any, segmentation: Any) -> None:
        """Add a pair that is not in the list yet."""
        pairs = self.pairs()
        if any(self.nodes(pair) == (scan, segmentation) for pair in pairs):
            return
        taken, name, number = {pair.name for pair in pairs}, _plain(scan.GetName()), 2
        while name in taken:
            name, number = f"{_plain(scan.GetName())}-{number}", number + 1
        roles = cells.refer(self.table, "scan", scan), cells.refer(self.table, "segmentation", segmentation)
        self.put([*pairs, Pair(name, *roles)])

    def change(self, index: int, name: str, slices: str, used: bool) -> None:
        """Change what a user can change of a pair."""
        pairs = self.pairs()
        pairs[index] = replace(pairs[index], name=name.strip(), slices=slices.strip(), used=_YES if used else _NO)
        self.put(pairs)

    def remove(self, indices: Sequence[int]) -> None:
        """Take pairs out; the nodes stay."""
        pairs = self.pairs()
        for index in indices:
            for role in (pairs[index].scan, pairs[index].segmentation):
                self.table.RemoveNodeReferenceIDs(role)
        self.put([pair for index, pair in enumerate(pairs) if index not in indices])

    def problem(self, pair: Pair) -> str:
        """Tell why a pair cannot be exported, without looking at its voxels; empty where it can."""
        scan, segmentation = self.nodes(pair)
        if scan is None or segmentation is None:
            return "its scan or segmentation is no longer in the scene"
        try:
            mrml.check_scan(scan)
            classes.find(segmentation)
            corrected = slices_of(pair.slices)
        except InputError as error:
            return str(error)
        depth = scan.GetImageData().GetDimensions()[2]
        if corrected and corrected[-1] >= depth:
            return f"slice {corrected[-1]} was corrected, but {scan.GetName()} has the slices 0 to {depth - 1}"
        if not re.fullmatch(r"\w[\w.+-]*", pair.name):
            return f"the name {pair.name!r} may hold letters, digits and . _ + - only"
        return ""

    def save(self, pairs: Sequence[Pair], folder: Path) -> Path:
        """Write the pairs as files and the list of them that ``export-training`` reads.

        Raises
        ------
        InputError
            When a segmentation does not lie on its scan, or the disk is full.
        """
        lines = []
        for number, pair in enumerate(pairs):
            scan, segmentation = self.nodes(pair)
            image = mrml.file_of(scan) or mrml.save_volume(scan, folder / f"scan{number}.nrrd")
            labels = classes.save(classes.labels_on(segmentation, scan), scan, folder / f"labels{number}.nrrd")
            slices = " ".join(map(str, slices_of(pair.slices)))
            lines.append({"image": str(image), "labels": str(labels), "name": pair.name, "slices": slices})
        path = folder / "samples.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            table = csv.DictWriter(stream, list(lines[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(lines)
        return path


def suggest() -> list[tuple[Any, Any]]:
    """Find the scan of every segmentation: the one that it was made on, else the one that its name begins with.

    Returns
    -------
    list of (vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode)
        Segmentations for which a scan was found.
    """
    volumes = [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        if not node.IsA("vtkMRMLLabelMapVolumeNode")
    ]
    pairs = [(_scan_of(node, volumes), node) for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")]
    return [(scan, node) for scan, node in pairs if scan is not None]


def _scan_of(node: Any, volumes: Sequence[Any]) -> Any:
    source = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
    if source in volumes:
        return source
    named = [volume for volume in volumes if node.GetName().lower().startswith(volume.GetName().lower())]
    return max(named, key=lambda volume: len(volume.GetName()), default=None)


def slices_of(text: str) -> list[int]:
    """Read slices as people write them: ``10, 20-25`` are 10 and 20 to 25, counted from 0; nothing stands for all.

    Raises
    ------
    InputError
        When it is something else.
    """
    found: set[int] = set()
    for part in filter(None, re.split(r"[\s,;]+", re.sub(r"\s*-\s*", "-", text))):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise InputError(
                f"got the slices {part!r}", "write numbers and ranges such as 10, 20-25, or nothing for all"
            )
        found |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
    return sorted(found)


def _plain(name: str) -> str:
    """Name that a folder may have."""
    plain = re.sub(r"[^\w.+-]+", "_", name).strip("_")
    return plain if re.match(r"\w", plain) else f"scan{plain}"
