import math

import pytest
import torch

from ImplantSegLib.training.config import Loss
from ImplantSegLib.training.losses import build_loss, hardest, pixel_weights

pytestmark = pytest.mark.usefixtures("one_thread")

EVERY_CLASS = torch.tensor([[[0, 1], [2, 3]]], dtype=torch.uint8)
UNDECIDED = torch.zeros(1, 4, 2, 2)


def total(config, outputs, truth):
    return torch.stack(list(build_loss(config)(outputs, truth).values())).sum()


def labels(*rows):
    return torch.tensor([rows], dtype=torch.uint8)


def logits_of(probabilities):
    """Logits (1, 4, 1, N) of N pixels of class 0 with the given probabilities of it; the rest is shared."""
    p = torch.tensor(probabilities)
    rest = ((1 - p) / 3).expand(3, -1)
    return torch.cat([p[None], rest]).log()[None, :, None]


def test_cross_entropy_of_an_undecided_network_is_the_logarithm_of_the_classes():
    assert total(Loss(dice=0), UNDECIDED, EVERY_CLASS).item() == pytest.approx(math.log(4), rel=1e-6)


def test_dice_of_an_undecided_network():
    # each class: twice 1/4 over 1 predicted and 1 true
    assert total(Loss(cross_entropy=0), UNDECIDED, EVERY_CLASS).item() == pytest.approx(0.75, abs=1e-4)


def test_dice_without_background_forgets_class_0():
    wrong = torch.zeros(1, 4, 1, 4)
    wrong[:, 1] = 50  # all pixels are called class 1
    truth = labels([0, 1, 1, 1])
    # class 0: 0; class 1: 2·3 / (4 + 3); classes 2 and 3 are in neither: 1
    with_background = total(Loss(cross_entropy=0), wrong, truth).item()
    without = total(Loss(cross_entropy=0, dice_background=False), wrong, truth).item()
    assert with_background == pytest.approx(1 - (0 + 6 / 7 + 1 + 1) / 4, abs=1e-4)
    assert without == pytest.approx(1 - (6 / 7 + 1 + 1) / 3, abs=1e-4)


def test_the_parts_are_added_with_their_weights():
    loss = total(Loss(dice=2, cross_entropy=3), UNDECIDED, EVERY_CLASS).item()
    assert loss == pytest.approx(2 * 0.75 + 3 * math.log(4), abs=1e-3)


def test_a_perfect_answer_costs_nothing():
    logits = 50.0 * torch.nn.functional.one_hot(EVERY_CLASS.long(), 4).movedim(-1, 1)
    assert total(Loss(), logits, EVERY_CLASS).item() == pytest.approx(0, abs=1e-4)


def test_unlabelled_pixels_count_in_neither_part():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 4, 2, 3, generator=generator)
    truth = labels([0, 1, 255], [2, 3, 255])
    cut = total(Loss(interface_weight=1.0), logits[..., :2], truth[..., :2])
    torch.testing.assert_close(total(Loss(interface_weight=1.0), logits, truth), cut)


def test_a_batch_without_labels_gives_no_cross_entropy_and_no_gradient():
    logits = torch.zeros(1, 4, 2, 2, requires_grad=True)
    loss = total(Loss(dice=0), logits, torch.full((1, 2, 2), 255, dtype=torch.uint8))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_class_weights_multiply_the_terms():
    loss = total(Loss(dice=0, class_weights=[1.0, 2.0, 3.0, 4.0]), UNDECIDED, EVERY_CLASS).item()
    assert loss == pytest.approx(math.log(4) * (1 + 2 + 3 + 4) / 4, rel=1e-6)


def test_the_band_lies_where_implant_and_bone_are_both_near():
    truth = labels([1, 2, 0, 0, 3, 3, 3])
    weights = pixel_weights(truth, Loss(interface_weight=2.0, interface_px=2))
    # within 2 of implant: 0 to 3; within 2 of bone: 2 to 6
    assert weights.tolist() == [[[1, 1, 3, 3, 1, 1, 1]]]


def test_the_band_holds_both_sides_of_a_contact():
    weights = pixel_weights(labels([2, 2, 2, 3, 3, 3]), Loss(interface_weight=1.0, interface_px=1))
    assert weights.tolist() == [[[1, 1, 2, 2, 1, 1]]]


def test_the_band_weighs_the_cross_entropy():
    truth = labels([1, 3, 0])  # all in the band but the last
    logits = torch.zeros(1, 4, 1, 3)
    logits[0, 0, 0, 2] = 50  # the last pixel is right, the others undecided
    config = Loss(dice=0, interface_weight=3.0, interface_px=1)
    # weights 4, 4 and 1: pixel 2 is not near the implant
    assert total(config, logits, truth).item() == pytest.approx(8 * math.log(4) / 9, rel=1e-5)


@pytest.mark.parametrize(
    ("keep", "below", "marked"),
    [
        (1, 0.0, [0, 1, 0, 0, 0]),  # the hardest one
        (2, 0.0, [1, 1, 0, 0, 0]),
        (1, 0.9, [1, 1, 1, 0, 0]),  # and all that are hard
        (9, 0.0, [1, 1, 1, 1, 0]),  # more than there are: all that are known
    ],
)
def test_the_hardest_pixels_are_marked(keep, below, marked):
    logits = logits_of([0.5, 0.3, 0.8, 0.95, 0.1])
    known = torch.tensor([[[True, True, True, True, False]]])
    classes = torch.zeros(1, 1, 5, dtype=torch.long)
    found = hardest(logits, classes, known, Loss(hardest=keep, hardest_below=below))
    assert found.int().tolist() == [[marked]]


def test_mining_takes_the_mean_over_the_marked_pixels():
    config = Loss(dice=0, hardest=1, hardest_below=0.6)
    value = total(config, logits_of([0.5, 0.3, 0.8, 0.95]), torch.zeros(1, 1, 4, dtype=torch.uint8)).item()
    assert value == pytest.approx(-(math.log(0.5) + math.log(0.3)) / 2, rel=1e-5)


def test_the_loss_is_computed_in_float32():
    exact = total(Loss(), UNDECIDED, EVERY_CLASS)
    short = total(Loss(), UNDECIDED.bfloat16(), EVERY_CLASS)
    assert short.dtype == torch.float32
    assert short == exact


def test_the_terms_have_names_and_absent_ones_are_left_out():
    assert list(build_loss(Loss())(UNDECIDED, EVERY_CLASS)) == ["dice", "cross_entropy"]
    assert list(build_loss(Loss(dice=0))(UNDECIDED, EVERY_CLASS)) == ["cross_entropy"]


def test_side_outputs_count_with_their_weight():
    certain = 50.0 * torch.nn.functional.one_hot(EVERY_CLASS.long(), 4).movedim(-1, 1)
    terms = build_loss(Loss(side_weight=0.5))((certain, UNDECIDED, UNDECIDED), EVERY_CLASS)
    # the answer is perfect, the two sides are undecided
    assert terms["cross_entropy"].item() == pytest.approx(math.log(4), rel=1e-5)
    assert terms["dice"].item() == pytest.approx(0.75, abs=1e-3)
