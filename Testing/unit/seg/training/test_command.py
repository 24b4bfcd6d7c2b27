import shutil

import pytest

from ImplantSegLib import cli, jobs, models
from ImplantSegLib.labels import NAMES
from ImplantSegLib.training.command import packaged_recipes
from ImplantSegLib.training.config import Recipe
from ImplantSegLib.training.fit import MODEL

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def run(recipe_file, tmp_path, capsys):
    """Run ``implantseg train tiny.toml -o out``: its exit code, what it printed and its error."""

    def run(*arguments):
        code = cli.main(["train", str(recipe_file), "-o", str(tmp_path / "out"), "--progress", "none", *arguments])
        return code, *capsys.readouterr()

    return run


def test_a_run_from_recipe_to_model(run, tmp_path):
    code, told, error = run("--fold", "1", "--set", "run.seed=7")
    assert (code, error) == (0, "")
    assert "mean_iou_percent" in told
    assert told.splitlines()[-2:] == [
        f"model of step 2: {tmp_path / 'out' / MODEL}",
        f"report: {tmp_path / 'out' / 'report.html'}",
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "checkpoint.pt",
        "log.csv",
        "log.jsonl",
        "model.safetensors",
        "pictures",
        "recipe.toml",
        "report.html",
        "scores.json",
        "tensorboard",
    ]
    used = jobs.from_mapping(Recipe, jobs.load_toml(tmp_path / "out" / "recipe.toml"))
    assert (used.data.fold, used.run.seed) == (1, 7)


def test_the_model_tells_where_it_comes_from_but_no_paths(run, tmp_path):
    run()
    bundle = models.load(tmp_path / "out" / MODEL)
    assert bundle.spacing_mm == (0.01, 0.01, 0.01)
    assert bundle.preprocessing == {"low_percent": 0.1, "high_percent": 99.9}
    assert list(bundle.labels.values()) == list(NAMES.values())
    made = bundle.provenance
    assert (made["recipe_name"], made["training"], made["validation"]) == ("tiny", ["second"], ["first"])
    assert made["scans"].keys() == {"first", "second"}
    assert {len(value) for scan in made["scans"].values() for value in scan.values()} == {64}
    assert made["recipe"]["model"]["options"] == {"width": 2, "align_corners": False}
    assert str(tmp_path) not in str(made)


def test_the_model_tells_what_its_training_scans_look_like(run, tmp_path):
    run()
    trained = models.load(tmp_path / "out" / MODEL).training_data
    assert trained["scans"] == 1
    assert trained["measures"]["voxel_size_um"] == pytest.approx([10, 10])
    assert trained["measures"].keys() >= {"noise_percent", "snr", "cnr", "mean_grey", "grey_distance"}


def test_resuming_goes_on_and_starting_anew_is_refused(run, tmp_path):
    assert run()[0] == 0
    code, _, error = run()
    assert code == 2
    assert "holds the checkpoint of an earlier run; pass --resume or another folder" in error
    code, told, _ = run("--resume")
    assert code == 0
    assert "model of step 2" in told


def test_a_refused_resume_leaves_the_recipe_of_the_run(run, tmp_path):
    run()
    before = (tmp_path / "out" / "recipe.toml").read_text()
    code, _, error = run("--resume", "--set", "loss.dice=0.5")
    assert code == 2
    assert "had loss.dice = 1.0, now it is 0.5" in error
    assert (tmp_path / "out" / "recipe.toml").read_text() == before


def test_a_time_limit_is_told(run):
    code, told, _ = run("--set", "run.max_minutes=1e-9")
    assert code == 0
    assert "stopped at step 0 of 2 after run.max_minutes; go on with --resume" in told


def test_an_early_stop_is_told(run, monkeypatch):
    monkeypatch.setattr("ImplantSegLib.training.fit.criterion", lambda *_: 1.0)
    code, told, _ = run("--set", "run.patience=1", "--set", "run.validate_every=1", "--set", "run.steps=9")
    assert code == 0
    assert "stopped early at step 2: no better score in 1 validations (run.patience)" in told
    assert "model of step 1" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "run.stesp=3"], "unknown key 'run.stesp'; did you mean 'steps'"),
        (["--set", "model.network=unett"], "did you mean 'unet'"),
        (["--set", "model.options.widht=3"], "has no option 'widht'"),
        (["--fold", "5"], "got fold = 5, wanted 0 to 1"),
        (["--resume"], "holds no checkpoint to resume"),
    ],
)
def test_bad_input_ends_with_2_and_leaves_nothing(run, tmp_path, arguments, words):
    code, _, error = run(*arguments)
    assert code == 2
    assert words in error
    assert not (tmp_path / "out").exists()


def test_the_output_needs_a_place(run, tmp_path):
    (tmp_path / "out").touch()
    code, _, error = run()
    assert code == 2
    assert "cannot write" in error


def test_help_names_the_packaged_recipes(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    assert ", ".join(packaged_recipes()) in " ".join(capsys.readouterr().out.split())


def test_a_folder_that_may_not_be_written_is_told_before_a_cohort_is_made(run, tmp_path, monkeypatch):
    monkeypatch.setattr("ImplantSegLib.training.data.find_pairs", lambda _: pytest.fail("the long work began"))
    (tmp_path / "out").write_text("a file")
    code, _, error = run()
    assert (code, "is a file; choose another folder" in error) == (2, True)


def test_old_data_train_in_every_fold_and_validate_in_none(run, tmp_path, recipe_file):
    scans = recipe_file.parent / "scans"
    shutil.copytree(scans, tmp_path / "before")
    assert run("--set", f"data.replay={tmp_path / 'before'}")[0] == 0
    made = models.load(tmp_path / "out" / MODEL).provenance
    assert (made["training"], made["validation"]) == (["second", "old-first", "old-second"], ["first"])
    assert made["scans"].keys() == {"first", "second", "old-first", "old-second"}


def test_new_scans_that_are_old_data_too_are_refused(run, tmp_path, recipe_file):
    code, _, error = run("--set", f"data.replay={recipe_file.parent / 'scans'}")
    assert code == 2
    assert "is listed twice, as first and old-first" in error
    assert not (tmp_path / "out").exists()
