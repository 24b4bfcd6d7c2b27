"""Soft Dice plus cross-entropy, with extra weight where bone and implant meet or on the hardest pixels."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch.nn import functional as F

from ImplantSegLib.labels import IGNORE, IMPLANT, NAMES, Label
from ImplantSegLib.training.config import Loss

Terms = dict[str, torch.Tensor]
Outputs = torch.Tensor | tuple[torch.Tensor, ...]


def build_loss(config: Loss) -> Callable[[Outputs, torch.Tensor], Terms]:
    """Give the loss of a recipe: a network's outputs and labels uint8 (B, Y, X) to named terms, which are summed.

    The outputs are logits (B, 4, Y, X), or several of them, the first being the answer and the others side outputs
    (deep supervision); every term is summed over them, those of the sides times ``side_weight``.

    The Dice loss is MONAI's, over the whole batch (Milletari 2016, doi 10.1109/3DV.2016.79). The cross-entropy is
    the mean weighted by :func:`pixel_weights`; class weights multiply its terms and not the sum that it is divided
    by. Pixels of label 255 count in neither part.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MONAI's optional dependencies are not ours
        from monai.losses import DiceLoss

    dice = DiceLoss(include_background=config.dice_background, batch=True, smooth_nr=1e-5, smooth_dr=1e-5)
    class_weights = torch.tensor(config.class_weights) if config.class_weights else None

    def one(logits: torch.Tensor, labels: torch.Tensor) -> Terms:
        logits = logits.float()
        known = labels != IGNORE
        classes = torch.where(known, labels, 0).long()
        terms: Terms = {}
        if config.dice:
            one_hot = F.one_hot(classes, len(NAMES)).movedim(-1, 1) * known[:, None]
            terms["dice"] = config.dice * dice(logits.softmax(1) * known[:, None], one_hot)
        if config.cross_entropy:
            weights = pixel_weights(labels, config) * known
            if config.hardest:
                weights = weights * hardest(logits.detach(), classes, known, config)
            weight = None if class_weights is None else class_weights.to(logits.device)
            entropy = F.cross_entropy(logits, classes, weight=weight, reduction="none")
            mean = (entropy * weights).sum() / weights.sum().clamp_min(1)
            terms["cross_entropy"] = config.cross_entropy * mean
        return terms

    def loss(outputs: Outputs, labels: torch.Tensor) -> Terms:
        answer, *sides = (outputs,) if isinstance(outputs, torch.Tensor) else outputs
        terms = one(answer, labels)
        for side in sides:
            for name, value in one(side, labels).items():
                terms[name] = terms[name] + config.side_weight * value
        return terms

    return loss


def pixel_weights(labels: torch.Tensor, config: Loss) -> torch.Tensor:
    """Weight of every pixel, float32 (B, Y, X): 1, and more where implant and bone are both near.

    The band holds the contact faces and the thin gaps, where a shift of one pixel makes or breaks a contact.
    """
    weights = torch.ones(labels.shape, device=labels.device)
    if config.interface_weight:
        implant = torch.isin(labels, torch.tensor(IMPLANT, dtype=labels.dtype, device=labels.device))
        both = _near(implant, config.interface_px) & _near(labels == Label.BONE, config.interface_px)
        weights += config.interface_weight * both
    return weights


def hardest(logits: torch.Tensor, classes: torch.Tensor, known: torch.Tensor, config: Loss) -> torch.Tensor:
    """Mark the pixels of a batch that are mined: the hardest ones, and all that are hard (arXiv:1604.03540).

    Parameters
    ----------
    logits : Tensor, shape (B, 4, Y, X)
        What the network says.
    classes : Tensor of int64, shape (B, Y, X)
        True class of every pixel, anything where unknown.
    known : Tensor of bool, shape (B, Y, X)
        Pixels that are labelled; others are never marked.
    config : Loss
        How many, and what hard is.

    Returns
    -------
    Tensor of bool, shape (B, Y, X)
    """
    certainty = logits.softmax(1).gather(1, classes[:, None])[:, 0]  # probability of the true class
    certainty = certainty.masked_fill(~known, 2.0)
    bound = certainty.flatten().kthvalue(min(config.hardest, certainty.numel())).values
    return known & ((certainty <= bound) | (certainty < config.hardest_below))


def _near(mask: torch.Tensor, radius: int) -> torch.Tensor:
    size = 2 * radius + 1
    values = mask[:, None].float()
    values = F.max_pool2d(values, (size, 1), stride=1, padding=(radius, 0))
    return F.max_pool2d(values, (1, size), stride=1, padding=(0, radius))[:, 0] > 0
