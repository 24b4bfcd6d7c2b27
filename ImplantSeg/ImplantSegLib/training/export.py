"""A training folder: scans with labels, a recipe and a SLURM script, ready to be carried to a cluster."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from ImplantSegLib import jobs
from ImplantSegLib.errors import InputError
from ImplantSegLib.files import check_writable, write_text
from ImplantSegLib.training import samples as checks
from ImplantSegLib.training.config import Recipe
from ImplantSegLib.training.samples import Sample
from ImplantSegLib.volumes import read, write

SCANS = "scans"
RECIPE = "recipe.toml"
SCRIPT = "train.sbatch"
RUN = "run"
"""Folder of the result, beside the recipe."""

MOST_FOLDS = 4

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cluster:
    """What the SLURM script asks for."""

    partition: str = ""
    """Partition (queue) of the cluster; empty: its default one."""
    gpus: int = 1
    """GPUs; one is used."""
    cores: int = 8
    """Cores."""
    memory: str = "32G"
    """Memory, in SLURM's words."""
    hours: float = 24.0
    """Longest time of one turn; a training that needs longer goes on in the next turn by itself."""
    setup: tuple[str, ...] = field(default_factory=tuple)
    """Lines of shell that make the program ``implantseg`` available, such as ``module load python``."""

    def __post_init__(self) -> None:
        if self.gpus < 0 or self.cores < 1 or not 0 < self.hours < math.inf:
            raise InputError(
                f"got {self.gpus} GPUs, {self.cores} cores and {self.hours:g} hours for the cluster",
                "wanted at least 0, at least 1, and more than 0",
            )
        if not re.fullmatch(r"\d+(\.\d+)?[KMGT]?", self.memory):
            raise InputError(f"got the memory {self.memory!r}, wanted SLURM's words", "pass, for example, 32G")
        if not re.fullmatch(r"[\w.,-]*", self.partition):
            raise InputError(f"got the partition {self.partition!r}, wanted its name", "see `sinfo` on the cluster")

    @property
    def time(self) -> str:
        """Longest time in SLURM's words, hours:minutes:seconds."""
        minutes = max(round(60 * self.hours), 5)  # a turn ends two minutes early, to write its checkpoint
        return f"{minutes // 60:02d}:{minutes % 60:02d}:00"


@dataclass(frozen=True)
class Options:
    """How a training folder is written."""

    overrides: tuple[str, ...] = ()
    """Changes of the recipe, ``run.steps=1000``."""
    cluster: Cluster = field(default_factory=Cluster)
    """What the SLURM script asks for."""
    replace: bool = False
    """Whether scans of the same name, the recipe and the script that are there already are overwritten."""


def write_training_folder(
    folder: Path, samples: Sequence[Sample], recipe_name: str = "compact_unet", options: Options | None = None
) -> list[Path]:
    """Write a training folder, or add scans to one.

    Parameters
    ----------
    folder : Path
        Receives ``scans/NAME/image.nrrd`` and ``labels.seg.nrrd``, ``recipe.toml`` and ``train.sbatch``. A sample whose
        scan lies at its place already stays there.
    samples : sequence of Sample
        What trains.
    recipe_name : str
        Packaged recipe that the recipe is made from.
    options : Options, optional
        Changes of the recipe, what the script asks for, what may be overwritten.

    Returns
    -------
    list of Path
        Files that were written.

    Raises
    ------
    InputError
        For samples that cannot train (all told at once), an unknown recipe, or a folder that cannot be written. Nothing
        is written then.
    """
    options = options or Options()
    check_writable(folder)
    checks.check(list(samples))
    for sample in samples:
        _refuse_taken(folder / SCANS / sample.title, sample, options)
    names = {sample.title for sample in samples} | _scans_in(folder)
    texts = {
        folder / RECIPE: _recipe(recipe_name, len(names), options.overrides),
        folder / SCRIPT: _script(folder, options.cluster),
    }
    written = [path for sample in samples for path in _write_sample(sample, folder / SCANS / sample.title)]
    for path, text in texts.items():
        if path.exists() and not options.replace:
            _log.warning("%s is there already and stays as it is; pass --replace to write it anew", path)
            continue
        write_text(path, text)
        written.append(path)
    return written


def _refuse_taken(place: Path, sample: Sample, options: Options) -> None:
    own = place / "image.nrrd"
    if own.exists() and not options.replace and not own.samefile(sample.image):
        raise InputError(f"{place} is there already", "name the sample otherwise, or pass --replace")


def _scans_in(folder: Path) -> set[str]:
    return {path.parent.name for path in (folder / SCANS).glob("*/image.nrrd")}


def _write_sample(sample: Sample, place: Path) -> list[Path]:
    image, labels = place / "image.nrrd", place / "labels.seg.nrrd"
    written = []
    if not (image.exists() and image.samefile(sample.image)):
        write(read(sample.image), image)
        written.append(image)
    if sample.slices or not (labels.exists() and labels.samefile(sample.labels)):
        write(sample.open_labels(), labels)
        written.append(labels)
    return written


def _recipe(name: str, scans: int, overrides: Sequence[str]) -> str:
    """Text of the recipe: the packaged one with its comments, on the scans beside it."""
    import tomlkit

    from ImplantSegLib.training.command import packaged_recipes

    packaged = packaged_recipes()
    if name not in packaged:
        raise InputError(f"got the recipe {name!r}", f"choose one of: {', '.join(packaged)}")
    document = tomlkit.parse(packaged[name].read_text(encoding="utf-8"))
    folds = max(1, min(scans, MOST_FOLDS))
    data: Any = document["data"]
    data["cohort"] = SCANS
    data["folds"] = folds
    data.pop("validation", None)
    _merge(document, jobs.with_overrides({}, [f"model.summary={_summary(name, scans)}", *overrides]))
    body = "\n".join(line for line in tomlkit.dumps(document).splitlines() if not line.startswith("#")).strip()
    jobs.from_mapping(Recipe, tomlkit.parse(body).unwrap(), RECIPE)
    return f"{_head(name, folds)}\n\n{body}\n"


def _merge(table: Any, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping) and key in table:
            _merge(table[key], value)
        else:
            table[key] = value


def _summary(name: str, scans: int) -> str:
    return f"{name} trained on {scans} scan{'s' if scans > 1 else ''}"


def _head(name: str, folds: int) -> str:
    validation = (
        f"one scan in {folds} validates, beginning with the first (--fold K: with another one)"
        if folds > 1
        else "one scan trains and none validates: add scans to learn how good the model is"
    )
    return (
        f"# implantseg train {RECIPE} -o {RUN}\n\n"
        f"# In this folder; --resume goes on after an interruption. On a SLURM cluster: sbatch {SCRIPT}\n"
        f"# Made from the recipe {name} for the scans in {SCANS}/; {validation}."
    )


def _script(folder: Path, cluster: Cluster) -> str:
    from jinja2 import Environment, StrictUndefined

    template = (resources.files("ImplantSegLib") / "data" / f"{SCRIPT}.j2").read_text(encoding="utf-8")
    jinja = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    name = re.sub(r"\W+", "-", folder.resolve().name)
    return jinja.from_string(template).render(name=name, cluster=cluster, recipe=RECIPE, run=RUN)
