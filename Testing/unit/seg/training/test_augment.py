import dataclasses

import numpy as np
import pytest
import torch

from ImplantSegLib.training import augment
from ImplantSegLib.training.config import Augment
from ImplantSegLib.training.sampling import generator

pytestmark = pytest.mark.usefixtures("one_thread")

SIZE = 48


def nothing(batch=1, **changes):
    """Draws that leave a batch as it is, but for some fields."""
    kept = {"mirror": 0, "angle": 0.0, "scale": 1.0, "gamma": 1.0, "contrast": 1.0, "brightness": 0.0}
    kept |= {"noise": 0.0, "blur": 0.0, "elastic": 0.0, "ring": 0.0, "stripe": 0.0, "seed": 0}
    kept |= {"ring_row": 0.0, "ring_column": 0.0, "stripe_angle": 0.0}
    smooth = changes.pop("elastic_sigma_px", 8.0)
    arrays = {key: np.full(batch, value) for key, value in (kept | changes).items()}
    return augment.Draws(**arrays, elastic_sigma_px=smooth)


@pytest.fixture
def patch():
    """An image whose grey values tell the label: blobs of labels 0 to 3, grey = label / 3."""
    y, x = np.indices((SIZE, SIZE))
    labels = ((np.sin(x / 5) > 0) + 2 * (np.cos((y + x / 3) / 6) > 0)).astype(np.uint8)
    return torch.from_numpy(labels / np.float32(3))[None], torch.from_numpy(labels)[None]


def agreement(images, labels):
    """Share of the labelled pixels, away from edges between labels, where the grey value tells the label."""
    known = labels[0] != 255
    told = (images[0] * 3).round()
    smooth = (images[0] * 3 - told).abs() < 0.05  # not mixed by the interpolation
    return (told == labels[0])[known & smooth].float().mean().item(), (known & smooth).float().mean().item()


def test_drawing_twice_with_the_same_seed_gives_the_same(patch):
    config = Augment(affine=1.0, elastic=1.0, noise=1.0, blur=1.0, ring=1.0, stripe=1.0)
    batch = [part.expand(4, -1, -1) for part in patch]
    results = [augment.apply(*batch, augment.draw(config, 4, [SIZE, SIZE], generator(5, 2))) for _ in range(2)]
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    other = augment.apply(*batch, augment.draw(config, 4, [SIZE, SIZE], generator(5, 3)))
    assert not torch.equal(results[0][0], other[0])


def test_draws_keep_to_their_ranges_and_probabilities():
    config = Augment(affine=0.3, rotation_degrees=30.0)
    draws = augment.draw(config, 4000, [SIZE, SIZE], generator(0, 0))
    assert np.bincount(draws.mirror, minlength=8).min() > 400
    assert abs(draws.angle).max() <= np.deg2rad(30)
    for values, (low, high) in (
        (draws.scale, config.scale),
        (draws.gamma, config.gamma),
        (draws.contrast, config.contrast),
    ):
        assert low <= values.min() < values.max() <= high
    assert abs(draws.brightness).max() <= config.brightness
    for values, largest in (
        (draws.elastic, config.elastic_px),
        (draws.noise, config.noise_sigma),
        (draws.blur, config.blur_sigma),
        (draws.ring, config.ring_sigma),
        (draws.stripe, config.stripe_sigma),
    ):
        assert 0 <= values.min() < values.max() <= largest
    outside = (draws.ring_row < 0) | (draws.ring_row >= SIZE) | (draws.ring_column < 0) | (draws.ring_column >= SIZE)
    assert 0.85 < outside.mean() < 0.93  # all but one of three by three patches
    for values, still, probability in (
        (draws.angle, 0, 0.3),
        (draws.scale, 1, 0.3),
        (draws.gamma, 1, config.intensity),
        (draws.elastic, 0, config.elastic),
        (draws.noise, 0, config.noise),
        (draws.ring, 0, config.ring),
        (draws.stripe, 0, config.stripe),
        (draws.blur, 0, config.blur),
    ):
        assert abs((values != still).mean() - probability) < 0.05


def test_everything_left_out_changes_nothing(patch):
    off = Augment(mirror=False, affine=0.0, elastic=0.0, intensity=0.0, noise=0.0, blur=0.0, ring=0.0, stripe=0.0)
    images, labels = augment.apply(*patch, augment.draw(off, 1, [SIZE, SIZE], generator(0, 0)))
    torch.testing.assert_close(images, patch[0])
    assert torch.equal(labels, patch[1])


def test_the_batch_itself_is_left_alone(patch):
    before = [part.clone() for part in patch]
    augment.apply(*patch, nothing(angle=0.3, elastic=1.0, noise=0.1, blur=1.0, contrast=1.2, ring=0.1, stripe=0.1))
    assert all(torch.equal(*pair) for pair in zip(patch, before, strict=True))


def test_the_eight_mirrors_are_the_symmetries_of_the_square(patch):
    seen = set()
    for code in range(8):
        images, labels = augment.apply(*patch, nothing(mirror=code))
        assert agreement(images, labels) == (1.0, 1.0)
        seen.add(labels.numpy().tobytes())
    assert len(seen) == 8
    assert patch[1].numpy().tobytes() in seen


def test_a_patch_that_is_not_square_is_only_flipped(patch):
    images, labels = (part[:, :30] for part in patch)
    seen = {augment.apply(images, labels, nothing(mirror=code))[1].numpy().tobytes() for code in range(8)}
    flips = {np.flip(labels.numpy(), axes).tobytes() for axes in ((), (1,), (2,), (1, 2))}
    assert seen == flips


@pytest.mark.parametrize("angle", [0.4, -2.0])
@pytest.mark.parametrize("scale", [0.7, 1.0, 1.5])
@pytest.mark.parametrize("rows", [SIZE, 30])
def test_labels_move_with_the_image(patch, angle, scale, rows):
    images, labels = augment.apply(*(part[:, :rows] for part in patch), nothing(angle=angle, scale=scale))
    same, share = agreement(images, labels)
    assert same > 0.99
    assert share > 0.1
    assert set(labels.unique().tolist()) <= {0, 1, 2, 3, 255}


def test_a_quarter_turn_is_a_quarter_turn(patch):
    images, labels = augment.apply(*patch, nothing(angle=np.pi / 2))
    turned = [k for k in (1, 3) if torch.equal(labels[0], torch.rot90(patch[1][0], k))]
    assert len(turned) == 1
    torch.testing.assert_close(images[0], torch.rot90(patch[0][0], turned[0]), atol=1e-4, rtol=0)


def test_a_rotation_keeps_circles_round_in_a_patch_that_is_not_square():
    y, x = np.indices((40, 64))
    disc = torch.from_numpy((np.hypot(y - 19.5, x - 31.5) < 12).astype(np.uint8))[None]
    _, labels = augment.apply(disc.float(), disc, nothing(angle=0.7))
    both, either = (labels == 1) & (disc == 1), (labels == 1) | (disc == 1)
    assert both.sum() / either.sum() > 0.93  # only pixels at the edge differ


def test_magnifying_enlarges():
    y, x = np.indices((SIZE, SIZE))
    disc = torch.from_numpy((np.hypot(y - 23.5, x - 23.5) < 8).astype(np.uint8))[None]
    _, larger = augment.apply(disc.float(), disc, nothing(scale=1.5))
    assert (larger == 1).sum().item() == pytest.approx(1.5**2 * disc.sum().item(), rel=0.05)


def test_beyond_the_patch_nothing_is_labelled(patch):
    _, labels = augment.apply(*patch, nothing(scale=0.5))
    assert (labels[0, :10] == 255).all()
    assert (labels[0, 14:34, 14:34] != 255).all()


def test_grey_values_follow_their_formulas(patch):
    image = patch[0]
    cases = {
        "gamma": (2.0, image**2),
        "contrast": (0.5, (image - image.mean()) * 0.5 + image.mean()),
        "brightness": (0.1, (image + 0.1).clamp(0, 1)),
    }
    for name, (value, expected) in cases.items():
        changed, labels = augment.apply(*patch, nothing(**{name: value}))
        torch.testing.assert_close(changed, expected)
        assert torch.equal(labels, patch[1])


def test_noise_has_its_standard_deviation():
    grey = torch.full((2, 128, 128), 0.5)
    draws = dataclasses.replace(nothing(2), noise=np.array([0.05, 0.0]), seed=np.array([1, 2]))
    noisy, _ = augment.apply(grey, grey.to(torch.uint8), draws)
    assert noisy[0].std().item() == pytest.approx(0.05, rel=0.05)
    assert torch.equal(noisy[1], grey[1])


def test_blur_is_a_gaussian():
    point = torch.zeros(1, 33, 33)
    point[0, 16, 16] = 1
    blurred = augment.apply(point, point.to(torch.uint8), nothing(blur=1.5))[0][0]
    offset = torch.arange(33) - 16.0
    assert blurred.sum().item() == pytest.approx(1, abs=1e-5)
    variance = (blurred.sum(0) * offset**2).sum().item()
    assert variance == pytest.approx(1.5**2, rel=0.03)  # the kernel ends at three standard deviations
    torch.testing.assert_close(blurred, blurred.T)


def test_grey_values_stay_within_0_and_1(patch):
    images, _ = augment.apply(*patch, nothing(brightness=0.5, noise=0.3, contrast=1.5))
    assert images.min() >= 0
    assert images.max() <= 1


def test_a_constant_displacement_is_a_shift(patch):
    still = torch.nn.functional.affine_grid(torch.eye(2, 3)[None], [1, 1, SIZE, SIZE], align_corners=False)
    images, labels = augment.resample(*patch, still + torch.tensor([2 * 5, -2 * 3]) / SIZE)
    # every pixel comes from 5 columns to the right and 3 rows above
    torch.testing.assert_close(images[:, 3:, :-5], patch[0][:, :-3, 5:], atol=1e-4, rtol=0)
    assert torch.equal(labels[:, 3:, :-5], patch[1][:, :-3, 5:])
    assert (labels[:, :3] == 255).all()
    assert (labels[:, :, -5:] == 255).all()


@pytest.mark.parametrize("shape", [[64, 64], [40, 100]])
def test_displacements_are_smooth_and_of_standard_deviation_one_everywhere(shape):
    fields = torch.stack([augment.displacement(shape, 4.0, generator(0, step)) for step in range(150)])
    assert fields.shape == (150, 2, *shape)
    assert fields.mean().abs() < 0.03
    torch.testing.assert_close(fields.std(dim=(0, 1)), torch.ones(shape), atol=0.25, rtol=0)
    # the correlation of neighbours after a Gaussian filter of sigma 4 is exp(-1 / (4 sigma²))
    steps = fields.diff(dim=-1).square().mean() / 2
    assert steps.item() == pytest.approx(1 - np.exp(-1 / 64), rel=0.1)


@pytest.mark.parametrize("angle", [0.0, 0.5])
@pytest.mark.parametrize("rows", [SIZE, 30])
def test_labels_move_with_an_elastic_image(patch, angle, rows):
    before = [part[:, :rows] for part in patch]
    images, labels = augment.apply(*before, nothing(elastic=2.0, angle=angle))
    same, share = agreement(images, labels)
    assert same > 0.99
    assert share > 0.2
    assert set(labels.unique().tolist()) <= {0, 1, 2, 3, 255}
    assert not torch.equal(labels, before[1])


def test_the_displacement_has_its_size():
    row, column = torch.meshgrid(torch.linspace(0, 1, 128), torch.linspace(0, 1, 128), indexing="ij")
    for ramp in (row, column):  # the grey value tells where a pixel comes from
        moved = augment.apply(ramp[None], ramp[None].to(torch.uint8), nothing(elastic=2.0, elastic_sigma_px=4.0))[0][0]
        inner = (slice(10, -10),) * 2
        assert ((moved - ramp)[inner] * 127).std().item() == pytest.approx(2.0, rel=0.15)


def test_rings_are_the_same_at_the_same_radius():
    y, x = np.indices((40, 60))
    for row, column in ((20.0, 30.0), (-50.0, 15.5)):  # inside and outside the patch
        draws = nothing(ring=0.05, ring_row=row, ring_column=column)
        image, _ = augment.apply(torch.full((1, 40, 60), 0.5), torch.zeros(1, 40, 60, dtype=torch.uint8), draws)
        radius = np.rint(np.hypot(y - row, x - column).astype(np.float32)).astype(int)
        rings = [image[0].numpy()[radius == r] for r in np.unique(radius)]
        assert max(np.ptp(ring) for ring in rings) == 0
        assert np.std([ring[0] for ring in rings]) == pytest.approx(0.05, rel=0.4)


def test_stripes_are_the_same_along_their_direction():
    grey, none = torch.full((1, 40, 60), 0.5), torch.zeros(1, 40, 60, dtype=torch.uint8)
    across = augment.apply(grey, none, nothing(stripe=0.05, stripe_angle=0.0))[0][0]
    down = augment.apply(grey, none, nothing(stripe=0.05, stripe_angle=np.pi / 2))[0][0]
    assert (across == across[:, :1]).all()
    assert (down == down[:1]).all()
    assert across[:, 0].std().item() == pytest.approx(0.05, rel=0.4)
    diagonal = augment.apply(grey, none, nothing(stripe=0.05, stripe_angle=np.pi / 4))[0][0]
    assert (diagonal[1:, :-1] == diagonal[:-1, 1:]).float().mean() > 0.95
    assert (diagonal[1:, 1:] == diagonal[:-1, :-1]).float().mean() < 0.05
