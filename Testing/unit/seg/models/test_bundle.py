import dataclasses
import pickle

import pytest
import torch
from safetensors.torch import save_file

from ImplantSegLib import models
from ImplantSegLib.errors import InputError
from ImplantSegLib.models.bundle import FORMAT

pytestmark = pytest.mark.usefixtures("one_thread")


def refused(path):
    """Message of the error that loading and using a file ends with: one sentence and its remedy."""
    with pytest.raises(InputError) as caught:
        models.load(path).load_network()
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    assert caught.value.remedy
    return text


def test_what_was_saved_is_loaded(model_file, bundle, network):
    loaded = models.load(model_file)
    assert dataclasses.replace(loaded, path=None, weights_sha256="") == bundle
    assert loaded.name == "tiny"
    assert loaded.path == model_file
    assert loaded.labels == {"0": "background", "1": "residual_material", "2": "degradation_layer", "3": "bone"}
    x = torch.rand(1, 1, 32, 32)
    again = loaded.load_network()
    assert not again.training
    with torch.no_grad():
        assert torch.equal(again(x), network(x))


def test_the_same_model_gives_the_same_bytes(tmp_path, model_file, bundle, network):
    models.save(tmp_path / "again.safetensors", bundle, network.state_dict())
    assert (tmp_path / "again.safetensors").read_bytes() == model_file.read_bytes()


@pytest.mark.parametrize("storage", ["float16", "bfloat16"])
def test_short_storage_halves_the_file_and_comes_back_as_float32(tmp_path, model_file, bundle, network, storage):
    models.save(tmp_path / "short.safetensors", bundle, network.state_dict(), storage)
    header = model_file.stat().st_size - sum(4 * value.numel() for value in network.state_dict().values())
    assert (tmp_path / "short.safetensors").stat().st_size - header < 0.6 * (model_file.stat().st_size - header)
    again = models.load(tmp_path / "short.safetensors").load_network()
    for key, value in again.state_dict().items():
        expected = network.state_dict()[key]
        assert value.dtype == expected.dtype
        torch.testing.assert_close(value, expected, rtol=2**-8, atol=1e-7)


def test_loading_leaves_the_random_numbers_alone(model_file):
    before = torch.random.get_rng_state()
    models.load(model_file).load_network()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_saved_file_may_be_read_by_others(model_file, tmp_path):
    (tmp_path / "plain").touch()
    assert model_file.stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("keep", [0, 4, 100, 3000, -1])
def test_a_file_that_is_cut_short_is_refused(model_file, keep):
    model_file.write_bytes(model_file.read_bytes()[:keep])
    assert "is no model file or is damaged" in refused(model_file)


def test_changed_weights_are_refused(model_file):
    data = bytearray(model_file.read_bytes())
    data[-100] ^= 1
    model_file.write_bytes(data)
    assert "differ from their checksum" in refused(model_file)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert "there is no model file" in refused(tmp_path / "none.safetensors")
    assert "there is no model file" in refused(tmp_path)


def test_a_safetensors_file_of_another_program_is_refused(tmp_path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors", metadata={"format": "pt"})
    assert "no ImplantSeg model" in refused(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content | {"format": FORMAT + 1}, f"has format {FORMAT + 1}, wanted at most {FORMAT}"),
        (lambda content: content | {"netwrok": "unet"}, "unknown key 'netwrok'"),
        (lambda content: content | {"network": "os.system"}, "got network 'os.system'"),
        (lambda content: content | {"options": {"width": 3}}, "do not fit network 'unet'"),
        (lambda content: content | {"options": {"width": 10**6}}, "do not fit network 'unet'"),
        (lambda content: content | {"options": {"width": "wide"}}, "do not fit network 'unet'"),
        (lambda content: content | {"options": {"wide": 2}}, "has no option 'wide'"),
        (lambda content: content | {"network": "scaled_unet"}, "do not fit network 'scaled_unet'"),
        (lambda content: content | {"spacing_mm": "fine"}, "wrong value for 'spacing_mm'"),
        (lambda content: {key: value for key, value in content.items() if key != "format"}, "tells no format"),
        (lambda content: [content], "tells no format"),
        (lambda content: "{", "is damaged"),
    ],
)
def test_a_header_that_does_not_belong_to_the_weights_is_refused(model_file, change, words, rewrite):
    rewrite(model_file, change)
    assert words in refused(model_file)


class Payload:
    """Executes something when it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("a model file was executed",)


@pytest.mark.parametrize("write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_loading_executes_nothing(tmp_path, write):
    path = tmp_path / "evil.safetensors"
    write(Payload(), path)
    assert "is no model file or is damaged" in refused(path)


def test_nothing_is_left_when_saving_fails(tmp_path, bundle, network):
    with pytest.raises(InputError, match="cannot write"):
        (tmp_path / "file").touch()
        models.save(tmp_path / "file" / "model.safetensors", bundle, network.state_dict())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_files_of_the_first_format_are_still_read(model_file, rewrite):
    rewrite(
        model_file,
        lambda content: {key: value for key, value in content.items() if key != "training_data"} | {"format": 1},
    )
    bundle = models.load(model_file)
    assert (bundle.format, bundle.training_data) == (1, {})
    bundle.load_network()
