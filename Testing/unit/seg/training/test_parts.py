from types import SimpleNamespace

import pytest
import torch

from ImplantSegLib.training import parts
from ImplantSegLib.training.config import Loss
from ImplantSegLib.training.losses import build_loss

ENTROPY = Loss(dice=0.0, cross_entropy=1.0)


ALONE = SimpleNamespace(world_size=1)


def batch():
    labels = torch.zeros(4, 2, 5, dtype=torch.uint8)
    labels[0] = 255  # nothing known
    labels[1, :, 0] = 255  # 8 of 10 known
    labels[3, 0] = 255  # 5 of 10 known
    return torch.arange(40.0).reshape(4, 1, 2, 5), labels


def test_parts_count_as_much_as_they_have_known_pixels():
    images, labels = batch()
    cut = parts.cut(images, labels, 4, ENTROPY, ALONE)
    assert [part.share for part in cut] == pytest.approx([0, 8 / 23, 10 / 23, 5 / 23])
    assert torch.equal(torch.cat([part.images for part in cut]), images)
    assert torch.equal(torch.cat([part.labels for part in cut]), labels)
    assert [part.share for part in parts.cut(images, labels, 2, ENTROPY, ALONE)] == pytest.approx([8 / 23, 15 / 23])


def test_pixels_near_a_contact_weigh_more():
    labels = torch.zeros(2, 1, 4, dtype=torch.uint8)
    labels[0, 0] = torch.tensor([1, 3, 0, 0])  # within a pixel of both: the first two and no more
    cut = parts.cut(labels[:, None].float(), labels, 2, Loss(interface_weight=2.0, interface_px=1), ALONE)
    assert [part.share for part in cut] == pytest.approx([8 / 12, 4 / 12])


def test_where_nothing_is_known_parts_count_alike():
    labels = torch.full((2, 1, 1), 255, dtype=torch.uint8)
    assert [part.share for part in parts.cut(labels[:, None].float(), labels, 2, ENTROPY, ALONE)] == [0.5, 0.5]


def test_a_whole_batch_is_one_part():
    images, labels = batch()
    [part] = parts.cut(images, labels, 1, ENTROPY, ALONE)
    assert part.images is images
    assert part.share == 1


def test_the_loss_of_the_parts_is_that_of_the_batch():
    images, labels = batch()
    logits = torch.randn(4, 4, 2, 5, generator=torch.Generator().manual_seed(0))
    loss = build_loss(ENTROPY)
    cut = parts.cut(images, labels, 2, ENTROPY, ALONE)
    values = [loss(piece, part.labels)["cross_entropy"] for part, piece in zip(cut, logits.chunk(2), strict=True)]
    shared = cut[0].share * values[0] + cut[1].share * values[1]
    torch.testing.assert_close(shared, loss(logits, labels)["cross_entropy"])
    assert not torch.isclose((values[0] + values[1]) / 2, shared, rtol=1e-3)  # the plain mean of parts is another
