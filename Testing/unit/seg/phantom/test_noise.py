import numpy as np
import pytest
from numba import njit

from ImplantSegLib.phantom.noise import lattice_hash, smooth, stream, uniform


@njit
def lattice_numbers():
    values = np.empty((100, 100))
    for i in range(100):
        for j in range(100):
            values[i, j] = uniform(lattice_hash(i - 50, j - 50, 0, 7))
    return values


def test_uniform_numbers_of_the_lattice_fill_the_unit_interval_evenly():
    counts, _ = np.histogram(lattice_numbers(), bins=10, range=(0, 1))
    assert counts.sum() == 10_000
    assert abs(counts - 1000).max() < 130  # four standard deviations


def test_smooth_is_continuous_across_lattice_planes_and_centred():
    below, above = smooth(3 - 1e-9, 0.4, 0.7, 1), smooth(3 + 1e-9, 0.4, 0.7, 1)
    assert below == pytest.approx(above, abs=1e-7)
    values = np.array([smooth(0.37 * n, 0.61 * n, 0.13 * n, 5) for n in range(5000)])
    assert abs(values.mean()) < 0.03
    assert 0.2 < values.std() < 0.32
    assert abs(values).max() <= 1.1


def test_streams_differ_by_seed_and_by_name():
    assert len({stream(seed, name) for seed in range(50) for name in ("a", "b", "c")}) == 150
    assert stream(3, "relief") == stream(3, "relief")
