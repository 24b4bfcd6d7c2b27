"""Measuring a cohort: in child processes, resumed after a kill, with failures, and on a Dask cluster."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from ImplantSegLib import cli
from ImplantSegQuantLib.study import pool, record, worker
from ImplantSegQuantLib.study.cohort import read_cohort
from ImplantSegQuantLib.study.plan import plan

pytestmark = pytest.mark.slow


def study(cohort, *more):
    return cli.main(["study", str(cohort), "-o", str(cohort.parent / "out"), "--progress", "none", *map(str, more)])


def results(cohort):
    return sorted((cohort.parent / "out" / "samples").glob("*/*/results.json"))


def times(cohort):
    return {path: path.stat().st_mtime_ns for path in results(cohort)}


def test_a_cohort_is_measured_once(pins, capsys):
    assert study(pins, "--dry-run") == 0
    assert "2 samples, 4 to measure, 0 of them done already" in capsys.readouterr().out
    assert not (pins.parent / "out").exists()
    assert study(pins, "--jobs", 2) == 0
    first = times(pins)
    assert [str(path.parent.relative_to(pins.parent / "out" / "samples")) for path in first] == [
        "a/one", "a/two", "b/one", "b/two"
    ]  # fmt: skip
    assert study(pins, "--dry-run") == 0
    assert "4 of them done already" in capsys.readouterr().out
    assert study(pins) == 0
    assert times(pins) == first
    assert "[4/4] skipped   b · two" in capsys.readouterr().out

    # another option of one sample, another file of another, a result that is not whole: those alone are not done
    pins.write_text(pins.read_text().replace("weeks = 6", "weeks = 6.5"))
    os.utime(pins.parent / "b-one.nrrd")
    again = [record.is_done(task) for task in plan(read_cohort(pins), pins.parent / "out")]
    assert again == [False, False, False, True]
    (pins.parent / "out" / "samples" / "b" / "two" / "report.html").unlink()
    assert not record.is_done(plan(read_cohort(pins), pins.parent / "out")[3])


def test_forced_work_is_done_again(pins):
    keep_one_sample(pins)
    assert study(pins) == 0
    first = times(pins)
    assert study(pins, "--force") == 0
    assert all(times(pins)[path] > before for path, before in first.items())


def keep_one_sample(pins):
    pins.write_text(pins.read_text().rpartition("[[samples]]")[0].replace(', two = "a-two.nrrd"', ""))


def test_a_sample_that_fails_does_not_stop_the_others(pins, capsys):
    (pins.parent / "a-one.nrrd").write_bytes(b"no volume")
    assert study(pins) == 2
    told = capsys.readouterr()
    assert "1 of 4 failed, the first: a · one: " in told.err
    assert "failed    a · one" in told.out
    assert len(results(pins)) == 3
    found = json.loads((pins.parent / "out" / "study.json").read_text())
    assert [task["status"] for task in found["tasks"]] == ["failed", "done", "done", "done"]
    assert "a, one, failed: " in (pins.parent / "out" / "report.html").read_text()


def test_a_worker_that_is_killed_fails_its_task_alone(pins, tmp_path, monkeypatch):
    tasks = plan(read_cohort(pins), pins.parent / "out")[:2]
    monkeypatch.setattr(worker, "_environment", killed_when("a/one", tmp_path))
    outcomes = pool.perform(tasks, lambda *_: None, jobs=2)
    assert [outcome.status for outcome in outcomes] == ["failed", "done"]
    assert "its process was ended by signal 9; run again with fewer --jobs" in str(outcomes[0])


def killed_when(folder, site):
    """Environment of children of which the one that works in a folder kills itself."""
    environment = worker._environment
    code = (
        "import os, signal, ImplantSegQuantLib.workflow as w\n"
        "old = w.run\n"
        f"w.run = lambda job: os.kill(os.getpid(), signal.SIGKILL) if job.out.endswith({folder!r}) else old(job)\n"
    )

    (site / "sitecustomize.py").write_text(code)

    def changed(share):
        made = environment(share)
        return made | {"PYTHONPATH": f"{site}{os.pathsep}{made['PYTHONPATH']}"}

    return changed


def test_a_kill_in_the_middle_loses_only_what_was_in_flight(pins):
    command = [sys.executable, "-m", "ImplantSegLib", "study", str(pins), "-o", str(pins.parent / "out"), "--jobs", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    wait_for(lambda: len(records(pins)) >= 1, process)
    process.kill()
    process.wait()
    time.sleep(2)  # the child sees that its parent is gone
    kept = times(pins)
    assert 1 <= len(records(pins)) < 4
    done = {path.parent for path in records(pins)}
    assert study(pins) == 0
    assert len(results(pins)) == 4
    assert {path.parent: before for path, before in kept.items() if path.parent in done}.items() <= {
        path.parent: now for path, now in times(pins).items()
    }.items()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_cancel_ends_at_once_and_leaves_no_process(pins):
    command = [sys.executable, "-m", "ImplantSegLib", "study", str(pins), "-o", str(pins.parent / "out"), "--jobs", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    wait_for(lambda: list((pins.parent / "out").glob("samples/*/*/study-task.log")), process)
    start = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 130
    assert time.monotonic() - start < 10
    assert records(pins) == []
    time.sleep(1)
    import psutil

    folder = str(pins.parent)
    assert [
        one for one in psutil.process_iter(["cwd", "cmdline"]) if folder in " ".join(one.info["cmdline"] or [])
    ] == []


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def records(cohort):
    return sorted((cohort.parent / "out" / "samples").glob(f"*/*/{record.RECORD}"))


def wait_for(ready, process):
    while not ready():
        assert process.poll() is None, "it ended too early"
        time.sleep(0.05)


@pytest.mark.torch
def test_a_model_segments_first(pins, monkeypatch):
    import numpy as np

    from ImplantSegLib.volumes import Volume, read, write

    labels = read(pins.parent / "a-one.nrrd")
    grey = np.array([16000, 24000, 25200, 27700], np.uint16)[np.asarray(labels.array[:])]
    write(Volume(grey, (0.01,) * 3), pins.parent / "scan.nrrd")
    keep_one_sample(pins)
    text = pins.read_text().replace("segmentations = ", "# ").replace('reference = "reference.nrrd"', "")
    more = 'image = "scan.nrrd"\nmodels = ["compact_unet"]\nreference = "screw:diameter=0.1,length=0.3"\n'
    pins.write_text(text + more)
    tasks = plan(read_cohort(pins), pins.parent / "out")
    (outcome,) = pool.perform(tasks, lambda *_: None)
    assert (tasks[0].folder / "labels.seg.nrrd").is_file()  # whatever the measuring makes of it
    assert outcome.status in ("done", "failed")


@pytest.fixture
def cluster():
    """A Dask cluster of one worker process."""
    distributed = pytest.importorskip("distributed", reason="the extra cluster is not installed")
    from dask import config

    with (
        config.set({"distributed.worker.daemon": False}),
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as found,
    ):
        yield found


def test_on_a_cluster_whose_worker_is_killed(pins, cluster):
    keep_one_sample(pins)
    tasks = plan(read_cohort(pins), pins.parent / "out")

    def kill_once():
        wait = time.monotonic() + 120
        log = tasks[0].folder / worker.LOG
        while not log.exists() and time.monotonic() < wait:
            time.sleep(0.05)
        for one in cluster.workers.values():
            os.kill(one.pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)

    import threading

    killer = threading.Thread(target=kill_once)
    killer.start()
    outcomes = pool.perform(tasks, lambda *_: None, scheduler=cluster.scheduler_address)
    killer.join()
    assert [outcome.status for outcome in outcomes] == ["done"]
    assert record.is_done(tasks[0])


def test_an_address_without_a_scheduler(pins, capsys, monkeypatch):
    pytest.importorskip("distributed", reason="the extra cluster is not installed")
    monkeypatch.setattr(pool, "CONNECT_S", 1)
    assert study(pins, "--scheduler", "tcp://127.0.0.1:9") == 2
    assert "there is no Dask scheduler at tcp://127.0.0.1:9" in capsys.readouterr().err


def test_without_the_package(pins, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert study(pins, "--scheduler", "tcp://127.0.0.1:9") == 2
    assert 'pip install "implantseg[cluster]"' in capsys.readouterr().err


def test_as_many_tasks_as_the_machine_holds(monkeypatch):
    monkeypatch.setattr(pool, "cores", lambda: 8)
    monkeypatch.setattr(pool, "memory", lambda: (64 * 2**30, 32 * 2**30))
    assert pool.default_jobs(0) == 8
    assert pool.default_jobs(10**9) == 2
    assert pool.default_jobs(10**11) == 1
    monkeypatch.setattr(pool, "memory", lambda: (None, None))
    assert pool.default_jobs(10**11) == 8
