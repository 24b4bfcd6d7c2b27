"""A training folder: what is in it, that it trains as it is, and what its script does on a cluster."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from ImplantSegLib import cli, jobs, models
from ImplantSegLib.training.command import packaged_recipes
from ImplantSegLib.training.config import Recipe
from ImplantSegLib.volumes import Volume, read, write

TINY = [
    "run.steps=2", "run.validate_every=2", "run.validation_slices=1", "run.threads=1", "run.device=cpu",
    "sampling.batch=1", "sampling.patch=[32, 32]", "model.options.width=2",
]  # fmt: skip


@pytest.fixture
def listed(tmp_path, make_scan):
    """A list of two scans, of the second of which two slices were corrected."""
    for index, name in enumerate(("first", "second")):
        scan = make_scan(seed=index, shape=(10, 48, 44))
        volume = Volume(scan.image, scan.spacing_mm)
        write(volume, tmp_path / f"{name}.nrrd")
        write(volume.like(np.asarray(scan.labels)), tmp_path / f"{name}.seg.nrrd")
    (tmp_path / "samples.csv").write_text(
        "image,labels,name,slices\nfirst.nrrd,first.seg.nrrd,,\nsecond.nrrd,second.seg.nrrd,,2 7:8\n"
    )
    return tmp_path / "samples.csv"


@pytest.fixture
def export(listed, tmp_path, capsys):
    """Run ``implantseg export-training``: exit code, files and error."""

    def export(*options):
        changes = [part for change in TINY for part in ("--set", change)]
        arguments = ["export-training", tmp_path / "training", "--samples", listed, "--progress", "none", *changes]
        code = cli.main([*map(str, arguments), *map(str, options)])
        told = capsys.readouterr()
        return code, told.out.split(), told.err

    return export


def test_a_folder_holds_scans_recipe_and_script(export, tmp_path):
    code, written, error = export()
    assert (code, error) == (0, "")
    names = ["recipe.toml", "scans/first/image.nrrd", "scans/first/labels.seg.nrrd", "scans/second/image.nrrd"]
    names += ["scans/second/labels.seg.nrrd", "train.sbatch"]
    assert sorted(written) == [str(tmp_path / "training" / name) for name in names]
    first, second = (read(tmp_path / "training" / "scans" / name / "labels.seg.nrrd") for name in ("first", "second"))
    np.testing.assert_array_equal(first.array[:], read(tmp_path / "first.seg.nrrd").array[:])
    assert [bool((second.array[z : z + 1] != 255).any()) for z in range(10)] == [z in (2, 7) for z in range(10)]
    assert second.same_grid(read(tmp_path / "second.nrrd"))


@pytest.mark.parametrize("name", packaged_recipes())
def test_every_recipe_becomes_one_for_the_folder(export, tmp_path, name):
    assert export("--recipe", name)[0] == 0
    text = (tmp_path / "training" / "recipe.toml").read_text()
    assert text.startswith("# implantseg train recipe.toml -o run\n")
    recipe = jobs.from_mapping(Recipe, jobs.load_toml(tmp_path / "training" / "recipe.toml"))
    packaged = jobs.from_mapping(Recipe, jobs.load_toml(packaged_recipes()[name]))
    assert (recipe.data.cohort, recipe.data.folds, recipe.data.validation) == ("scans", 2, [])
    assert recipe.model.options == {**packaged.model.options, "width": 2}
    assert recipe.model.summary == f"{name} trained on 2 scans"
    assert (recipe.loss, recipe.optimiser) == (packaged.loss, packaged.optimiser)
    assert recipe.run.steps == 2


@pytest.mark.torch
def test_the_folder_trains_as_it_is_from_anywhere(export, tmp_path, monkeypatch, one_thread):
    export()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "training").rename(tmp_path / "carried")  # to a cluster
    out = tmp_path / "out"
    assert cli.main(["train", str(tmp_path / "carried" / "recipe.toml"), "-o", str(out), "--progress", "none"]) == 0
    made = models.load(out / "model.safetensors")
    assert (made.provenance["training"], made.provenance["validation"]) == (["second"], ["first"])
    assert made.training_data["scans"] == 1


def test_scans_are_added_to_a_folder_and_taken_names_refused(export, tmp_path, listed):
    export()
    code, _, error = export()
    assert code == 2
    assert "first is there already; name the sample otherwise, or pass --replace" in error
    listed.write_text("image,labels,name\nfirst.nrrd,first.seg.nrrd,third\n")
    code, _, error = export()
    assert code == 0
    assert {path.name for path in (tmp_path / "training" / "scans").iterdir()} == {"first", "second", "third"}
    assert "recipe.toml is there already and stays as it is" in error
    code, written, error = export("--replace")
    assert (code, error) == (0, "")
    assert str(tmp_path / "training" / "recipe.toml") in written
    recipe = jobs.load_toml(tmp_path / "training" / "recipe.toml")
    assert recipe["data"]["folds"] == 3


def test_a_scan_at_its_place_stays_and_its_labels_get_their_slices(export, tmp_path, listed):
    export()
    place = tmp_path / "training" / "scans" / "first"
    listed.write_text(f"image,labels,name,slices\n{place / 'image.nrrd'},{place / 'labels.seg.nrrd'},first,4\n")
    before = (place / "image.nrrd").stat()
    code, written, _ = export()
    assert code == 0
    assert written == [str(place / "labels.seg.nrrd")]
    after = (place / "image.nrrd").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    labels = np.asarray(read(place / "labels.seg.nrrd").array[:])
    assert np.flatnonzero((labels != 255).any(axis=(1, 2))).tolist() == [4]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--set", "run.stesp=3"], "unknown key 'run.stesp'"),
        (["--hours", "0"], "0 hours for the cluster"),
        (["--hours", "inf"], "inf hours for the cluster"),
        (["--memory", "32 G"], "got the memory '32 G'"),
        (["--partition", "gpu; ls"], "got the partition 'gpu; ls'"),
        (["--set", "sampling.patch=[0]"], "got patch"),
    ],
)
def test_bad_options_write_nothing(export, tmp_path, options, words):
    code, _, error = export(*options)
    assert code == 2
    assert words in error
    assert not (tmp_path / "training").exists()


def test_samples_that_cannot_train_write_nothing(export, tmp_path, listed):
    listed.write_text("image,labels\nfirst.nrrd,first.nrrd\n")
    code, _, error = export()
    assert code == 2
    assert "1 of 1 samples cannot train: first: its labels hold" in error
    assert not (tmp_path / "training").exists()


def test_the_script_asks_for_what_was_wished(export, tmp_path):
    export(
        "--partition",
        "maxgpu",
        "--gpus",
        0,
        "--hours",
        1.5,
        "--memory",
        "8G",
        "--setup",
        "module load a",
        "--setup",
        "b",
    )
    lines = (tmp_path / "training" / "train.sbatch").read_text().splitlines()
    for line in ("--partition=maxgpu", "--mem=8G", "--time=01:30:00", "--job-name=implantseg-training", "--requeue"):
        assert f"#SBATCH {line}" in lines
    assert "##SBATCH --gpus=1" in lines
    assert "#SBATCH --signal=B:TERM@120" in lines
    assert lines.index("module load a") + 1 == lines.index("b")


IMPLANTSEG = """#!/bin/sh
echo "$@" >> calls
trap 'echo stopped >> calls; exit 130' TERM
mkdir -p run
touch run/checkpoint.pt
touch started
if [ -n "$QUICK" ]; then exit "$QUICK"; fi
sleep 5 & wait
"""


@pytest.fixture
def cluster(export, tmp_path):
    """The exported folder, and an environment in which `implantseg` and `scontrol` only note that they were called."""
    export()
    folder = tmp_path / "training"
    for name, script in (("implantseg", IMPLANTSEG), ("scontrol", '#!/bin/sh\necho scontrol "$@" >> calls\n')):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    variables = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "42"}
    return folder, variables | {"SLURM_SUBMIT_DIR": str(folder)}


posix = pytest.mark.skipif(sys.platform == "win32", reason="a shell script for clusters")


@posix
def test_the_script_is_valid_shell(export, tmp_path):
    export("--partition", "gpu", "--setup", "module load python")
    subprocess.run(["bash", "-n", tmp_path / "training" / "train.sbatch"], check=True)


@posix
def test_a_turn_that_is_stopped_goes_back_into_the_queue_and_goes_on(cluster):
    folder, variables = cluster
    with subprocess.Popen(["bash", "train.sbatch"], cwd=folder, env=variables) as turn:
        while not (folder / "started").exists():
            time.sleep(0.02)
        turn.send_signal(signal.SIGTERM)
        turn.wait(timeout=10)
    assert turn.returncode == 130
    calls = (folder / "calls").read_text().splitlines()
    assert calls == ["train recipe.toml -o run --progress none", "stopped", "scontrol requeue 42"]
    subprocess.run(["bash", "train.sbatch"], cwd=folder, env={**variables, "QUICK": "0"}, check=True, timeout=10)
    assert (folder / "calls").read_text().splitlines()[3:] == ["train recipe.toml -o run --progress none --resume"]


@posix
def test_a_failure_ends_the_job(cluster):
    folder, variables = cluster
    ended = subprocess.run(
        ["bash", "train.sbatch"], cwd=folder, env={**variables, "QUICK": "2"}, check=False, timeout=10
    )
    assert ended.returncode == 2
    assert "scontrol" not in (folder / "calls").read_text()
