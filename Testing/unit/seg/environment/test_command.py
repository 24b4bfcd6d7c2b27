"""The verb in a process of its own, whole and with packages taken away."""

import json
import os
import stat
import subprocess
import sys

import pytest

from ImplantSegLib.environment.packages import requirements

RUN = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name.partition(".")[0])

sys.meta_path.insert(0, Blocked())
from ImplantSegLib import cli
sys.exit(cli.main(["environment", *sys.argv[1:]]))
"""


def ask(*options, blocked=(), **variables):
    """Answer of ``implantseg environment`` where the modules in ``blocked`` are not installed."""
    return subprocess.run(
        [sys.executable, "-c", RUN.format(blocked=set(blocked)), *options],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


@pytest.fixture
def gpu(tmp_path):
    """Variables of a machine whose driver tells of a GPU."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA RTX A4000, 16376, 15000, 550.54, 8.6'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CUDA_VISIBLE_DEVICES": ""}


@pytest.mark.torch
@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for nvidia-smi is a shell script")
def test_a_gpu_that_torch_does_not_use_is_idle(gpu):
    facts = json.loads(ask("--json", **gpu))
    assert facts["missing"] == []
    assert facts["torch"]["build"]
    assert facts["gpus"][0]["name"] == "NVIDIA RTX A4000"
    assert facts["idle_gpu"]
    assert facts["warnings"][0].startswith("the GPU NVIDIA RTX A4000 is idle: torch")


def test_without_torch_there_is_a_report_that_says_so(tmp_path):
    facts = json.loads(ask("--json", blocked=["torch"], IMPLANTSEG_MODEL_DIR=str(tmp_path)))
    assert facts["missing"] == ["torch"]
    assert facts["torch"] == {"version": None, "build": None, "gpu_usable": False, "cpu_bf16": []}
    assert not facts["idle_gpu"]
    assert facts["models"] == {"folder": str(tmp_path), "imported": 0, "writable": True}
    assert "torch is missing" in facts["warnings"][0]


def test_without_any_package_there_is_a_report():
    modules = ["vtkmodules", "nrrd", "cc3d", "skimage", *(package.name for package in requirements())]
    facts = json.loads(ask("--json", blocked=modules))
    assert facts["missing"] == [package.name for package in requirements() if not package.extra]
    assert len(facts["warnings"]) == 2
    assert "WARNING" not in facts["warnings"][1]


def test_the_table_tells_the_same():
    told = ask(blocked=["zarr"])
    assert told.startswith("ImplantSeg ")
    for line in ("Python ", "memory ", "GPU ", "models ", "zarr                     MISSING, wanted >=3.0.8"):
        assert f"\n{line}" in told
    assert "warning                  packages are missing: zarr; install them with pip" in told
