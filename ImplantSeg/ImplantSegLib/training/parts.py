"""A batch in parts that are computed one after another, or by several processes, and count as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from ImplantSegLib.labels import NAMES
from ImplantSegLib.training import processes
from ImplantSegLib.training.config import Loss
from ImplantSegLib.training.losses import pixel_weights

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Part(NamedTuple):
    """Images (b, 1, Y, X) and labels (b, Y, X) of a part, and the share of the batch that its loss counts with."""

    images: torch.Tensor
    labels: torch.Tensor
    share: float


def cut(images: torch.Tensor, labels: torch.Tensor, count: int, loss: Loss, fabric: Fabric) -> list[Part]:
    """Cut what this process has of a batch into parts of as many patches.

    The cross-entropy is a mean over weighted known pixels, of which parts hold more and fewer. With their shares of
    these the sum over the parts is the mean over the batch, and so is its gradient. What is no such mean (Dice, the
    hardest pixels, contact) is a mean of what the parts give.

    Parameters
    ----------
    images, labels : Tensor
        Images (B, 1, Y, X) and labels uint8 (B, Y, X) of this process.
    count : int
        Parts, of which B is a multiple.
    loss : Loss
        Says what pixels weigh.
    fabric : Fabric
        The processes.

    Returns
    -------
    list of Part
        Their shares sum to 1 over all processes.
    """
    if count * fabric.world_size == 1:
        return [Part(images, labels, 1.0)]
    known = torch.isin(labels, torch.tensor(list(NAMES), dtype=labels.dtype, device=labels.device))
    weight = (pixel_weights(labels, loss) * known).sum(dim=(1, 2)).cpu().double()
    of_parts = weight.reshape(count, -1).sum(1)
    [total] = processes.total(fabric, [float(of_parts.sum())])
    # nothing known: every loss is 0
    shares = (of_parts / total).tolist() if total else [1 / count / fabric.world_size] * count
    return [Part(*part) for part in zip(images.chunk(count), labels.chunk(count), shares, strict=True)]
