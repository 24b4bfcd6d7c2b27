"""Cross-validation: the folds of one or several recipes, at one or several input sizes, each a run of ``train``."""

from __future__ import annotations

import dataclasses
import json
import logging
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ImplantSegLib import jobs
from ImplantSegLib.errors import InputError
from ImplantSegLib.training.command import SCORES, load_recipe, run
from ImplantSegLib.training.config import Recipe

Scores = dict[str, float | None]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Series:
    """The folds of one recipe at one input size.

    Parameters
    ----------
    name : str
        Name of the recipe.
    recipe : Recipe
        What every fold does, but for the fold's number.
    size : int
        Edge of the square patches in pixels.
    folder : Path
        Holds a folder for every fold.
    base : Path
        Folder that the recipe's paths are relative to.
    """

    name: str
    recipe: Recipe
    size: int
    folder: Path
    base: Path

    def fold(self, number: int) -> Recipe:
        """Recipe of one fold."""
        return dataclasses.replace(self.recipe, data=dataclasses.replace(self.recipe.data, fold=number))

    def folder_of(self, number: int) -> Path:
        """Folder of one fold."""
        return self.folder / f"fold-{number}"


@dataclass(frozen=True)
class Result:
    """What the folds of a series have reached; folds that are not done are absent."""

    series: Series
    folds: dict[int, Scores]

    def spread(self, score: str) -> tuple[float, float] | None:
        """Mean and standard deviation over the folds; None where no fold has the score."""
        values = [value for scores in self.folds.values() if (value := scores.get(score)) is not None]
        if not values:
            return None
        return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0

    @property
    def scores(self) -> list[str]:
        """Names of all scores, in their order."""
        return list(dict.fromkeys(name for scores in self.folds.values() for name in scores))


def plan(sources: Sequence[str], overrides: list[str], sizes: Sequence[int], folder: Path) -> list[Series]:
    """Read the recipes and say where their folds go: ``folder/RECIPE/fold-K``, or ``folder/RECIPE-SIZE/fold-K``.

    Parameters
    ----------
    sources : sequence of str
        Recipes: files, or names of packaged ones.
    overrides : list of str
        Changes of every recipe, ``run.steps=100``.
    sizes : sequence of int
        Edges of the patches in pixels; empty: that of each recipe.
    folder : Path
        Where all goes.

    Raises
    ------
    InputError
        For a recipe that cannot be read or has no folds, or two of one name.
    """
    found = []
    for source in sources:
        for size in sizes or [0]:
            patch = [f"sampling.patch=[{size}, {size}]"] if size else []
            name, recipe = load_recipe(source, [*overrides, *patch])
            _refuse_single(recipe, source)
            target = folder / (f"{name}-{size}" if size else name)
            found.append(Series(name, recipe, recipe.sampling.patch[0], target, Path(source).parent))
    names = [series.folder.name for series in found]
    if repeated := next((name for name in names if names.count(name) > 1), ""):
        raise InputError(f"{repeated!r} is given twice", "give every recipe and size once, under names of their own")
    return found


def _refuse_single(recipe: Recipe, source: str) -> None:
    if recipe.data.validation:
        raise InputError(
            f"{source} names the scans that validate ({', '.join(recipe.data.validation)}): its folds would be alike",
            "pass --set data.validation=[]",
        )
    if recipe.data.folds < 2:
        raise InputError(f"{source} has {recipe.data.folds} fold", "pass --set data.folds=4")


def chosen_folds(series: Series, folds: Iterable[int] | None) -> list[int]:
    """Folds of a series that are meant: all, or those that it has of the given ones.

    Raises
    ------
    InputError
        For a fold that it does not have.
    """
    count = series.recipe.data.folds
    chosen = sorted(set(range(count) if folds is None else folds))
    if strange := [fold for fold in chosen if not 0 <= fold < count]:
        raise InputError(f"got fold {strange[0]} of {series.name}", f"it has {count}: 0 to {count - 1}")
    return chosen


def train_folds(series: Series, folds: Sequence[int], resume: bool) -> None:
    """Train the folds of a series that are not done; a fold that is done stays as it is.

    Parameters
    ----------
    series : Series
        What to train.
    folds : sequence of int
        Which folds.
    resume : bool
        Whether an unfinished fold goes on; otherwise it is an error.
    """
    from ImplantSegLib.training.checkpoint import CHECKPOINT

    for number in folds:
        folder = series.folder_of(number)
        if (folder / SCORES).exists():
            _refuse_another_recipe(series, number)
            _log.info("%s is done", folder)
            continue
        _log.info("%s, patches of %d pixels, fold %d: %s", series.name, series.size, number, folder)
        run(series.name, series.fold(number), folder, resume and (folder / CHECKPOINT).exists(), series.base)


def _refuse_another_recipe(series: Series, number: int) -> None:
    from ImplantSegLib.training.checkpoint import refuse_changes
    from ImplantSegLib.training.network import find_start

    folder = series.folder_of(number)
    before = jobs.from_mapping(Recipe, jobs.load_toml(folder / "recipe.toml"), str(folder / "recipe.toml"))
    refuse_changes(before, find_start(series.fold(number), series.base)[0], folder)


def collect(every: Sequence[Series], folds: Iterable[int] | None) -> list[Result]:
    """Read what the folds that are done have reached.

    Raises
    ------
    InputError
        When none is done, or one was trained with another recipe.
    """
    results = []
    for series in every:
        found: dict[int, Scores] = {}
        for number in chosen_folds(series, folds):
            path = series.folder_of(number) / SCORES
            if path.exists():
                _refuse_another_recipe(series, number)
                found[number] = json.loads(path.read_text(encoding="utf-8"))["scores"]
            else:
                _log.warning("fold %d of %s is not done: %s is missing", number, series.name, path)
        results.append(Result(series, found))
    if not any(result.folds for result in results):
        raise InputError(f"no fold in {every[0].folder.parent} is done", "train some first, without --collect")
    return results


def curves(series: Series, number: int) -> list[dict[str, Any]]:
    """Give the validations of one fold from its log: each has ``step`` and ``validation``, the scores."""
    from ImplantSegLib.training.journal import read_log

    return [record for record in read_log(series.folder_of(number)) if record.get("validation")]
