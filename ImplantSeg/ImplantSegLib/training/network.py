"""The network of a run and the weights that it starts from: random ones, or those of another model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from ImplantSegLib import models
from ImplantSegLib.errors import InputError
from ImplantSegLib.models import registry
from ImplantSegLib.training.config import Recipe


def find_start(recipe: Recipe, base: Path | None = None) -> tuple[Recipe, models.Bundle | None]:
    """Find the model whose weights a run starts from.

    Parameters
    ----------
    recipe : Recipe
        Names it in ``model.init_from``.
    base : Path, optional
        Folder of the recipe's file, to which a path is relative when it leads to a file.

    Returns
    -------
    recipe : Recipe
        The same; with the options of that model where it gives none.
    bundle : Bundle or None
        The model; None when the run starts from random weights.

    Raises
    ------
    InputError
        When there is no such model, or it has another network or other options.
    """
    wanted = recipe.model
    if not wanted.init_from:
        return recipe, None
    beside = base / wanted.init_from if base is not None else Path(wanted.init_from)
    bundle = models.load(beside if beside.is_file() else registry.find(wanted.init_from))
    if wanted.network != bundle.network:
        raise _other_network(bundle, "network", bundle.network, wanted.network)
    if not wanted.options:
        return dataclasses.replace(recipe, model=dataclasses.replace(wanted, options=dict(bundle.options))), bundle
    theirs, ours = (_plain(models.all_options(wanted.network, **given)) for given in (bundle.options, wanted.options))
    for option, value in theirs.items():
        if ours[option] != value:
            raise _other_network(bundle, f"options.{option}", value, ours[option])
    return recipe, bundle


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}


def _other_network(bundle: models.Bundle, key: str, theirs: Any, ours: Any) -> InputError:
    return InputError(
        f"the recipe has model.{key} = {ours!r}, but the model {bundle.name!r} to start from has {theirs!r}",
        "correct the recipe, or leave model.options out to take those of the model",
    )


def build_network(recipe: Recipe, start: models.Bundle | None = None) -> torch.nn.Module:
    """Network in the memory layout that convolutions are fastest in.

    Its weights are those of ``start``, all of them and its heads too, or random ones of the recipe's seed.

    Raises
    ------
    InputError
        When the network is unknown, or the weights of ``start`` are damaged or do not fit it.
    """
    if start is not None:
        network = start.load_network().train()
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.run.seed)
            network = models.build(recipe.model.network, **recipe.model.options)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def training_mode(network: torch.nn.Module, freeze_norm: bool) -> None:
    """Let a network train; its batch statistics stay as they are when ``freeze_norm``, and are then what it uses."""
    network.train()
    if freeze_norm:
        for module in network.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.eval()


def check_patch(network: torch.nn.Module, recipe: Recipe) -> None:
    """Refuse patches that are too small for the network.

    Raises
    ------
    InputError
        When patches are smaller than that.
    """
    smallest = int(getattr(network, "smallest_input", 1))
    if min(recipe.sampling.patch) < smallest:
        raise InputError(
            f"got patches of {recipe.sampling.patch} pixels, wanted at least {smallest} for {recipe.model.network!r}",
            "correct sampling.patch",
        )
