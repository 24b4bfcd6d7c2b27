"""Ctrl-C, SIGTERM and a closed pipe, as a real process meets them."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

# a process whose one verb writes half a file, says so, and waits
SLOW_WRITER = """
import sys, time, types
from pathlib import Path
from ImplantSegLib import cli, files, progress

def verb(argv):
    progress.configure("json")
    with files.atomic_path(argv[0]) as temporary, progress.stage("write", total=2) as advance:
        temporary.write_text("half")
        advance()
        print("half", flush=True)
        time.sleep(60)

sys.modules["slow"] = types.SimpleNamespace(main=verb)
cli.VERBS["slow"] = cli.Verb("slow:main", "writes slowly")
sys.exit(cli.main(["slow", sys.argv[1]]))
"""

posix_signals = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no SIGINT and SIGTERM between processes"
)


@posix_signals
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_with_130_and_leaves_no_half_file(tmp_path: Path, sign: signal.Signals):
    out = tmp_path / "scan.nrrd"
    out.write_text("old")
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_WRITER, str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "half\n"
        assert sorted(path.name for path in tmp_path.iterdir()) == [".partial-scan.nrrd", "scan.nrrd"]
        child.send_signal(sign)
        _, told = child.communicate(timeout=20)
    assert child.returncode == 130
    assert '"kind": "cancelled"' in told
    assert "Traceback" not in told
    assert [path.name for path in tmp_path.iterdir()] == ["scan.nrrd"]
    assert out.read_text() == "old"


CHATTERBOX = """
import sys, types
from ImplantSegLib import cli

sys.modules["chatter"] = types.SimpleNamespace(main=lambda argv: print("line\\n" * 100_000))
cli.VERBS["chatter"] = cli.Verb("chatter:main", "prints a lot")
sys.exit(cli.main(["chatter"]))
"""


@posix_signals
def test_a_reader_who_leaves_early_is_no_error():
    with subprocess.Popen(
        [sys.executable, "-c", CHATTERBOX], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == ""
    assert child.returncode == 0
