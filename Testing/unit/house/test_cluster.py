"""The SLURM scripts for people: valid shell, and what a task of the array calls."""

import os
import subprocess
import sys

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
