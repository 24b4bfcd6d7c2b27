"""Validation scores of trainings, for figure 2: given in the cohort file, or read from what the trainings left."""

from __future__ import annotations

import csv
import json
import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ImplantSegLib.errors import InputError
from ImplantSegLib.files import explained_os_errors
from ImplantSegQuantLib.study.cohort import Training

KEY = "mean_iou_percent"

_WANTED = f"wanted the folder of `implantseg train`, or a JSON, JSONL or CSV file with {KEY}"


@dataclass(frozen=True)
class Trained:
    """A network at one input size, with its validation mIoU in every fold, in %."""

    model: str
    framework: str
    input_size: tuple[int, ...]
    folds: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over the folds, in %."""
        return statistics.fmean(self.folds)

    @property
    def sd(self) -> float | None:
        """Standard deviation over the folds (n − 1), in %; None with one fold."""
        return statistics.stdev(self.folds) if len(self.folds) > 1 else None

    @property
    def size_text(self) -> str:
        """Input size as people read it."""
        return " × ".join(map(str, self.input_size))

    @property
    def side(self) -> float:
        """Side of a square or cube as large as the input, in pixels."""
        return math.prod(self.input_size) ** (1 / len(self.input_size))


def trained(entries: Iterable[Training]) -> list[Trained]:
    """Give the scores of trainings; entries of one model, framework and input size are folds of one training.

    Raises
    ------
    InputError
        For a run that left no score.
    """
    found: dict[tuple[str, str, tuple[int, ...]], list[float]] = {}
    for entry in entries:
        scores = [*entry.mean_iou_percent, *(score for run in entry.runs for score in scores_of(Path(run)))]
        found.setdefault((entry.model, entry.framework, tuple(entry.input_size)), []).extend(scores)
    return [Trained(*key, tuple(folds)) for key, folds in found.items()]


def by_framework(found: Iterable[Trained]) -> dict[str, list[Trained]]:
    """Trainings of networks that were tried at several input sizes, by framework: panel A of figure 2."""
    all_of = list(found)
    groups: dict[str, list[Trained]] = {}
    for one in all_of:
        if len({other.input_size for other in _alike(one, all_of)}) > 1:
            groups.setdefault(one.framework, []).append(one)
    return groups


def best(found: Iterable[Trained]) -> list[Trained]:
    """Give every network at the input size with the best mean, in the order given: panel B of figure 2."""
    all_of = list(found)
    return [one for one in all_of if one.mean == max(other.mean for other in _alike(one, all_of))]


def _alike(one: Trained, found: Iterable[Trained]) -> list[Trained]:
    return [other for other in found if (other.model, other.framework) == (one.model, one.framework)]


def scores_of(path: Path) -> list[float]:
    """Read the validation mIoU, in %, of a run of one fold, or of a table of several.

    Parameters
    ----------
    path : Path
        Folder of ``implantseg train``: the score of the weights that it kept, from ``model.safetensors``, else the best
        in ``log.jsonl``. Or a file: ``.jsonl`` as that log; ``.json`` with ``mean_iou_percent``, a number or a list of
        them; ``.csv`` with a column of that name; ``.safetensors``.

    Raises
    ------
    InputError
        When there is no such file, or no score in it.
    """
    if path.is_dir():
        names = ("model.safetensors", "log.jsonl")
        path = next((path / name for name in names if (path / name).is_file()), path)
    read = _READERS.get(path.suffix.lower())
    if read is None or not path.is_file():
        raise InputError(f"got {path} as a training, {_WANTED}", "correct the path")
    try:
        with explained_os_errors(path, "read"):
            scores = [float(score) for score in read(path)]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        scores = []
    if not scores or not all(0 <= score <= 100 for score in scores):
        raise InputError(f"{path} tells no {KEY} between 0 and 100; {_WANTED}", "pass what the training left")
    return scores


def _of_log(path: Path) -> list[Any]:
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    scores = [(record.get("validation") or record).get(KEY) for record in records]
    return [max(score for score in scores if score is not None)]


def _of_json(path: Path) -> list[Any]:
    scores = json.loads(path.read_text(encoding="utf-8"))[KEY]
    return scores if isinstance(scores, list) else [scores]


def _of_csv(path: Path) -> list[Any]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return [line[KEY] for line in csv.DictReader(stream)]


def _of_bundle(path: Path) -> list[Any]:
    from ImplantSegLib.models import load

    return [load(path).scores[KEY]]


_READERS = {".jsonl": _of_log, ".json": _of_json, ".csv": _of_csv, ".safetensors": _of_bundle}
