"""The zoo: every network that can be trained and run, in one table."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ImplantSegLib.errors import InputError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class ModelSpec:
    """A network of the zoo.

    Parameters
    ----------
    constructor : callable
        Gives the class of the network; called, so that torch is imported no earlier.
    parameters : int
        Trainable parameters in the published size.
    summary : str
        What it is, in one line.
    options : mapping
        Options of the published size that differ from the defaults of the class.
    dimensions : int
        2 for a network that sees slices, 3 for one that sees blocks.
    """

    constructor: Callable[[], type[nn.Module]]
    parameters: int
    summary: str
    options: Mapping[str, Any] = field(default_factory=dict)
    dimensions: int = 2


def _unet() -> type[nn.Module]:
    from ImplantSegLib.models.unet import UNet

    return UNet


def _hrnet() -> type[nn.Module]:
    from ImplantSegLib.models.hrnet import HRNet

    return HRNet


def _u2net() -> type[nn.Module]:
    from ImplantSegLib.models.u2net import U2Net

    return U2Net


ZOO: dict[str, ModelSpec] = {
    "unet": ModelSpec(_unet, 17_262_020, "U-Net of five levels, batch normalisation and ReLU"),
    "scaled_unet": ModelSpec(
        _unet,
        17_298_660,
        "Scaled U-Net: six levels, batch normalisation and Mish",
        {"width": 32, "levels": 6, "activation": "mish"},
    ),
    "hrnet": ModelSpec(_hrnet, 55_413_712, "HR-Net of width 44: parallel branches of four resolutions"),
    "u2net": ModelSpec(_u2net, 44_050_300, "U²-Net: nested U-shaped blocks, six side outputs and their fusion"),
}


def build(name: str, **options: Any) -> nn.Module:
    """Build a network with random weights, by default in its published size.

    Parameters
    ----------
    name : str
        Key of :data:`ZOO`.
    **options
        Options of its class, for example ``width=16``.

    Returns
    -------
    torch.nn.Module
        Takes float32 images (B, 1, Y, X) in [0, 1], gives logits (B, 4, Y, X); in training mode perhaps a tuple, whose
        others are side outputs of the same shape.

    Raises
    ------
    InputError
        For a name or an option that does not exist.
    """
    return _class(name)(**all_options(name, **options))


def all_options(name: str, **options: Any) -> dict[str, Any]:
    """Give every option of a network: those given, else those of its published size.

    Raises
    ------
    InputError
        For a name or an option that does not exist.
    """
    known = {option: parameter.default for option, parameter in inspect.signature(_class(name)).parameters.items()}
    if unknown := [option for option in options if option not in known]:
        raise InputError(f"network {name!r} has no option {unknown[0]!r}", f"known options: {', '.join(known)}")
    return {**known, **ZOO[name].options, **options}


def _class(name: str) -> type[nn.Module]:
    if name not in ZOO:
        near = (difflib.get_close_matches(name, ZOO, n=1, cutoff=0) or [""])[0]
        raise InputError(f"got network {name!r}, wanted one of {', '.join(ZOO)}", f"did you mean {near!r}?")
    return ZOO[name].constructor()
