"""Cancel while a training makes its cohort: compiled code is left soon, and nothing of it stays."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM between processes"),
]


def cpu_seconds(usage):
    return usage.ru_utime + usage.ru_stime


def cpu_seconds_so_far(pid):
    """Processor time of a process that runs, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to read the processor time from")
@pytest.mark.parametrize("stage", ["reference", "development", "phantom"])
def test_a_training_that_makes_its_cohort_stops_at_once(tmp_path, stage):
    command = [sys.executable, "-m", "ImplantSegLib", "train", "compact_unet", "-o", str(tmp_path / "run")]
    with subprocess.Popen(
        [*command, "--progress", "json"],
        env={**os.environ, "IMPLANTSEG_CACHE_DIR": str(tmp_path / "cache")},
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        for line in child.stderr:
            told = json.loads(line) if line.startswith("{") else {}
            if told.get("stage") == stage and (stage != "reference" or told["done"] > 20):
                break
        before = cpu_seconds_so_far(child.pid)
        child.send_signal(signal.SIGTERM)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 130
    assert cpu_seconds(usage) - before < 2  # of the processor, as machines that test are busy
    assert not (tmp_path / "run").exists()
    left = [path.name for path in tmp_path.rglob("*") if "partial" in path.name]
    assert left == []
