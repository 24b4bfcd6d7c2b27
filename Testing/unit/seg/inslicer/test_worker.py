import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import ImplantSegLib
from ImplantSegLib.inslicer import worker
from ImplantSegLib.inslicer.worker import Failure, Progress, Worker

TELLS_PROGRESS = """
from ImplantSegLib import progress
progress.configure("json")
progress.LINE_INTERVAL_S = 0
print("model: compact")
with progress.stage("segment", total=2) as advance:
    advance(2, note="fine")
"""

FAILS = """
import sys
from ImplantSegLib import cli
from ImplantSegLib.errors import InputError
def verb(argv):
    from ImplantSegLib import progress
    progress.configure("json")
    raise InputError("got 2D, wanted 3D", "pass a volume")
import types
sys.modules["failing"] = types.SimpleNamespace(main=verb)
cli.VERBS["failing"] = cli.Verb("failing:main", "fails")
sys.exit(cli.main(["failing"]))
"""

LAUNCHER = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {child!r}])
print("child", child.pid, flush=True)
sys.exit(child.wait())
"""

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)
OBEDIENT = "import time; print('ready', flush=True); time.sleep(60)"


def start(code: str) -> Worker:
    return Worker([sys.executable, "-c", code], worker.environment(os.environ))


def finish(running: Worker) -> list:
    running.wait(20)
    return running.poll()


def wait_for(running: Worker, *words: str) -> dict[str, str]:
    """Lines that begin with each of the words, once they were all said."""
    said: dict[str, str] = {}
    deadline = time.monotonic() + 20
    while not set(words) <= set(said):
        assert time.monotonic() < deadline, said
        said |= {line.split()[0]: line for line in running.poll() if isinstance(line, str) and line}
        time.sleep(0.01)
    return said


def test_the_command_is_what_a_terminal_would_run():
    assert worker.command("segment", Path("a b.nrrd"), "out.seg.nrrd", python="PythonSlicer") == [
        "PythonSlicer", "-m", "ImplantSegLib", "segment", "a b.nrrd", "out.seg.nrrd", "--progress", "json",
        "--verbose",
    ]  # fmt: skip


def test_slicers_python_is_preferred(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert worker.find_python() == sys.executable
    launcher = tmp_path / ("PythonSlicer.exe" if os.name == "nt" else "PythonSlicer")
    launcher.touch(mode=0o755)
    assert worker.find_python() == str(launcher)


def test_the_environment_finds_both_libraries_and_keeps_the_rest():
    env = worker.environment({"PYTHONPATH": "/own", "HOME": "/home"})
    folders = env["PYTHONPATH"].split(os.pathsep)
    assert folders[0] == str(Path(ImplantSegLib.__path__[0]).parent)
    assert folders[-1] == "/own"
    assert env["HOME"] == "/home"


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (
            '{"event": "progress", "stage": "segment", "done": 1, "total": 4, "eta_s": 2.5}',
            Progress("segment", 1, 4, 2.5),
        ),
        ('{"event": "error", "kind": "input", "message": "m", "remedy": "r"}', Failure("input", "m", "r")),
        ('{"event": "unknown", "stage": "x"}', None),
        ('{"event": "progress", "unheard": 1}', None),
        ("[1, 2]", None),
        ("model: compact", None),
        ("", None),
    ],
)
def test_lines_are_events_or_text(line, event):
    assert worker.parse(line) == event


def test_progress_and_failures_read_as_sentences():
    assert str(Progress("segment", 1, 4, 2.5)) == "segment 25 %, 2 s left"
    assert str(Progress("segment", 0, 0)) == "segment 0 %"
    assert Progress("segment", 5, 4).percent == 100
    assert str(Failure("input", "got a", "pass b")) == "got a; pass b"


def test_a_run_that_succeeds_tells_its_progress_and_its_text():
    running = start(TELLS_PROGRESS)
    said = finish(running)
    assert [line for line in said if isinstance(line, str)] == ["model: compact"]
    assert [event.done for event in said if isinstance(event, Progress)] == [0, 2]
    assert (running.exit_code, running.failure, running.running) == (0, None, False)


def test_a_run_that_fails_gives_its_own_words():
    running = start(FAILS)
    finish(running)
    assert running.exit_code == 2
    assert running.failure == Failure("input", "got 2D, wanted 3D", "pass a volume")


def test_a_crash_gives_the_exit_code_and_the_last_lines():
    running = start("import sys; print('before the crash'); sys.exit(7)")
    finish(running)
    assert running.failure == Failure(
        "crash", "the process ended with exit code 7 and did not say why", "see the log", "before the crash"
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no such signal")
def test_a_process_that_the_kernel_kills_speaks_of_memory():
    running = start("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    finish(running)
    assert running.failure is not None
    assert running.failure.kind == "killed"
    assert "when memory runs out" in running.failure.message


def test_a_launcher_that_lost_its_child_speaks_of_memory():
    # PythonSlicer ends with 1 then, whatever became of the Python below it
    running = start("import sys; sys.exit('error: [/bin/python-real] exit abnormally - Report the problem.')")
    finish(running)
    assert running.exit_code == 1
    assert running.failure is not None
    assert (running.failure.kind, "when memory runs out" in running.failure.message) == ("killed", True)


def test_a_flood_of_lines_is_read_in_portions():
    running = start(f"print('x\\n' * {3 * worker.LINES_AT_ONCE}, end='')")
    running.wait(20)
    assert len(running.poll()) == worker.LINES_AT_ONCE
    assert running.running


@pytest.mark.skipif(os.name == "nt", reason="Windows has no sessions")
def test_a_stranger_that_holds_the_pipe_does_not_keep_a_killed_run_alive():
    running = start(LAUNCHER.format(child=OBEDIENT).replace("])", "], start_new_session=True)"))
    child = psutil.Process(int(wait_for(running, "child", "ready")["child"].split()[1]))
    running.kill()
    deadline = time.monotonic() + 5
    while running.running:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.kill()


ORPHANED = """
import os, sys, time
from ImplantSegLib.inslicer.worker import Worker, environment
worker = Worker([sys.executable, "-c", {child!r}], environment(os.environ))
while not worker.poll():
    time.sleep(0.01)
print(worker._process.pid, flush=True)
os._exit(1)  # as an application that crashes
"""

TELLS_FOR_EVER = """
import time
from ImplantSegLib import progress
progress.configure("json")
progress.LINE_INTERVAL_S = 0
for _ in progress.track(iter(int, 1), "segment", 10**9):
    time.sleep(0.05)
"""


def test_a_run_ends_when_the_application_that_started_it_has_crashed():
    started = subprocess.run(
        [sys.executable, "-c", ORPHANED.format(child=TELLS_FOR_EVER)], capture_output=True, text=True, check=False
    )
    child = int(started.stdout)
    deadline = time.monotonic() + 20
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.05)


@pytest.mark.parametrize(("seconds", "text"), [(4.4, "4 s"), (190, "3 min 10 s"), (7500, "2 h 05 min")])
def test_times_read_well(seconds, text):
    assert worker.clock(seconds) == text


@pytest.mark.skipif(os.name == "nt", reason="Windows kills without asking")
def ends(pid: int) -> bool:
    """Whether a process has ended, or does within two seconds: it may outlive its launcher by a moment."""
    for _ in range(200):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False


def test_cancelling_reaches_the_child_of_a_launcher():
    running = start(LAUNCHER.format(child=OBEDIENT))
    child = int(wait_for(running, "child", "ready")["child"].split()[1])
    assert running.running
    assert running.failure is None
    running.cancel()
    finish(running)
    assert running.failure == Failure("cancelled", "cancelled")
    assert ends(child)


def test_killing_ends_what_does_not_listen():
    running = start(LAUNCHER.format(child=STUBBORN))
    child = int(wait_for(running, "child", "ready")["child"].split()[1])
    running.cancel()
    running.kill()
    finish(running)
    assert running.failure is not None
    assert ends(child)
    running.kill()  # a second time does nothing
