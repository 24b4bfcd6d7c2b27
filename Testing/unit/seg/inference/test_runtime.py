import copy

import numpy as np
import pytest
import torch
from torch import nn

from ImplantSegLib.errors import InputError
from ImplantSegLib.inference import runtime
from ImplantSegLib.inference.runtime import Predictor, Windows, bytes_per_pixel, fuse, pad
from ImplantSegLib.models import ZOO, build

CPU = torch.device("cpu")


@pytest.fixture
def nearest(networks):
    return build("nearest").eval()


@pytest.fixture
def blurred(networks):
    return build("blurred").eval()


@pytest.fixture
def grey():
    return np.random.default_rng(0).random((5, 37, 50)).astype(np.float32)


def predictor(network, tile=64, overlap=8, batch=2, precision="float32", mirror=False):
    return Predictor(copy.deepcopy(network), Windows(tile, overlap, batch), CPU, precision, mirror)


def plain(network, grey):
    """Probabilities of the network alone, each slice mirrored on to a multiple of its smallest input."""
    with torch.inference_mode():
        images = pad(torch.from_numpy(grey)[:, None], network.smallest_input)
        return network(images).softmax(1)[:, :, : grey.shape[1], : grey.shape[2]].numpy().swapaxes(0, 1)


def test_block_of_one_window_is_the_plain_network(blurred, grey):
    np.testing.assert_allclose(predictor(blurred).block(grey), plain(blurred, grey), atol=1e-5)


def test_windows_of_a_pointwise_network_leave_no_trace(nearest, grey):
    np.testing.assert_allclose(predictor(nearest, 16, 5).block(grey), plain(nearest, grey), atol=1e-5)


def test_windows_of_a_network_with_surroundings_blend_into_nearly_the_same(blurred, grey):
    blended, whole = predictor(blurred, 24, 8).block(grey), plain(blurred, grey)
    np.testing.assert_allclose(blended.sum(axis=0), 1, atol=1e-5)
    # the far end is padded otherwise; elsewhere only the borders of windows differ, where they weigh little
    difference = np.abs(blended - whole)[..., :-4, :-4]
    assert np.median(difference) < 1e-5
    without = np.abs(predictor(blurred, 24, 0).block(grey) - whole)[..., :-4, :-4]
    assert difference.max() < 0.6 * without.max()


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_batch_changes_nothing(blurred, grey, batch):
    np.testing.assert_allclose(predictor(blurred, batch=batch).block(grey), plain(blurred, grey), atol=1e-5)


def test_mirror_averages_the_four_mirrored_slices(blurred, grey):
    grey = grey[:, :36, :48]  # a multiple of the smallest input: mirroring moves the padding otherwise
    wanted = np.mean(
        [np.flip(plain(blurred, np.flip(grey, axes).copy()), axes) for axes in [(), (-1,), (-2,), (-1, -2)]], axis=0
    )
    assert np.abs(wanted - plain(blurred, grey)).max() > 0.01
    np.testing.assert_allclose(predictor(blurred, mirror=True).block(grey), wanted, atol=1e-5)


def test_short_numbers_give_nearly_the_same_labels(blurred, grey):
    short = predictor(blurred, precision="bf16").block(grey)
    assert short.dtype == np.float32
    assert (short.argmax(0) == plain(blurred, grey).argmax(0)).mean() > 0.97


@pytest.mark.parametrize("name", ZOO)
def test_fusing_keeps_the_function(name):
    options = {"stem": 8, "blocks": 1, "modules": (1, 1, 1)} if name == "hrnet" else {}
    network = build(name, width=4, **options).eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 2)
    images = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        wanted = network(images)
        fused = fuse(copy.deepcopy(network))
        torch.testing.assert_close(fused(images), wanted, rtol=1e-3, atol=1e-4)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in fused.modules())


def test_padding_mirrors_and_repeats_where_there_is_too_little():
    assert pad(torch.arange(3.0).reshape(1, 1, 1, 3).expand(1, 1, 4, 3), 4)[0, 0, 0].tolist() == [0, 1, 2, 1]
    assert pad(torch.arange(2.0).reshape(1, 1, 1, 2), 8).shape == (1, 1, 8, 8)


def test_memory_per_pixel_grows_with_the_network():
    small, large = (bytes_per_pixel(build("unet", width=width).eval()) for width in (4, 8))
    assert 1.8 * small < large < 2.2 * small
    assert small >= 4 * 4 * 4  # four channels of float32 stand at full resolution in several layers


def test_choices_of_device_and_precision(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert runtime.choose_device("auto").type == "cpu"
    with pytest.raises(InputError, match="torch finds no GPU"):
        runtime.choose_device("cuda")
    assert runtime.choose_precision("float32", CPU) == "float32"
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert runtime.choose_precision("auto", CPU) == "float32"
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    assert runtime.choose_precision("auto", CPU) == "bf16"


def test_fixture_networks_are_in_the_zoo(networks):
    assert {"nearest", "blurred"} <= set(ZOO)
