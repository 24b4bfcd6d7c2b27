import numpy as np
import pytest
import torch

from ImplantSegLib import cli, jobs, models
from ImplantSegLib.errors import InputError
from ImplantSegLib.training import network
from ImplantSegLib.volumes import Volume, write

pytestmark = pytest.mark.usefixtures("one_thread")

OPTIONS = {"width": 2, "align_corners": False}


@pytest.fixture
def model(tmp_path):
    """Model file of a tiny U-Net whose weights differ from those that a seed of the recipe would give."""
    torch.manual_seed(5)
    made = models.build("unet", **OPTIONS)
    made.head.bias.data.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    models.save(tmp_path / "old.safetensors", models.Bundle("unet", OPTIONS), made.state_dict())
    return tmp_path / "old.safetensors"


def start(recipe, model, **changes):
    return network.find_start(recipe({"model.init_from": str(model)} | {f"model.{k}": v for k, v in changes.items()}))


def test_a_run_starts_with_every_weight_of_another_model_and_its_heads(recipe, model):
    made, bundle = start(recipe, model)
    state, old = network.build_network(made, bundle).state_dict(), models.load(model).load_state()
    assert state.keys() == old.keys()
    assert all(torch.equal(state[key], old[key]) for key in old)
    assert state["head.bias"].tolist() == [1, 2, 3, 4]


def test_without_another_model_the_seed_decides(recipe):
    made, bundle = network.find_start(recipe())
    assert (made, bundle) == (recipe(), None)
    same, other = (network.build_network(recipe({"run.seed": seed})).state_dict() for seed in (0, 1))
    assert all(torch.equal(value, same[key]) for key, value in network.build_network(made).state_dict().items())
    assert not torch.equal(same["head.weight"], other["head.weight"])


def test_options_that_the_recipe_leaves_out_are_those_of_the_model(recipe, model):
    made, _ = start(recipe, model, options={})
    assert made.model.options == OPTIONS


def test_options_may_be_named_that_are_the_default_anyway(recipe, model):
    made, _ = start(recipe, model, options={**OPTIONS, "levels": 5})
    assert made.model.options == {**OPTIONS, "levels": 5}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": "scaled_unet"}, "model.network = 'scaled_unet', but the model 'old' to start from has 'unet'"),
        ({"options": {"width": 4}}, "model.options.width = 4, but the model 'old' to start from has 2"),
        ({"options": {"width": 2}}, "model.options.align_corners = True, but the model 'old' to start from has False"),
    ],
)
def test_what_differs_is_named(recipe, model, changes, words):
    with pytest.raises(InputError, match=words):
        start(recipe, model, **changes)


def test_a_model_that_is_not_there_is_told(recipe):
    with pytest.raises(InputError, match="got the model 'compact_unett', .* did you mean 'compact_unet'"):
        start(recipe, "compact_unett")


def test_a_path_is_relative_to_the_recipe(recipe, model):
    _, bundle = network.find_start(recipe({"model.init_from": model.name}), model.parent)
    assert bundle.path == model


def test_a_fine_tuned_model_tells_what_it_started_from(recipe, model, make_scan, tmp_path):
    scan = make_scan()
    write(Volume(scan.image, scan.spacing_mm), tmp_path / "scans" / "one" / "image.nrrd")
    write(Volume(np.asarray(scan.labels), scan.spacing_mm), tmp_path / "scans" / "one" / "labels.seg.nrrd")
    changes = {"data.cohort": "scans", "data.folds": 1, "model.init_from": model.name, "optimiser.lr": 1e-9}
    # without weight decay and with so small a rate the weights stay where they start
    jobs.save(recipe({**changes, "optimiser.weight_decay": 0.0, "run.steps": 1}), tmp_path / "tiny.toml")
    assert cli.main(["train", str(tmp_path / "tiny.toml"), "-o", str(tmp_path / "out"), "--progress", "none"]) == 0
    made, old = models.load(tmp_path / "out" / "model.safetensors"), models.load(model)
    assert made.provenance["init_from"] == {"name": "old", "weights_sha256": old.weights_sha256}
    assert made.provenance["recipe"]["model"]["init_from"] == "old"
    torch.testing.assert_close(made.load_state()["head.bias"], torch.tensor([1.0, 2, 3, 4]), rtol=1e-6, atol=1e-6)
