"""Two processes on a CPU train what one would."""

import json
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from ImplantSegLib import cli
from ImplantSegLib.errors import InputError
from ImplantSegLib.training import processes
from ImplantSegLib.training.checkpoint import CHECKPOINT
from ImplantSegLib.training.config import Run
from ImplantSegLib.training.journal import LOG

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("one_thread")]

CHANGES = {
    "model.freeze_norm": "true",
    "loss.dice": 0.0,  # what is left is a mean over pixels
    "optimiser.kind": "sgd",
    "optimiser.lr": 0.05,
    "optimiser.accumulate": 2,
    "sampling.batch": 4,
    "run.steps": 4,
    "run.validate_every": 2,
    "run.device": "cpu",
}

PROGRAM = """
import os, signal
import torch
from ImplantSegLib import cli
from ImplantSegLib.training.fit import Fit

take_step, run = Fit.take_step, Fit.run

def warned(fit, *batch):
    terms = take_step(fit, *batch)
    if fit.step == 3 and fit.fabric.global_rank == 1:
        os.kill(os.getpid(), signal.SIGUSR1)  # as SLURM does before the time is over, but to one alone
    return terms

def kept(fit):
    try:
        return run(fit)
    finally:
        state = {**fit.network.module.state_dict(), "step": torch.tensor(fit.step)}
        torch.save(state, fit.folder / f"rank-{fit.fabric.global_rank}.pt")

Fit.take_step, Fit.run = warned, kept
cli.run()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="Windows has no SIGUSR1")
def test_two_processes_train_what_one_does_and_stop_at_the_same_step(recipe_file, tmp_path):
    def arguments(folder):
        sets = [word for key, value in CHANGES.items() for word in ("--set", f"{key}={value}")]
        return ["train", str(recipe_file), "-o", str(tmp_path / folder), "--progress", "none", *sets]

    (tmp_path / "program.py").write_text(PROGRAM)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, str(tmp_path / "program.py"), *arguments("two")], capture_output=True, text=True, check=False
    )
    assert "exitcode  : 130" in done.stderr, done.stderr
    first, second = (torch.load(tmp_path / "two" / f"rank-{rank}.pt") for rank in (0, 1))
    assert first["step"] == 3
    assert first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []

    assert cli.main(arguments("one")) == 0
    assert cli.main([*arguments("two"), "--resume"]) == 0  # by one process, as another machine may have it
    two, one = (torch.load(tmp_path / folder / CHECKPOINT) for folder in ("two", "one"))
    for part in ("network", "average"):
        for key, value in one[part].items():
            torch.testing.assert_close(two[part][key], value, rtol=1e-5, atol=1e-6, msg=f"{part} {key}")
    told = [json.loads(line) for line in (tmp_path / "two" / LOG).read_text().splitlines()]
    assert told[0]["processes"] == 2
    assert told[0]["normalisation"] == "batch statistics are frozen"
    losses = [[line["loss"] for line in log(tmp_path / folder) if "loss" in line] for folder in ("two", "one")]
    assert len(losses[0]) == 2
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def log(folder):
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, (1, 1)),
        ({"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}, (4, 2)),
        ({"SLURM_NTASKS": "1"}, (1, 1)),
        ({"SLURM_NTASKS": "6", "SLURM_NNODES": "2", "SLURM_STEP_ID": "0"}, (3, 2)),
        ({"SLURM_NTASKS": "6", "SLURM_NNODES": "2", "SLURM_JOB_NAME": "interactive"}, (1, 1)),
    ],
)
def test_what_was_started_is_known(environment, expected):
    assert processes.launched(environment) == expected


def test_a_job_of_several_tasks_without_srun_is_refused():
    with pytest.raises(InputError, match="has 4 tasks, but the program was started once; start it with srun"):
        processes.launched({"SLURM_NTASKS": "4"})


@pytest.mark.parametrize("run", [Run(devices=2), Run(nodes=3)])
def test_other_numbers_than_were_started_are_refused(run):
    with pytest.raises(InputError, match=r"but 1 process on each of 1 node was started; start it with `torchrun"):
        processes.start(run)


def test_a_device_that_is_not_there_is_told():
    with pytest.raises(InputError, match=r"cannot start on 1 × 'abacus' of 1 node \(.*\); correct run.device"):
        processes.start(Run(device="abacus"))


def test_every_process_takes_its_part_of_the_batch():
    taken = [
        patch
        for rank in range(3)
        for patch in range(12)[processes.part_of_batch(SimpleNamespace(world_size=3, global_rank=rank), 12, 2)]
    ]
    assert taken == list(range(12))


def test_a_batch_that_processes_cannot_divide_is_refused():
    with pytest.raises(InputError, match="batch = 8, wanted a multiple of 6: 3 processes times optimiser"):
        processes.part_of_batch(SimpleNamespace(world_size=3, global_rank=0), 8, 2)
