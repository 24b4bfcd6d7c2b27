import numpy as np
import pytest
from scipy import ndimage

from ImplantSegLib.errors import InputError
from ImplantSegLib.preprocess import nlm
from ImplantSegLib.preprocess.nlm import NlmSettings, denoise, noise_level
from ImplantSegLib.preprocess.nlm_kernel import filter_slab, shifts
from ImplantSegLib.volumes import Volume


@pytest.fixture(scope="module")
def truth():
    """Three materials with smooth borders."""
    field = ndimage.gaussian_filter(np.random.default_rng(1).standard_normal((40, 48, 48)), 6)
    field /= field.std()
    return ndimage.gaussian_filter(np.select([field > 0.8, field > -0.3], [1.0, 0.5], 0.15), 0.6).astype(np.float32)


@pytest.fixture(scope="module")
def noisy(truth):
    return truth + np.random.default_rng(2).normal(0, 0.1, truth.shape).astype(np.float32)


def psnr(image, truth):
    return -10 * np.log10(np.mean((image - truth) ** 2))


def brute_force(previous, raw, radii, sigma):
    """The definition, voxel by voxel; ``previous`` and ``raw`` are padded by the radii and one more."""
    halo = np.add(radii, 1)
    shape = np.array(previous.shape) - 2 * halo
    cross = np.array([(0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)])
    out = np.empty(shape)
    for index in np.ndindex(*shape):
        here = np.add(index, halo)
        near = previous[tuple((here + cross).T)].astype(float)
        weights, values = [], []
        for move in shifts(radii):
            there = here + move
            distance = np.mean((near - previous[tuple((there + cross).T)]) ** 2)
            weights.append(np.exp(-distance / sigma**2))
            values.append(raw[tuple(there)])
        top = max(weights)
        out[index] = (np.dot(weights, values) + top * raw[tuple(here)]) / (sum(weights) + top)
    return out


@pytest.mark.parametrize("radii", [(1, 1, 1), (0, 2, 2), (2, 2, 2)])
def test_kernel_agrees_with_the_definition(radii):
    random = np.random.default_rng(0)
    shape = np.add(2 * np.add(radii, 1), (2, 3, 4))
    raw, previous = (random.random(shape).astype(np.float32) for _ in range(2))
    np.testing.assert_allclose(
        filter_slab(previous, raw, radii, 0.3), brute_force(previous, raw, radii, 0.3), rtol=2e-3
    )


def test_search_region_is_a_ball_without_its_centre():
    moves = {tuple(move) for move in shifts((2, 2, 2)).tolist()}
    assert (0, 0, 0) not in moves
    assert {(2, 0, 0), (0, -2, 0), (1, 1, 1), (0, 2, 1)} <= moves
    assert (2, 2, 2) not in moves
    assert moves == {(-z, -y, -x) for z, y, x in moves}


def test_noise_is_estimated_beside_edges():
    step = np.repeat([0.0, 3.0], 50)  # two materials with one edge between them
    noise = np.random.default_rng(2).normal(0, 0.1, (20, 100, 100))
    assert (noise + step).std() > 1
    # the lower cluster's mean plus one deviation lies a little above the true 0.1
    assert noise_level(Volume(noise + step)) == pytest.approx(0.11, abs=0.005)


def test_scan_without_noise_is_refused():
    with pytest.raises(InputError, match="no noise to take away"):
        noise_level(Volume(np.zeros((2, 20, 20), np.uint8)))


def test_each_iteration_denoises_more_than_a_gaussian_filter_can(tmp_path, truth, noisy):
    results = [denoise(Volume(noisy), tmp_path, NlmSettings(iterations=n))[0].array[:] for n in (1, 3)]
    gaussian = max(psnr(ndimage.gaussian_filter(noisy, sigma), truth) for sigma in (0.6, 0.8, 1.0, 1.2))
    assert psnr(noisy, truth) == pytest.approx(20, abs=0.2)
    assert psnr(results[1], truth) > psnr(results[0], truth) + 1
    assert psnr(results[1], truth) > gaussian + 3


def test_result_does_not_depend_on_the_slabs(tmp_path, noisy, monkeypatch):
    scan = Volume(noisy[:13])
    whole, sigmas = denoise(scan, tmp_path)
    whole = whole.array[:]
    monkeypatch.setattr(nlm, "slab_depth", lambda *_: 3)
    slabs, again = denoise(scan, tmp_path)
    np.testing.assert_array_equal(slabs.array[:], whole)
    assert sigmas == again
    assert len(sigmas) == 3


def test_single_slice_is_denoised_within_itself(tmp_path, truth, noisy):
    result, _ = denoise(Volume(noisy[:1]), tmp_path)
    assert psnr(result.array[:], truth[:1]) > psnr(noisy[:1], truth[:1]) + 4


def test_nan_outside_the_field_of_view_does_not_spread(tmp_path, noisy):
    array = noisy[:5].copy()
    y, x = np.ogrid[:48, :48]
    array[:, (y - 23.5) ** 2 + (x - 23.5) ** 2 > 20**2] = np.nan
    result, _ = denoise(Volume(array, metadata={"fov": "circle:23.5,23.5,20"}), tmp_path)
    assert np.isfinite(result.array[:]).all()


@pytest.mark.parametrize("wrong", [{"radius": 0}, {"iterations": 0}, {"strength": 0.0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(InputError, match="wanted a radius from 1 to 10"):
        NlmSettings(**wrong)
