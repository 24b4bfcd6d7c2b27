"""A training that is killed at any moment, as a machine that loses its power is, and goes on."""

import subprocess
import sys
import time

import pytest

from ImplantSegLib import cli, models
from ImplantSegLib.training.checkpoint import CHECKPOINT
from ImplantSegLib.training.fit import MODEL

pytestmark = [
    pytest.mark.torch,
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
]

CHANGES = ("run.steps=40", "run.checkpoint_every=3", "run.validate_every=20", "run.log_every=5", "loss.dice=0.0")


def test_a_killed_and_resumed_program_ends_with_the_weights_of_one_that_was_left_alone(recipe_file, tmp_path):
    def arguments(folder):
        sets = [word for change in CHANGES for word in ("--set", change)]
        return ["train", str(recipe_file), "-o", str(tmp_path / folder), "--progress", "none", *sets]

    assert cli.main(arguments("whole")) == 0
    program = [sys.executable, "-m", "ImplantSegLib", *arguments("killed")]
    with subprocess.Popen(program, stdout=subprocess.DEVNULL) as child:
        while not (tmp_path / "killed" / CHECKPOINT).exists() and child.poll() is None:
            time.sleep(0.01)
        time.sleep(0.1)  # somewhere in a step, a validation or a checkpoint
        child.kill()
    assert child.returncode == -9
    done = subprocess.run([*program, "--resume"], check=True, capture_output=True, text=True)
    assert "model of step" in done.stdout
    whole, killed = (models.load(tmp_path / folder / MODEL) for folder in ("whole", "killed"))
    assert killed.weights_sha256 == whole.weights_sha256
    assert killed.scores == whole.scores
    # the finished run that stands in the checkpoint is the same as well, and not only the best weights
    first, second = ((tmp_path / folder / "log.jsonl").read_text() for folder in ("whole", "killed"))
    assert without_time(first) == without_time(second)


def without_time(log):
    """Log without the column of seconds."""
    return [line.partition(", ")[0] + line.rpartition('"lr"')[2] for line in log.splitlines() if "lr" in line]
