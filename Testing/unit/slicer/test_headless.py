"""The example that runs in Slicer without a window, in a process of its own in which the host stands for Slicer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path("Resources/examples/batch.py")

SLICER = """
import runpy, sys

sys.path[:0] = ["Testing", "ImplantSeg", "ImplantSegQuant"]
import host

host.start()
import slicer

# without a window no panel is built, and there are no views
slicer.app.layoutManager = slicer.app.mainWindow = slicer.util.mainWindow = lambda *_: None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def run(host, root):
    """Run the example as ``Slicer --python-script`` does; ``host`` skips where there is none."""

    def run(*arguments, timeout_s=120):
        command = [sys.executable, "-c", SLICER, str(EXAMPLE), *map(str, arguments)]
        environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
        return subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    return run


def test_help_ends_with_0(run):
    done = run("--help")
    assert done.returncode == 0
    assert "-o OUT" in done.stdout


def test_a_wrong_command_line_ends_with_2(run, tmp_path):
    done = run("scan.nrrd", "-o", tmp_path, "--reference", "screw")
    assert done.returncode == 2
    assert "--reference needs --weeks" in done.stderr


def test_scans_that_fail_are_told_and_end_with_1(run, tmp_path):
    (tmp_path / "noise.nrrd").write_text("no NRRD")
    done = run(tmp_path / "absent.nrrd", tmp_path / "noise.nrrd", "-o", tmp_path / "out")
    assert done.returncode == 1
    assert f"{tmp_path / 'absent.nrrd'}: there is no" in done.stderr
    assert f"{tmp_path / 'noise.nrrd'}: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "0 of 2 scans done" in done.stdout


@pytest.mark.slow
@pytest.mark.torch
def test_a_scan_is_segmented_measured_and_saved(run, tmp_path):
    from ImplantSegLib import cli
    from ImplantSegLib.volumes import read

    shape = ["--shape", "16,192,192", "--spacing-um", "20", "--supersampling", "1"]
    assert cli.main(["phantom", str(tmp_path), "--seed", "7", *shape, "--progress", "none"]) == 0
    scan, out = (tmp_path / "image.nrrd").rename(tmp_path / "sheep.nrrd"), tmp_path / "out"
    options = ["--reference", "screw:diameter=3.5,length=16", "--weeks", "12", "--device", "cpu"]
    done = run(scan, "-o", out, *options, "--scene", tmp_path / "all.mrb", timeout_s=900)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 scans done" in done.stdout
    assert "bone" in done.stdout.lower()
    assert read(out / "sheep.seg.nrrd").same_grid(read(scan))
    assert (out / "sheep" / "report.html").is_file()
    assert (tmp_path / "all.mrb").stat().st_size > 0
