"""The Cancel button, Ctrl-C and the end of patience, as a real process meets them."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ImplantSegLib.models import Bundle, build, save
from ImplantSegLib.volumes import Volume, read, write

PATIENCE_S = 2
"""Time after which the form in 3D Slicer kills what it has cancelled."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM between processes")


@pytest.fixture
def command(tmp_path):
    """A run of a few seconds: a noisy scan, so that there are many islands, and a small network."""
    import torch

    torch.manual_seed(1)
    options = {"width": 2, "levels": 2}
    bundle = Bundle("unet", options, spacing_mm=(0.01,) * 3)
    save(tmp_path / "small.safetensors", bundle, build("unet", **options).state_dict())
    noise = np.random.default_rng(0).integers(0, 60000, (40, 256, 256), dtype=np.uint16)
    write(Volume(noise, (0.01,) * 3), tmp_path / "scan.nrrd")
    out = tmp_path / "out"
    return [
        sys.executable, "-m", "ImplantSegLib", "segment", str(tmp_path / "scan.nrrd"), str(out / "labels.seg.nrrd"),
        "--model", str(tmp_path / "small.safetensors"), "--fov", "box", "--uncertainty", str(out / "u.nrrd"),
        "--probabilities", str(out / "p.ome.zarr"), "--progress", "json", "--resume",
    ]  # fmt: skip


def left(tmp_path):
    return sorted(path.name for path in (tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else []


def ended(command, stage, sign):
    """Send a signal when a stage begins (or, without one, to a process that still imports); give status and time."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        if stage:
            next(line for line in child.stderr if line.startswith("{") and json.loads(line).get("stage") == stage)
        else:
            time.sleep(0.6)
        start = time.monotonic()
        child.send_signal(sign)
        told = child.stderr.read()
        child.wait()
        assert "Traceback" not in told
        return child.returncode, time.monotonic() - start


def test_a_run_is_cancelled_at_once_at_any_time_and_goes_on(command, tmp_path):
    for stage, sign in [
        ("", signal.SIGTERM),
        ("segment", signal.SIGINT),
        ("islands", signal.SIGTERM),
    ]:
        status, seconds = ended(command, stage, sign)
        assert (status, left(tmp_path)[1:]) == (130, []), stage
        assert seconds < PATIENCE_S, stage
    assert left(tmp_path) == [".labels.seg.nrrd.work"]
    # no patience: killed, it cannot tidy up, but no half-written file has a final name
    assert ended(command, "write", signal.SIGKILL)[0] == -signal.SIGKILL
    assert {name for name in left(tmp_path) if not name.startswith(".")} == set()
    subprocess.run(command, check=True, capture_output=True)
    assert left(tmp_path) == ["labels.seg.nrrd", "labels.seg.nrrd.job.toml", "p.ome.zarr", "u.nrrd"]
    assert read(tmp_path / "out" / "u.nrrd").shape == (40, 256, 256)


STARVED = """
import os, resource, sys
import cc3d, scipy.ndimage, torch
from ImplantSegLib import cli
from ImplantSegLib.inference import predict, runtime, estimate

runtime.Predictor(torch.nn.Conv2d(1, 4, 3, padding=1), runtime.Windows(64, 0), torch.device("cpu"), "float32").slices(
    torch.zeros(1, 64, 64)
)  # threads are started before memory runs short
taken = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
resource.setrlimit(resource.RLIMIT_AS, (taken + 64 * 2**20,) * 2)
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux to tell how much memory is taken")
def test_memory_that_runs_out_is_told_in_one_sentence(command, tmp_path):
    write(Volume(read(tmp_path / "scan.nrrd").array[:2].repeat(4, 1).repeat(4, 2), (0.01,) * 3), tmp_path / "scan.nrrd")
    arguments = [*command[3:], "--max-memory", "8GiB", "--precision", "float32"]
    done = subprocess.run([sys.executable, "-c", STARVED, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    *_, event, sentence = done.stderr.strip().splitlines()
    assert json.loads(event)["kind"] == "memory"
    assert sentence.startswith("error: out of memory")
    assert sentence.endswith("close programs or pass a smaller --max-memory")
    assert "Traceback" not in done.stderr
    assert left(tmp_path) == []
