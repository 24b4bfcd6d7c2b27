import shlex

import pytest

from ImplantSegLib import jobs
from ImplantSegLib.errors import InputError
from ImplantSegLib.models import ZOO, build
from ImplantSegLib.phantom import cohort
from ImplantSegLib.training.command import load_recipe, packaged_recipes
from ImplantSegLib.training.config import Recipe


@pytest.mark.parametrize("name", packaged_recipes())
class TestEveryPackagedRecipe:
    def test_names_a_network_and_a_cohort_and_fits_it(self, name):
        _, recipe = load_recipe(name, [])
        assert recipe.model.network in ZOO
        import torch

        with torch.device("meta"):
            network = build(recipe.model.network, **recipe.model.options)
        assert min(recipe.sampling.patch) % network.smallest_input == 0
        assert len(cohort.jobs(recipe.data.replay or recipe.data.cohort)) >= recipe.data.folds
        assert recipe.model.summary

    def test_begins_with_the_command_that_runs_it(self, name):
        line = packaged_recipes()[name].read_text(encoding="utf-8").splitlines()[0]
        assert shlex.split(line)[:6] == ["#", "implantseg", "train", name, "-o", f"runs/{name}"]


@pytest.mark.parametrize("network", ZOO)
def test_a_network_has_a_recipe_with_the_settings_of_the_paper_and_one_with_ours(network):
    for name in (network, f"{network}_paper"):
        _, recipe = load_recipe(name, [])
        assert recipe.model.network == network
        targeted = recipe.sampling.by_class + recipe.sampling.contact + recipe.sampling.surface
        assert (targeted > 0) == (recipe.loss.contact > 0) == (name == network)


@pytest.mark.parametrize("name", ["unet_paper", "hrnet_paper", "u2net_paper"])
def test_the_recipes_of_tomoseg_have_the_settings_of_the_paper(name):
    _, recipe = load_recipe(name, [])
    optimiser = recipe.optimiser
    assert (optimiser.kind, optimiser.lr, optimiser.momentum, optimiser.weight_decay) == ("sgd", 0.01, 0.9, 1e-3)
    assert (recipe.sampling.patch, recipe.sampling.batch) == ([1024, 1024], 10)
    assert (recipe.loss.dice, recipe.loss.hardest, recipe.loss.hardest_below) == (0, 200_000, 0.9)
    assert sum((recipe.sampling.by_class, recipe.sampling.contact, recipe.sampling.surface)) == 0
    assert recipe.data.folds == 4


def test_the_options_of_the_command_line_change_a_recipe():
    name, recipe = load_recipe("compact_unet", ["run.steps=3", "model.options.width=4", "optimiser.kind=sgd"], fold=2)
    assert name == "compact_unet"
    assert recipe.run.steps == 3
    assert recipe.model.options == {"width": 4, "align_corners": False}
    assert recipe.optimiser.kind == "sgd"
    assert recipe.data.fold == 2


def test_an_unknown_recipe_is_told_the_known_ones():
    with pytest.raises(InputError, match=r"there is no recipe 'nothing'; pass a TOML file or one of compact_unet, "):
        load_recipe("nothing", [])


def test_a_recipe_that_was_saved_reads_as_the_same(recipe, tmp_path):
    made = recipe()
    jobs.save(made, tmp_path / "recipe.toml")
    assert load_recipe(str(tmp_path / "recipe.toml"), []) == ("recipe", made)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"run.stepz": 3}, "unknown key 'run.stepz'; did you mean 'steps'"),
        ({"optimizer.lr": 3}, "unknown key 'optimizer'; did you mean 'optimiser'"),
        ({"run.steps": 0}, "got steps = 0, wanted at least 1"),
        ({"run.steps": 1.5}, "wrong value for 'run.steps'"),
        ({"run.seed": -1}, "got seed = -1, wanted at least 0"),
        ({"run.precision": "16"}, "wrong value for 'run.precision'"),
        ({"data.cohort": ""}, "got data without cohort and pairs"),
        ({"data.folds": 0}, "got folds = 0"),
        ({"data.fold": 4}, "got fold = 4, wanted 0 to 3"),
        ({"data.axes": [3]}, "got axes = "),
        ({"data.low_percent": 99.95}, "got percentiles"),
        ({"sampling.patch": [32]}, "got patch = "),
        ({"sampling.batch": 0}, "got batch = 0"),
        ({"sampling.surface": 0.6}, "got shares"),
        ({"sampling.jitter": 0.6}, "got jitter = 0.6"),
        ({"augment.scale": [0.0, 1.0]}, "got scale = "),
        ({"augment.gamma": [2.0, 1.0]}, "got gamma = "),
        ({"augment.blur": 1.5}, "got blur = 1.5, wanted 0 to 1"),
        ({"augment.noise_sigma": -0.1}, "got noise_sigma = -0.1"),
        ({"loss.class_weights": [1.0, 2.0]}, "got class_weights"),
        ({"loss.dice": 0.0, "loss.cross_entropy": 0.0}, "got a loss of no terms, wanted a weight above 0"),
        ({"loss.interface_px": -1}, "got interface_px = -1"),
        ({"optimiser.lr": 0.0}, "got lr = 0"),
        ({"optimiser.ema": 1.0}, "got ema = 1"),
        ({"optimiser.kind": "sgd", "optimiser.momentum": 0.0}, "got nesterov without momentum"),
    ],
)
def test_a_wrong_recipe_is_explained(recipe, change, words):
    with pytest.raises(InputError, match=words):
        recipe(change)


def test_a_recipe_needs_data():
    with pytest.raises(InputError, match="lacks the key 'data'"):
        jobs.from_mapping(Recipe, {}, "my.toml")
