"""What is minimised: overlap, cross-entropy, distance to the border and the number of contact faces, as named terms.

Every term is a function of the labels of a batch that gives a function of logits, so that what only depends on the
truth is made once for all outputs of a network. docs/training.md has the formulas.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch.nn import functional as F

from ImplantSegLib.labels import IGNORE, IMPLANT, NAMES, Label
from ImplantSegLib.training.config import Loss

Terms = dict[str, torch.Tensor]
Outputs = torch.Tensor | tuple[torch.Tensor, ...]
Score = Callable[[torch.Tensor], torch.Tensor]


def build_loss(config: Loss) -> Callable[[Outputs, torch.Tensor], Terms]:
    """Give the loss of a recipe: a network's outputs and labels uint8 (B, Y, X) to named terms, which are summed.

    The outputs are logits (B, 4, Y, X), or several of them, the first being the answer and the others side outputs
    (deep supervision); every term is summed over them, those of the sides times ``side_weight``. Terms are float32
    and already multiplied by their weights; those of weight 0 are absent. Pixels of label 255 count in none.
    """
    terms = {name: term for name, term in TERMS.items() if getattr(config, name)}
    if config.dice:
        _monai_dice(config.dice_background)  # a missing MONAI is told before the training starts

    def loss(outputs: Outputs, labels: torch.Tensor) -> Terms:
        scores = {name: term(labels, config) for name, term in terms.items()}
        answer, *sides = (outputs,) if isinstance(outputs, torch.Tensor) else outputs

        def total(score: Score) -> torch.Tensor:
            value = score(answer.float())
            for side in sides:
                value = value + config.side_weight * score(side.float())
            return value

        return {name: getattr(config, name) * total(score) for name, score in scores.items()}

    return loss


def dice(labels: torch.Tensor, config: Loss) -> Score:
    """Soft Dice of the classes over the whole batch (Milletari 2016, doi 10.1109/3DV.2016.79), which is MONAI's."""
    known, _, truth = _known(labels)
    loss = _monai_dice(config.dice_background)
    return lambda logits: loss(logits.softmax(1) * known, truth)


@cache
def _monai_dice(background: bool) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MONAI's optional dependencies are not ours
        from monai.losses import DiceLoss

    return DiceLoss(include_background=background, batch=True, smooth_nr=1e-5, smooth_dr=1e-5)


def cross_entropy(labels: torch.Tensor, config: Loss) -> Score:
    """Mean cross-entropy, weighted by :func:`pixel_weights`, over all pixels or the hardest ones.

    Class weights multiply its terms and not the sum that it is divided by.
    """
    known, classes, _ = _known(labels)
    weights = pixel_weights(labels, config) * known[:, 0]
    class_weights = torch.tensor(config.class_weights, device=labels.device) if config.class_weights else None

    def mean(logits: torch.Tensor) -> torch.Tensor:
        entropy = F.cross_entropy(logits, classes, weight=class_weights, reduction="none")
        counted = weights
        if config.hardest:
            counted = weights * hardest(logits.detach(), classes, known[:, 0], config)
        return (entropy * counted).sum() / counted.sum().clamp_min(1)

    return mean


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


def _near(mask: torch.Tensor, radius: int) -> torch.Tensor:
    size = 2 * radius + 1
    values = mask[:, None].float()
    values = F.max_pool2d(values, (size, 1), stride=1, padding=(radius, 0))
    return F.max_pool2d(values, (1, size), stride=1, padding=(0, radius))[:, 0] > 0


def hardest(logits: torch.Tensor, classes: torch.Tensor, known: torch.Tensor, config: Loss) -> torch.Tensor:
    """Mark the pixels of a batch that are mined: online hard example mining (OHEM, arXiv:1604.03540) as HRNet has it.

    Counted are the pixels whose true class is less probable than a bound: ``hardest_below``, or the probability of
    the easiest but ``hardest`` when that is higher. Pixels as easy as the bound do not count, so a batch of which
    nearly all is certain is not diluted by them.

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
    rank = min(config.hardest + 1, certainty.numel())  # of the first pixel that need not be kept
    bound = certainty.flatten().kthvalue(rank).values.clamp_min(config.hardest_below)
    return known & (certainty < bound)


def boundary(labels: torch.Tensor, config: Loss) -> Score:
    """Mismatch, weighted by how far from the true border it lies (Kervadec 2021, doi 10.1016/j.media.2020.101851).

    The published integral of probability times signed distance, less its value for the truth, so that a perfect
    answer costs nothing; its gradient is the same. Distances are cut at ``boundary_px``, in units of which they
    count. The sum over classes is averaged over the known pixels.
    """
    known, _, truth = _known(labels)
    weights = signed_distances(labels, config.boundary_px) / config.boundary_px * known
    pixels = known.sum().clamp_min(1)
    return lambda logits: (weights * (logits.softmax(1) - truth)).sum() / pixels


def signed_distances(labels: torch.Tensor, limit: int) -> torch.Tensor:
    """Distance of every pixel to the border of every class, negative inside, in pixels.

    Parameters
    ----------
    labels : Tensor of uint8, shape (B, Y, X)
        Classes; pixels of label 255 belong to none and make no border.
    limit : int
        Longer distances become this one; a class that is absent is that far away.

    Returns
    -------
    Tensor of float32, shape (B, 4, Y, X)
        From centre to centre of the nearest pixel of the class (outside) or of another class (inside), less half a
        pixel, since the border lies between two pixels.
    """
    outside = _distances_to(torch.stack([labels == value for value in NAMES], 1), limit + 1)
    own = outside == 0
    others = [[other for other in NAMES if other != value] for value in NAMES]
    inside = torch.stack([outside[:, classes].amin(1) for classes in others], 1)
    return torch.where(own, 0.5 - inside, outside - 0.5).clamp(-limit, limit)


def _distances_to(masks: torch.Tensor, limit: int) -> torch.Tensor:
    """Distance in pixels, at most ``limit``, to the nearest pixel of a mask (…, Y, X) in its own plane.

    Exact: squared distances along rows, then the least of them plus the square along columns. Made where the labels
    are, which on a GPU spares the way to the CPU and back.
    """
    squared = torch.where(masks, 0, limit * limit).to(torch.int32)
    for axis in (-1, -2):
        extent, before = squared.shape[axis], squared
        squared = before.clone()
        for offset in range(1, min(limit, extent)):
            length = extent - offset
            low, high = squared.narrow(axis, 0, length), squared.narrow(axis, offset, length)
            torch.minimum(low, before.narrow(axis, offset, length) + offset * offset, out=low)
            torch.minimum(high, before.narrow(axis, 0, length) + offset * offset, out=high)
    return squared.float().sqrt()


def contact(labels: torch.Tensor, config: Loss) -> Score:
    """Error of the number of contact faces and of free faces of the implant, as logarithms of their ratios.

    Contact faces C lie between implant and bone, free faces F between implant and background; both decide the
    bone–implant contact C / (C + F). The relative error of that is, to first order, 1 − BIC times the difference of
    theirs, so each is asked to be right by itself, and a rough surface with too many of both gains nothing. For
    each patch it is |log((C + k) / (C* + k))| + |log((F + k) / (F* + k))| with the true numbers C*, F* and k =
    ``contact_offset``; the term is the mean over the patches that hold true surface of the implant. Logits are divided
    by ``contact_temperature`` first, since labels are the most probable class.

    Whole patches are compared, and not small squares: where a gap cannot be located, the likeliest number in a
    square is none, and a network that is asked for it closes gaps.
    """
    known, _, truth = _known(labels)
    wanted = face_counts(truth, known)  # (2, B)
    counted = wanted.sum(0) > 0

    def error(logits: torch.Tensor) -> torch.Tensor:
        found = face_counts((logits / config.contact_temperature).softmax(1), known)
        ratios = (found + config.contact_offset) / (wanted + config.contact_offset)
        return (ratios.log().abs().sum(0) * counted).sum() / counted.sum().clamp_min(1)

    return error


def face_counts(probabilities: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    r"""Count faces of the implant with bone and with background, softly.

    With the steps da, db and dg of the probabilities of implant, bone and background from a pixel to its neighbour,
    a face counts (\|da\| + \|db\| − \|dg\|) / 2 as contact and (\|da\| + \|dg\| − \|db\|) / 2 as free: the anisotropic
    total variation. For labels these are the faces; a soft border counts one however wide it is, so long as the
    probabilities rise or fall throughout, where the product of p(implant) and p(bone) would count several.

    Parameters
    ----------
    probabilities : Tensor of float32, shape (B, 4, Y, X)
        Of the classes.
    known : Tensor of bool, shape (B, 1, Y, X)
        Pixels that are labelled; faces of others do not count.

    Returns
    -------
    Tensor of float32, shape (2, B)
        Faces with bone, and with background.
    """
    background, metal, layer, bone = probabilities.unbind(1)
    kinds = torch.stack([metal + layer, bone, background])  # (3, B, Y, X)
    counts = kinds.new_zeros((2, kinds.shape[1]))
    for axis in (-2, -1):
        extent = kinds.shape[axis]
        certain = known.narrow(axis, 1, extent - 1) & known.narrow(axis, 0, extent - 1)
        implant, with_bone, with_background = (kinds.diff(dim=axis).abs() * certain[:, 0]).sum(dim=(-2, -1))
        difference = with_bone - with_background
        counts = counts + torch.stack([implant + difference, implant - difference]) / 2
    return counts


def _known(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Which pixels are labelled, bool (B, 1, Y, X); their classes, int64 (B, Y, X); both as (B, 4, Y, X) of 0 and 1."""
    known = labels != IGNORE
    classes = torch.where(known, labels, 0).long()
    truth = F.one_hot(classes, len(NAMES)).movedim(-1, 1) * known[:, None]
    return known[:, None], classes, truth.float()


TERMS: dict[str, Callable[[torch.Tensor, Loss], Score]] = {
    "dice": dice,
    "cross_entropy": cross_entropy,
    "boundary": boundary,
    "contact": contact,
}
"""Every term under the name that its weight has in the recipe."""
