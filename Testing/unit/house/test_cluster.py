"""The SLURM scripts for people: valid shell, and what a task of the array calls."""

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shell scripts for clusters")


def test_the_scripts_are_valid_shell(root):
    scripts = list((root / "Resources" / "cluster").glob("*.sbatch"))
    assert scripts
    for script in scripts:
        subprocess.run(["bash", "-n", script], check=True)


def test_a_task_segments_its_line_of_the_list(root, tmp_path):
    (tmp_path / "implantseg").write_text('#!/bin/sh\necho "$@" > call\n')
    (tmp_path / "implantseg").chmod(0o755)
    (tmp_path / "scans.txt").write_text("/data/a.nrrd\n/data/b c.ome.zarr\n")
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_SUBMIT_DIR": str(tmp_path)}
    subprocess.run(
        ["bash", root / "Resources" / "cluster" / "segment.sbatch", "scans.txt", "labels"],
        env={**os.environ, **variables, "SLURM_ARRAY_TASK_ID": "2"},
        check=True,
    )
    assert (tmp_path / "call").read_text().startswith("segment /data/b c.ome.zarr labels/b c.seg.nrrd --resume ")
    assert (tmp_path / "labels").is_dir()


PRETEND = """#!/bin/sh
# Stands for implantseg: notes how it was called, and trains until it is told to stop or for as long as QUICK says.
echo "$@" >> calls
for word; do [ "$before" = -o ] && run=$word; before=$word; done
mkdir -p "$run"
trap 'touch "$run/checkpoint.pt"; exit 130' TERM
touch started
i=0
while [ $i -lt ${QUICK:-100} ]; do sleep 0.1; i=$((i + 1)); done
"""


@pytest.fixture
def cluster(tmp_path):
    """A folder with stand-ins of implantseg, srun and scontrol, and the variables of a SLURM job there."""
    stand_ins = {
        "implantseg": PRETEND,
        "srun": '#!/bin/sh\nshift\nexec "$@"\n',
        "scontrol": '#!/bin/sh\necho "$@" > requeued\n',
    }
    for name, text in stand_ins.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_JOB_ID": "7"}


@pytest.mark.parametrize(
    ("script", "run", "call"),
    [
        ("train.sbatch", "runs/mine", "train my.toml -o runs/mine --progress none"),
        ("train-nodes.sbatch", "runs/mine", "train my.toml -o runs/mine --progress none"),
        ("crossval.sbatch", "runs/my/fold-2", "train my.toml --fold 2 -o runs/my/fold-2 --progress none"),
    ],
)
def test_a_training_whose_time_is_over_goes_back_into_the_queue_and_resumes(root, cluster, tmp_path, script, run, call):
    arguments = ["bash", root / "Resources" / "cluster" / script, "my.toml", "runs" if "fold" in run else run]
    with subprocess.Popen(arguments, env={**cluster, "SLURM_ARRAY_TASK_ID": "2"}) as turn:
        for _ in range(100):
            if (tmp_path / "started").exists():
                break
            time.sleep(0.1)
        turn.send_signal(signal.SIGTERM)
    assert turn.returncode == 130
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"
    (tmp_path / "requeued").unlink()
    subprocess.run(arguments, env={**cluster, "SLURM_ARRAY_TASK_ID": "2", "QUICK": "0"}, check=True)
    assert (tmp_path / "calls").read_text().splitlines() == [call, f"{call} --resume"]
    assert not (tmp_path / "requeued").exists()  # it was done


def test_a_training_that_fails_is_not_put_back(root, cluster, tmp_path):
    (tmp_path / "implantseg").write_text("#!/bin/sh\nexit 2\n")
    arguments = ["bash", root / "Resources" / "cluster" / "train.sbatch", "my.toml", "runs/mine"]
    assert subprocess.run(arguments, env=cluster, check=False).returncode == 2
    assert not (tmp_path / "requeued").exists()
