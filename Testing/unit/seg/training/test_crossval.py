import csv
import json

import pytest

from ImplantSegLib import cli
from ImplantSegLib.errors import InputError
from ImplantSegLib.training import crossval
from ImplantSegLib.training.crossval import Result, plan
from ImplantSegLib.volumes import Volume, write

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = """
[model]
network = "unet"
options = {{ width = 2, levels = 3, align_corners = false }}

[data]
cohort = "{cohort}"
folds = 3

[sampling]
patch = [32, 32]
batch = 2

[run]
steps = 2
validate_every = 1
validation_slices = 2
checkpoint_every = 1
log_every = 1
"""


@pytest.fixture
def recipe_file(tmp_path, make_scan):
    """A recipe of three folds over three small scans."""
    for number, name in enumerate("abc"):
        made = make_scan(name, number, (12, 40, 44))
        grid = (0.01, 0.01, 0.01)
        folder = tmp_path / "scans" / name
        folder.mkdir(parents=True)
        write(Volume(made.image, grid), folder / "image.nrrd")
        write(Volume(made.labels, grid), folder / "labels.seg.nrrd")
    path = tmp_path / "small.toml"
    path.write_text(RECIPE.format(cohort=tmp_path / "scans"))
    return path


@pytest.fixture
def run(recipe_file, tmp_path, capsys):
    """Run the verb on the recipe: exit status, output, errors."""

    def run(*arguments):
        status = cli.main(["crossval", str(recipe_file), "-o", str(tmp_path / "out"), "--progress", "none", *arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


@pytest.fixture
def trained(run):
    """The same, with fold 0 done."""
    assert run("--folds", "0")[0] == 0
    return run


def test_every_fold_is_trained_on_the_other_scans_and_summed_up(run, tmp_path):
    status, told, _ = run()
    assert status == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())["series"][0]
    assert (summary["recipe"], summary["input_size_px"], list(summary["folds"])) == ("small", 32, ["0", "1", "2"])
    values = [scores["mean_iou_percent"] for scores in summary["folds"].values()]
    assert summary["mean"]["mean_iou_percent"] == pytest.approx(sum(values) / 3)
    with (tmp_path / "out" / "summary.csv").open() as file:
        lines = [line for line in csv.DictReader(file) if line["score"] == "mean_iou_percent"]
    assert [float(line["value"]) for line in lines] == values
    assert f"{values[1]:.1f}" in told
    assert "mean of 3" in told
    from ImplantSegLib.models import load

    validated = [load(tmp_path / "out" / "small" / f"fold-{k}" / "model.safetensors").provenance for k in range(3)]
    assert [made["validation"] for made in validated] == [["a"], ["b"], ["c"]]
    page = (tmp_path / "out" / "summary.html").read_text()
    assert "data:image/png;base64" in page
    assert "http" not in page.replace("http-equiv", "")


def test_folds_that_are_done_are_kept_and_a_killed_one_goes_on(run, tmp_path, monkeypatch):
    assert run("--folds", "0", "1")[0] == 0
    done = tmp_path / "out" / "small" / "fold-0" / "model.safetensors"
    before = done.stat().st_mtime_ns
    (tmp_path / "out" / "small" / "fold-1" / "scores.json").unlink()  # as if it had been killed before its end
    status, _, told = run()
    assert status == 2
    assert "pass --resume" in told
    assert run("--resume")[0] == 0
    assert done.stat().st_mtime_ns == before
    monkeypatch.setattr(crossval, "run", lambda *_: pytest.fail("a fold was trained again"))
    status, told, _ = run("--collect")
    assert (status, "mean of 3" in told) == (0, True)


def test_collect_tells_which_folds_are_missing(run, tmp_path):
    status, _, told = run("--collect")
    assert status == 2
    assert "no fold in" in told
    run("--folds", "2")
    status, told, warned = run("--collect")
    assert (status, "mean of 1" in told) == (0, True)
    assert "fold 0 of small is not done" in warned


def test_input_sizes_give_a_figure(run, tmp_path):
    status, told, _ = run("--folds", "0", "--sizes", "16", "32")
    assert status == 0
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == {"small-16", "small-32"}
    for name in ("sizes.png", "sizes.svg", "folds.png"):
        assert (tmp_path / "out" / name).stat().st_size > 1000
    assert [line.split()[1] for line in told.splitlines() if line.startswith("small")] == ["16", "16", "32", "32"]


def test_slices_as_folds_are_warned_of(run, tmp_path):
    status, _, warned = run("--folds", "0", "--by", "slice")
    assert status == 0
    assert "too good" in warned
    assert "too\ngood" in (tmp_path / "out" / "summary.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--folds", "3"], "got fold 3 of small; it has 3: 0 to 2"),
        (["--set", "data.folds=1"], "has 1 fold; pass --set data.folds=4"),
        (["--set", 'data.validation=["a"]'], "its folds would be alike"),
        (["--sizes", "32", "32"], "'small-32' is given twice"),
        (["--set", "run.stepps=1"], "did you mean 'steps'"),
    ],
)
def test_wrong_wishes_are_told_before_anything_is_trained(run, tmp_path, arguments, words):
    status, _, told = run(*arguments)
    assert status == 2
    assert words in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("again", [[], ["--collect"]])
@pytest.mark.parametrize("change", ["run.steps=1", "optimiser.lr=0.1", "model.options.width=4", "data.fold_unit=slice"])
def test_a_fold_of_another_recipe_is_refused(trained, again, change):
    status, _, told = trained("--folds", "0", "--set", change, *again)
    assert status == 2
    assert f"had {change.partition('=')[0]} = " in told


def test_several_processes_are_refused(run, tmp_path, monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "a", "LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    status, _, told = run()
    assert (status, "started by several processes" in told) == (2, True)
    assert not (tmp_path / "out").exists()


def test_a_fold_may_have_been_trained_elsewhere_and_faster(trained):
    status, told, _ = trained("--folds", "0", "--set", "run.workers=3", "--collect")
    assert (status, "mean of 1" in told) == (0, True)


def test_the_spread_over_folds_leaves_out_what_is_undefined():
    result = Result(None, {0: {"a": 1.0, "b": None}, 1: {"a": 3.0, "b": 2.0}, 2: {"a": 5.0}})
    assert result.spread("a") == (3.0, 2.0)
    assert result.spread("b") == (2.0, 0.0)
    assert result.spread("c") is None


def test_several_recipes_have_folders_of_their_own(tmp_path):
    every = plan(["unet", "hrnet_paper"], [], [512, 1024], tmp_path)
    assert [series.folder.name for series in every] == ["unet-512", "unet-1024", "hrnet_paper-512", "hrnet_paper-1024"]
    assert [series.recipe.sampling.patch for series in every] == [[512, 512], [1024, 1024]] * 2
    with pytest.raises(InputError, match="given twice"):
        plan(["unet", "unet"], [], [], tmp_path)
