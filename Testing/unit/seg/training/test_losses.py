import math

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt, gaussian_filter

from ImplantSegLib.training.config import Loss
from ImplantSegLib.training.losses import TERMS, build_loss, face_counts, hardest, pixel_weights, signed_distances

pytestmark = pytest.mark.usefixtures("one_thread")

EVERY_CLASS = torch.tensor([[[0, 1], [2, 3]]], dtype=torch.uint8)
UNDECIDED = torch.zeros(1, 4, 2, 2)


def total(config, outputs, truth):
    return torch.stack(list(build_loss(config)(outputs, truth).values())).sum()


def labels(*rows):
    return torch.tensor([rows], dtype=torch.uint8)


def certain(truth, strength=50.0):
    """Logits of a network that is sure of the labels."""
    return strength * torch.nn.functional.one_hot(truth.long(), 4).movedim(-1, 1)


def only(name, **options):
    return Loss(**{"dice": 0.0, "cross_entropy": 0.0, name: 1.0} | options)


def blobs(size=40, batch=2, unknown=0.1):
    """Labels with borders of every pair of classes and pixels that nobody has labelled."""
    random = np.random.default_rng(0)
    smooth = gaussian_filter(random.standard_normal((4, batch, size, size)), (0, 0, 2, 2))
    found = smooth.argmax(0).astype(np.uint8)
    found[gaussian_filter(random.standard_normal(found.shape), (0, 3, 3)) > 0.1] = 255
    assert set(np.unique(found)) == {0, 1, 2, 3, 255}
    return torch.from_numpy(found)


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


def published_ohem(certainty, keep, below):
    """Which pixels HRNet's OhemCrossEntropy averages, in the order of ``certainty``."""
    bound = max(np.sort(certainty)[min(keep, certainty.size - 1)], below)
    return certainty < bound


@pytest.mark.parametrize(("keep", "below"), [(5, 0.1), (300, 0.9), (900, 0.9), (1200, 0.5)])
def test_mining_is_that_of_hrnet(keep, below):
    # a trained network is quite sure of most pixels: many probabilities are exactly 1
    logits = 30 * torch.randn(1, 4, 40, 40, generator=torch.Generator().manual_seed(1))
    classes = logits.argmax(1)
    classes[:, :10] = 0
    known = torch.ones_like(classes, dtype=torch.bool)
    known[:, :, :3] = False
    certainty = logits.softmax(1).gather(1, classes[:, None])[:, 0][known].numpy()
    assert (certainty == 1).sum() > 400
    found = hardest(logits, classes, known, Loss(hardest=keep, hardest_below=below))
    assert found[known].tolist() == published_ohem(certainty, keep, below).tolist()
    assert not found[~known].any()


@pytest.mark.parametrize("name", TERMS)
def test_every_term_of_a_perfect_answer_is_nothing(name):
    truth = blobs()
    sure = certain(torch.where(truth == 255, 1, truth))
    assert build_loss(only(name))(sure, truth)[name].item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("name", TERMS)
def test_every_term_falls_along_its_gradient(name):
    truth = blobs()
    loss = build_loss(only(name))
    logits = torch.randn(2, 4, 40, 40, generator=torch.Generator().manual_seed(2)).requires_grad_()
    before = loss(logits, truth)[name]
    before.backward()
    assert logits.grad.isfinite().all()
    assert not logits.grad.movedim(1, -1)[truth == 255].any()
    # a step that moves the mean gradient by a tenth of a logit: small enough for a slope to hold
    step = 0.1 / logits.grad[logits.grad != 0].abs().mean()
    assert loss(logits - step * logits.grad, truth)[name].item() < 0.999 * before.item()


@pytest.mark.parametrize("name", TERMS)
def test_every_term_of_nothing_known_is_nothing(name):
    logits = torch.zeros(1, 4, 3, 5, requires_grad=True)
    value = build_loss(only(name))(logits, torch.full((1, 3, 5), 255, dtype=torch.uint8))[name]
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-5)
    assert not logits.grad.any()


@pytest.mark.parametrize("name", TERMS)
def test_every_term_is_computed_in_float32_and_over_all_outputs(name):
    truth = blobs()
    logits = torch.randn(2, 4, 40, 40, generator=torch.Generator().manual_seed(3)).bfloat16()
    loss = build_loss(only(name, side_weight=0.5))
    value = loss(logits, truth)[name]
    assert value.dtype == torch.float32
    assert torch.equal(value, loss(logits.float(), truth)[name])
    side = -logits
    both = loss((logits, side), truth)[name]
    torch.testing.assert_close(both, value + 0.5 * loss(side, truth)[name])


def test_signed_distances_of_a_border():
    distances = signed_distances(labels([0, 0, 0, 1, 1]), 8)[0, :, 0]
    assert distances[0].tolist() == [-2.5, -1.5, -0.5, 0.5, 1.5]
    assert distances[1].tolist() == [2.5, 1.5, 0.5, -0.5, -1.5]
    assert (distances[2:] == 8).all()  # absent


def test_a_class_that_fills_the_patch_has_no_border():
    assert (signed_distances(labels([3, 3], [3, 3]), 5)[0, 3] == -5).all()


@pytest.mark.parametrize("limit", [1, 4, 30])
def test_signed_distances_are_those_of_scipy(limit):
    truth = blobs()
    found = signed_distances(truth, limit).numpy()
    for patch, plane in zip(truth.numpy(), found, strict=True):
        for value in range(4):
            own, others = patch == value, ~np.isin(patch, (value, 255))
            expected = np.where(own, 0.5 - distance_transform_edt(~others), distance_transform_edt(~own) - 0.5)
            np.testing.assert_allclose(plane[value], expected.clip(-limit, limit), rtol=1e-6)


def test_the_boundary_loss_weighs_a_wrong_pixel_by_its_distance():
    truth = labels([0, 0, 0, 1, 1])
    for wrong, distance in ((2, 0.5), (1, 1.5), (0, 2.5)):
        answer = truth.clone()
        answer[0, 0, wrong] = 1
        # so far beyond the border of class 1, and so far inside class 0
        value = build_loss(only("boundary", boundary_px=4))(certain(answer), truth)["boundary"].item()
        assert value == pytest.approx(2 * distance / 4 / 5)


def test_faces_of_labels_are_counted():
    # contact: right of the metal and below the layer; free: right of the layer
    truth = labels([1, 3, 0], [2, 0, 3], [3, 3, 3])
    known = (truth != 255)[:, None]
    one_hot = torch.nn.functional.one_hot(truth.long(), 4).movedim(-1, 1).float()
    assert face_counts(one_hot, known).tolist() == [[2.0], [1.0]]
    known[0, 0, 2, 0] = False  # the bone below the layer
    assert face_counts(one_hot, known).tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize("axes", [(0, 1, 2), (0, 2, 1)])
def test_a_soft_border_counts_as_one_face(axes):
    implant = torch.tensor([[[1.0, 0.9, 0.6, 0.2, 0.0]]]).permute(axes)
    none = torch.zeros_like(implant)
    known = torch.ones_like(implant, dtype=torch.bool)[:, None]
    to_bone = torch.stack([none, implant, none, 1 - implant], 1)
    to_background = torch.stack([1 - implant, none, implant, none], 1)
    torch.testing.assert_close(face_counts(to_bone, known), torch.tensor([[1.0], [0.0]]))
    torch.testing.assert_close(face_counts(to_background, known), torch.tensor([[0.0], [1.0]]))


def test_a_gap_that_is_half_open_counts_as_half():
    # implant, a gap of probability 0.5 that is otherwise bone, bone
    p = torch.tensor([[[[0.0, 0.5, 0.0]], [[1.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]], [[0.0, 0.5, 1.0]]]])
    torch.testing.assert_close(face_counts(p, torch.ones(1, 1, 1, 3, dtype=torch.bool)), torch.tensor([[0.5], [0.5]]))


def contact_error(answer, truth, offset=1.0):
    return build_loss(only("contact", contact_offset=offset))(certain(answer), truth)["contact"].item()


def test_a_closed_gap_is_a_contact_face_too_many_and_a_free_face_too_few():
    truth = labels([1, 0, 3], [1, 0, 3], [1, 3, 3])  # contact 1, free 2
    closed = labels([1, 3, 3], [1, 3, 3], [1, 3, 3])  # contact 3, free 0
    assert contact_error(closed, truth) == pytest.approx(math.log(4 / 2) + math.log(3 / 1), rel=1e-5)
    assert contact_error(closed, truth, 10.0) == pytest.approx(math.log(13 / 11) + math.log(12 / 10), rel=1e-5)
    assert contact_error(truth, truth) == pytest.approx(0, abs=1e-6)


def test_every_patch_is_right_by_itself_and_those_without_implant_surface_count_nothing():
    closed_and_opened = torch.cat([labels([1, 3, 3]), labels([1, 0, 3]), labels([1, 0, 3])])
    truth = torch.cat([labels([1, 0, 3]), labels([1, 3, 3]), labels([3, 0, 3])])
    assert contact_error(closed_and_opened, truth) == pytest.approx(2 * math.log(2), rel=1e-5)


@pytest.mark.parametrize(("temperature", "open_share"), [(1.0, 0.4), (0.5, 0.16 / (0.16 + 0.36))])
def test_a_low_temperature_counts_a_gap_that_is_less_likely_than_not_as_nearly_closed(temperature, open_share):
    metal, gap, bone = [0.0, 1.0, 0.0, 0.0], [0.4, 0.6, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]
    logits = torch.tensor([metal, gap, bone]).clamp_min(1e-30).log().T[None, :, None]  # (1, 4, 1, 3)
    config = only("contact", contact_offset=1.0, contact_temperature=temperature)
    wanted = math.log((2 - open_share) / 1) + math.log(2 / (1 + open_share))  # contact 0, free 1 in truth
    assert build_loss(config)(logits, labels([1, 0, 3]))["contact"].item() == pytest.approx(wanted, rel=1e-5)


def test_faces_of_unknown_pixels_do_not_count_in_the_contact():
    truth = labels([1, 255, 3, 0], [1, 3, 255, 3])
    assert contact_error(labels([1, 3, 3, 0], [1, 3, 1, 3]), truth) == pytest.approx(0, abs=1e-6)
    assert contact_error(labels([1, 3, 3, 0], [1, 0, 1, 3]), truth) > 0.5


def test_the_contact_term_opens_a_gap_that_is_closed():
    truth, closed = labels([1, 1, 0, 3, 3]), labels([1, 1, 3, 3, 3])
    logits = certain(closed, strength=2.0).requires_grad_()
    build_loss(only("contact"))(logits, truth)["contact"].backward()
    change = -logits.grad[0, :, 0, 2]
    assert change.argmax() == 0  # towards background
    assert change.argmin() == 3  # away from bone
