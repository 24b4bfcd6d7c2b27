"""How weights change: the optimiser, its learning rate, and the moving average of the weights."""

from __future__ import annotations

import math

import torch

from ImplantSegLib.training.config import Optimiser


def build_optimiser(network: torch.nn.Module, config: Optimiser) -> torch.optim.Optimizer:
    """Give the optimiser of a recipe."""
    if config.kind == "sgd":
        return torch.optim.SGD(
            network.parameters(),
            lr=config.lr,
            momentum=config.momentum,
            nesterov=config.nesterov,
            weight_decay=config.weight_decay,
        )
    return torch.optim.AdamW(network.parameters(), lr=config.lr, weight_decay=config.weight_decay)


def learning_rate(config: Optimiser, step: int, steps: int) -> float:
    """Learning rate of a step, counted from 0, of ``steps`` in all."""
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    done = (step - config.warmup) / max(steps - config.warmup, 1)
    factor = {"cosine": 0.5 * (1 + math.cos(math.pi * done)), "poly": (1 - done) ** 0.9, "constant": 1.0}
    return config.lr * factor[config.schedule]


def average_decay(config: Optimiser, step: int) -> float:
    """Decay of the moving average in a step: a short memory at first, so that the random start is forgotten."""
    return min(config.ema, (1 + step) / (10 + step))


@torch.no_grad()
def update_average(average: torch.nn.Module, network: torch.nn.Module, decay: float) -> None:
    """Move the average of weights and batch statistics towards the network: decay · average + (1 − decay) · network."""
    for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)
