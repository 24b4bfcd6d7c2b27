"""What a run needs to go on after a kill: checkpoints that are whole or absent."""

from __future__ import annotations

import dataclasses
import json
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

from ImplantSegLib import jobs
from ImplantSegLib.errors import InputError
from ImplantSegLib.files import atomic_path, explained_os_errors
from ImplantSegLib.training.config import Recipe

CHECKPOINT = "checkpoint.pt"

MAY_CHANGE = (
    "data.cache",
    "data.in_memory_mb",
    "run.max_minutes",
    "run.devices",
    "run.nodes",
    "run.threads",
    "run.workers",
    "run.device",
    "run.checkpoint_every",
    "run.tensorboard",
)
"""Keys of the recipe that a resumed run may change: they say where and how fast, not what."""


_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, pickle.UnpicklingError),
    *(RuntimeError, EOFError, KeyError, OSError, ValueError),
)
"""What reading a damaged checkpoint raises, found by flipping its bits."""


def save(folder: Path, state: dict[str, Any], recipe: Recipe) -> None:
    """Write the checkpoint: tensors, numbers and text only, so that reading it executes nothing.

    Raises
    ------
    InputError
        When the disk is full or the folder may not be written; an earlier checkpoint is left as it was.
    """
    import torch

    # into a stream, as torch hides the reason when it writes to a path and the disk is full
    with atomic_path(folder / CHECKPOINT) as temporary, temporary.open("wb") as stream:
        torch.save({**state, "recipe": json.dumps(dataclasses.asdict(recipe))}, stream)


def load(folder: Path, recipe: Recipe) -> dict[str, Any]:
    """Read the checkpoint of the same recipe.

    Raises
    ------
    InputError
        When there is none, it is damaged, or it belongs to another recipe.
    """
    import torch

    path = folder / CHECKPOINT
    if not path.is_file():
        raise InputError(f"{folder} holds no checkpoint to resume", "start without --resume")
    with explained_os_errors(path, "read"):
        path.open("rb").close()  # what fails from here on is damage
    try:
        _check_sums(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
        before = json.loads(state.pop("recipe"))
    except _DAMAGE as error:
        raise InputError(f"the checkpoint {path} is damaged", "start again in another folder") from error
    # keys that the recipes of earlier versions did not have had their default values
    refuse_changes(jobs.from_mapping(Recipe, before, str(path)), recipe, folder)
    return state


def _check_sums(path: Path) -> None:
    """Compare every file of the archive with its checksum: torch does not, and a flipped bit would change a weight."""
    with zipfile.ZipFile(path) as archive:
        if archive.testzip() is not None:
            raise zipfile.BadZipFile


def refuse_changes(before: Recipe, now: Recipe, folder: Path) -> None:
    """Refuse a recipe that says another thing than that of a run; it may say otherwise where and how fast.

    Raises
    ------
    InputError
        Naming the first key that differs.
    """
    old, new = _flat(dataclasses.asdict(before)), _flat(dataclasses.asdict(now))
    if changed := sorted(key for key in old | new if old.get(key) != new.get(key) and key not in MAY_CHANGE):
        key = changed[0]
        raise InputError(
            f"the run in {folder} had {key} = {old.get(key)!r}, now it is {new.get(key)!r}",
            "resume with the same recipe, or start in another folder",
        )


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in values.items():
        result |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return result
