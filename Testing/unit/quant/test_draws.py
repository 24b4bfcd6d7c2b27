"""Drawn labels: each voxel by itself as probable as it is told, neighbours together, the same in slabs of any size."""

import math

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm

from ImplantSegLib.errors import InputError
from ImplantSegLib.volumes import Volume
from ImplantSegQuantLib.draws import ErrorModel, drawn
from ImplantSegQuantLib.draws_kernels import gumbel_table, lattice


class Chances:
    """Probabilities in memory, uint8 (4, Z, Y, X)."""

    classes = 4

    def __init__(self, values):
        self.values = values

    def slab(self, z):
        return np.ascontiguousarray(self.values[:, z])


def uniform_chances(shape, shares):
    values = np.empty((4, *shape), np.uint8)
    values[:] = np.reshape(shares, (4, 1, 1, 1))
    return Chances(values), Volume(np.full(shape, int(np.argmax(shares)), np.uint8))


def draws(segmentation, chances, model, count):
    return np.array([drawn(segmentation, chances, model, number).array[:] for number in range(count)])


@pytest.mark.parametrize("length", [1.0, 4.0])
def test_every_voxel_has_its_classes_as_often_as_their_probability(length):
    chances, segmentation = uniform_chances((10, 20, 20), (51, 102, 0, 102))
    seen = draws(segmentation, chances, ErrorModel(length, seed=3), 400)
    shares = [(seen == label).mean() for label in range(4)]
    # 400 draws of at least 10·20·20 / (2·4)³ independent pieces: a standard deviation of at most 0.009
    np.testing.assert_allclose(shares, np.array([51, 102, 0, 102]) / 255, atol=0.025)
    assert shares[2] == 0
    at_one_place = (seen[:, 3, 4, 5] == 1).mean()
    assert at_one_place == pytest.approx(0.4, abs=4 * math.sqrt(0.24 / 400))


def test_slabs_of_any_size_give_the_same_labels():
    rng = np.random.default_rng(0)
    values = rng.integers(1, 120, (4, 23, 17, 19)).astype(np.uint8)
    segmentation = Volume(values.argmax(axis=0).astype(np.uint8))
    array = drawn(segmentation, Chances(values), ErrorModel(3.7, seed=5), 2).array
    whole = array[:]
    assert (whole != segmentation.array).mean() > 0.2
    for depth in (1, 4, 10):
        parts = [array[start : start + depth] for start in range(0, 23, depth)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(array[7], whole[7])
    np.testing.assert_array_equal(array[3:9, 2:5], whole[3:9, 2:5])


def test_another_number_or_seed_is_another_draw():
    chances, segmentation = uniform_chances((6, 16, 16), (100, 100, 55, 0))
    one = drawn(segmentation, chances, ErrorModel(seed=1), 0).array[:]
    np.testing.assert_array_equal(one, drawn(segmentation, chances, ErrorModel(seed=1), 0).array[:])
    for model, number in ((ErrorModel(seed=1), 1), (ErrorModel(seed=2), 0)):
        assert (drawn(segmentation, chances, model, number).array[:] != one).any()


def test_what_is_certain_and_what_somebody_changed_is_kept():
    values = np.zeros((4, 3, 8, 8), np.uint8)
    values[3] = 255
    values[:, :, :4] = np.reshape([60, 195, 0, 0], (4, 1, 1, 1))
    labels = np.full((3, 8, 8), 3, np.uint8)
    labels[:, :4] = 0  # an island that was taken away: the likelier label was 1
    seen = draws(Volume(labels), Chances(values), ErrorModel(2.0), 20)
    np.testing.assert_array_equal(seen, np.broadcast_to(labels, seen.shape))


def field_correlation(length, distance):
    """Mean over all places of the correlation of the field at two points along an axis, from its definition."""
    places = np.linspace(0, 1, 401)[:-1]

    def weights(at):
        node = np.floor(at + 0.5)
        t = at - node
        w = np.stack([0.5 * (0.5 - t) ** 2, 0.75 - t**2, 0.5 * (0.5 + t) ** 2])
        return node.astype(int) - 1, w / np.sqrt((w**2).sum(axis=0))

    (first, one), (second, other) = weights(places), weights(places + distance / length)
    shift = second - first
    total = np.zeros(len(places))
    for i in range(3):
        for j in range(3):
            total += np.where(i == shift + j, one[i] * other[j], 0)
    return total.mean()


def test_errors_are_correlated_as_asked():
    length, shape = 6.0, (2, 40, 240)
    chances, segmentation = uniform_chances(shape, (127, 128, 0, 0))
    seen = draws(segmentation, chances, ErrorModel(length, seed=9), 60) == 1
    deviations = seen - seen.mean()
    for distance in (2, 6, 15):
        found = (deviations[..., :-distance] * deviations[..., distance:]).mean() / deviations.var()
        latent = field_correlation(length, distance)
        # two classes: label 1 wins where G_1 - G_0 > log(p_0/p_1), nearly the sign of a Gaussian of that correlation
        assert found == pytest.approx(2 / math.pi * math.asin(latent), abs=0.04)
    assert field_correlation(length, 6) == pytest.approx(math.exp(-1), abs=0.03)


def test_a_plane_with_a_ramp_has_the_mean_and_the_spread_of_the_field():
    """Background passes into metal along x as a logistic ramp: the drawn volume against its moments."""
    width, shape, length = 3.0, (12, 24, 40), 5.0
    x = np.arange(shape[2]) - 19.5
    share = np.clip(np.rint(255 * expit(x / width)), 1, 254).astype(np.uint8)
    values = np.zeros((4, *shape), np.uint8)
    values[1], values[0] = share, 255 - share
    segmentation = Volume((values[1] > values[0]).astype(np.uint8))
    seen = draws(segmentation, Chances(values), ErrorModel(length, seed=4), 300)
    volumes = (seen == 1).sum(axis=(1, 2, 3))
    mean, variance = ramp_moments(share / 255, shape, length)
    assert volumes.mean() == pytest.approx(mean, abs=4 * math.sqrt(variance / 300))
    assert volumes.std() == pytest.approx(math.sqrt(variance), rel=0.2)
    independent = math.sqrt(shape[0] * shape[1] * (share / 255 * (1 - share / 255)).sum())
    assert volumes.std() > 5 * independent  # as voxels that err by themselves never would


def ramp_moments(share, shape, length):
    """Mean and variance of the number of voxels of class 1, from pairs: Var = Σ (P(both) - p·q).

    The difference of two Gumbel fields is nearly Gaussian in its copula: P(both) by the bivariate normal, whose
    expansion in the correlation r (Mehler) needs only Hermite polynomials of the thresholds.
    """
    thresholds = norm.ppf(share)
    depth, height, width = shape
    table = {d: field_correlation(length, d) for d in range(max(shape))}
    lags = [np.array([table[d] for d in range(n)]) for n in (depth, height)]
    counts = [np.array([n if d == 0 else 2 * (n - d) for d in range(n)]) for n in (depth, height)]
    pairs = counts[0][:, None] * counts[1][None]
    correlation = lags[0][:, None] * lags[1][None]
    hermite = [np.ones_like(thresholds), thresholds]
    for n in range(1, 12):
        hermite.append(thresholds * hermite[n] - n * hermite[n - 1])
    along = np.array([[table[abs(i - j)] for i in range(width)] for j in range(width)])
    variance = 0.0
    for order in range(1, 13):
        coefficient = norm.pdf(thresholds) * hermite[order - 1] / math.sqrt(math.factorial(order))
        line = coefficient @ along**order @ coefficient
        variance += line * (pairs * correlation**order).sum()
    return depth * height * share.sum(), variance


def test_the_lattice_is_standard_normal_and_its_numbers_are_independent():
    values = lattice(np.array([-5, 3, 1000]), (40, 40, 40), 12345).ravel()
    assert values.mean() == pytest.approx(0, abs=4 / math.sqrt(values.size))
    assert values.std() == pytest.approx(1, abs=0.01)
    assert (np.abs(values) < 1).mean() == pytest.approx(0.6827, abs=0.008)
    assert np.corrcoef(values[:-1], values[1:])[0, 1] == pytest.approx(0, abs=0.02)
    np.testing.assert_array_equal(lattice(np.array([-4, 3, 1000]), (2, 40, 40), 12345).ravel(), values[1600 : 3 * 1600])


def test_the_gumbel_table_has_the_quantiles_of_the_distribution():
    table = gumbel_table()
    z = np.linspace(-6.5, 6.5, 4095)[2047]
    assert table[2047] == pytest.approx(-math.log(-math.log(norm.cdf(z))), abs=1e-9)
    assert table[0] < table[1000] < table[-1]


def test_a_length_below_a_voxel_is_refused():
    with pytest.raises(InputError, match="correlated over 0.5 voxels"):
        ErrorModel(0.5)
