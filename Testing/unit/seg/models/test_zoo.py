"""The contract that every network of the zoo fulfils."""

import shutil

import pytest
import torch
from tiny import TINY

from ImplantSegLib.errors import InputError
from ImplantSegLib.labels import NAMES
from ImplantSegLib.models import ZOO, Bundle, build, load, save

pytestmark = pytest.mark.usefixtures("one_thread")

PUBLISHED_MILLIONS = {"unet": 17.26, "scaled_unet": 17.30, "hrnet": 55.41, "u2net": 44.05}


@pytest.fixture(params=ZOO)
def name(request):
    return request.param


@pytest.fixture
def network(name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build(name, **TINY[name])


def outputs(given):
    """All outputs of a network in training mode, the answer first."""
    return given if isinstance(given, tuple) else (given,)


def images(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


class TestEveryNetwork:
    def test_has_its_published_size(self, name):
        with torch.device("meta"):
            count = sum(parameter.numel() for parameter in build(name).parameters())
        assert count == ZOO[name].parameters
        assert round(count / 1e6, 2) == PUBLISHED_MILLIONS[name]

    @pytest.mark.parametrize("size", [(64, 64), (33, 47), (95, 32), (63, 65)])
    def test_gives_logits_of_the_size_of_the_image(self, network, size):
        with torch.no_grad():
            logits = network.eval()(images(2, 1, *size))
        assert logits.shape == (2, len(NAMES), *size)
        assert logits.dtype == torch.float32
        assert logits.isfinite().all()

    def test_gives_every_output_of_a_training_the_size_of_the_image(self, network):
        shapes = {tuple(logits.shape) for logits in outputs(network(images(2, 1, 65, 47)))}
        assert shapes == {(2, len(NAMES), 65, 47)}

    def test_takes_its_smallest_input(self, network):
        size = network.smallest_input
        with torch.no_grad():
            assert network.eval()(images(1, 1, size, size)).shape == (1, len(NAMES), size, size)

    def test_sends_a_gradient_to_every_parameter(self, network):
        sum(logits.square().mean() for logits in outputs(network(images(2, 1, 64, 64)))).backward()
        for key, parameter in network.named_parameters():
            assert parameter.grad.isfinite().all(), key
            assert parameter.grad.any() or parameter.ndim == 1, key  # batch normalisation undoes a bias before it

    def test_predicts_the_images_of_a_batch_independently(self, network):
        batch = images(3, 1, 32, 32)
        with torch.no_grad():
            together, alone = network.eval()(batch), network(batch[1:2])
        torch.testing.assert_close(together[1:2], alone)

    def test_saved_and_loaded_gives_the_same(self, network, name, tmp_path):
        network(images(2, 1, 64, 64))  # batch statistics other than the initial ones
        save(tmp_path / "model.safetensors", Bundle(name, TINY[name]), network.state_dict())
        again = load(tmp_path / "model.safetensors").load_network()
        x = images(1, 1, 33, 47)
        with torch.no_grad():
            assert torch.equal(network.eval()(x), again(x))

    def test_computes_in_bf16_nearly_the_same(self, network):
        x = images(2, 1, 64, 64)
        for _ in range(20):
            network(x)  # batch statistics that fit, so that no level fades or grows
        with torch.no_grad():
            exact = network.eval()(x)
            with torch.autocast("cpu", torch.bfloat16):
                short = network(x)
        assert short.dtype == torch.bfloat16
        error = (short.float() - exact).square().mean().sqrt() / exact.std()
        assert error < 0.05  # bf16 has 8 significant bits; this is some ten roundings

    def test_can_be_exported(self, network):
        x = images(1, 1, 64, 64)
        network.eval()
        program = torch.export.export(network, (x,))
        torch.testing.assert_close(program.module()(x), network(x))

    @pytest.mark.filterwarnings("ignore")  # of torch's compiler, about torch
    def test_can_be_traced_whole_by_the_compiler(self, network):
        x = images(1, 1, 32, 32)
        network.eval()
        with torch.no_grad():
            compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
            torch.testing.assert_close(compiled(x), network(x))
        torch.compiler.reset()

    def test_has_a_test_size_and_a_summary(self, name):
        assert set(TINY) == set(PUBLISHED_MILLIONS) == set(ZOO)
        assert ZOO[name].summary


@pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler, which torch.compile needs on a CPU")
@pytest.mark.filterwarnings("ignore")  # of torch's compiler, about torch
@pytest.mark.slow
def test_compiled_code_computes_the_same():
    network = build("unet", width=2, levels=2).eval()
    x = images(1, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(network)(x), network(x), rtol=1e-3, atol=1e-4)
    torch.compiler.reset()


@pytest.mark.parametrize(
    ("name", "options", "millions"),
    [
        ("hrnet", {"width": 18}, 9.64),
        ("hrnet", {"width": 32}, 29.54),
        ("hrnet", {"width": 48}, 65.85),
        ("u2net", {"small": True}, 1.14),
        ("scaled_unet", {"width": 64}, 69.18),
    ],
)
def test_other_published_sizes_are_options(name, options, millions):
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in build(name, **options).parameters())
    assert round(count / 1e6, 2) == millions


def test_u2net_answers_at_six_depths_while_it_trains_and_once_afterwards():
    network = build("u2net", width=4)
    assert len(network(images(2, 1, 64, 64))) == 7
    assert isinstance(network.eval()(images(1, 1, 64, 64)), torch.Tensor)


def test_hrnet_keeps_a_quarter_of_the_resolution():
    network = build("hrnet", width=2, stem=4, blocks=1, modules=(1, 1, 1)).eval()
    seen = []
    for module in network.stages[-1]:
        module.register_forward_hook(lambda _module, _given, branches: seen.extend(one.shape[1:] for one in branches))
    network(images(1, 1, 64, 96))
    assert seen == [(2, 16, 24), (4, 8, 12), (8, 4, 6), (16, 2, 3)]


def test_width_and_depth_are_options():
    assert build("unet", width=4, levels=3).smallest_input == 4
    channels = [block[0].out_channels for block in build("unet", width=4, levels=3).down]
    assert channels == [4, 8, 8]


def test_without_aligned_corners_a_shifted_window_gives_the_shifted_result():
    torch.manual_seed(0)
    network = build("unet", width=2, levels=3, align_corners=False).eval()
    x = images(1, 1, 128, 128)
    with torch.no_grad():
        whole, window = network(x), network(x[..., 32:, 32:])
    inner = slice(40, -40)  # the receptive field reaches 40 pixels
    torch.testing.assert_close(whole[..., 32:, 32:][..., inner, inner], window[..., inner, inner])


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("unett", {}, "did you mean 'unet'"),
        ("unet", {"widht": 3}, "network 'unet' has no option 'widht'"),
    ],
)
def test_a_wrong_name_or_option_is_explained(name, options, words):
    with pytest.raises(InputError, match=words):
        build(name, **options)
