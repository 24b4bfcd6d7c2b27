"""One task in a process of its own, so that a crash, a kill or lack of memory ends that task alone.

``python -m ImplantSegQuantLib.study.worker`` reads a pickled task from its standard input, does it, and prints the
outcome as one line of JSON. It ends when that input is closed: no process outlives the one that has started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import ImplantSegLib
import ImplantSegQuantLib
from ImplantSegLib import threads
from ImplantSegLib.errors import ImplantSegError, InputError, is_out_of_memory
from ImplantSegQuantLib.study.plan import Task

LOG = "study-task.log"

DONE, FAILED, CANCELLED = "done", "failed", "cancelled"

_children: set[subprocess.Popen[bytes]] = set()
_stopping = threading.Event()


@dataclass(frozen=True)
class Outcome:
    """How a task ended."""

    status: str
    """``done``, ``failed`` or ``cancelled``."""
    message: str = ""
    """Why it failed, in one sentence."""
    remedy: str = ""
    """What to do about it."""

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


@dataclass(frozen=True)
class Share:
    """What one task may use of its machine; None: what it takes by itself."""

    threads: int | None = None
    """Threads of its arithmetic."""
    memory_bytes: int | None = None
    """Memory of its segmentation."""


def run(task: Task, share: Share = Share()) -> Outcome:
    """Do a task in a child process and wait for its end; called in a thread, here or on a worker of Dask.

    Parameters
    ----------
    task : Task
        What to do. What the child logs is in ``study-task.log`` in its folder.
    share : Share
        What it may use.

    Returns
    -------
    Outcome
        Failures are told, not raised, but those of the file system around the child.
    """
    task.folder.mkdir(parents=True, exist_ok=True)
    with (task.folder / LOG).open("wb") as log, _child(share, log) as child:
        if _stopping.is_set():
            return Outcome(CANCELLED)
        assert child.stdin is not None
        assert child.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it has died already: its status tells more
            pickle.dump((task, share), child.stdin)
            child.stdin.flush()
        answer = child.stdout.read()  # until its end; its input stays open for as long
        status = child.wait()
    return _outcome(answer, status, task)


@contextlib.contextmanager
def _child(share: Share, log: object) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", __name__]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=_environment(share)  # type: ignore[call-overload]
    )  # fmt: skip
    _children.add(child)
    try:
        yield child
    finally:
        _children.discard(child)
        child.kill()
        for pipe in filter(None, (child.stdin, child.stdout)):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        child.wait()


def _environment(share: Share) -> dict[str, str]:
    libraries = [str(Path(library.__path__[0]).parent) for library in (ImplantSegLib, ImplantSegQuantLib)]
    path = os.pathsep.join([*libraries, *filter(None, [os.environ.get("PYTHONPATH")])])
    found = {**os.environ, "PYTHONPATH": path}
    if share.threads is not None:
        names = (threads.VARIABLE, "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")
        found |= dict.fromkeys(names, str(share.threads))
    return found


def stop() -> None:
    """End all children of this process now, and start no more; files are whole or absent at any time."""
    _stopping.set()
    for child in list(_children):
        child.kill()


def resume() -> None:
    """Allow children again after :func:`stop`."""
    _stopping.clear()


def _outcome(answer: bytes, status: int, task: Task) -> Outcome:
    if _stopping.is_set():
        return Outcome(CANCELLED)
    try:
        return Outcome(**json.loads(answer))
    except (ValueError, TypeError):
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        remedy = "run again with fewer --jobs if memory was short"
        return Outcome(FAILED, f"its process {how}", f"{remedy}; its log: {task.folder / LOG}")


def perform(task: Task, share: Share) -> Outcome:
    """Do a task in this process: segment if asked to, measure, and record what was done."""
    from ImplantSegQuantLib.study.record import fingerprint, forget, remember
    from ImplantSegQuantLib.workflow import run as quantify

    assert task.quantify is not None, "results that were given are not made"
    try:
        forget(task)
        key = fingerprint(task)
        if task.segment is not None:
            _segment(task, share)
        quantify(task.quantify)
        remember(task, key)
    except ImplantSegError as error:
        return Outcome(FAILED, error.message, error.remedy)
    except Exception as error:  # noqa: BLE001 (told below, and the other tasks go on)
        traceback.print_exc()
        if is_out_of_memory(error):
            return Outcome(FAILED, f"out of memory ({error})", "run again with fewer --jobs")
        return Outcome(FAILED, f"{type(error).__name__}: {error}", f"this is a bug: report it with {task.folder / LOG}")
    return Outcome(DONE)


def _segment(task: Task, share: Share) -> None:
    """Segment, going on where an earlier run of the same job has stopped."""
    from ImplantSegLib.inference.batch import is_finished
    from ImplantSegLib.inference.inputs import open_model
    from ImplantSegLib.inference.predict import segment
    from ImplantSegLib.inference.work import Work

    assert task.segment is not None
    job = replace(task.segment, max_memory=share.memory_bytes)
    model = open_model(job.model)
    if is_finished(job, model):
        return
    try:
        begun = Work(job.output, job.key(model.bundle.weights_sha256)).resume(job.probabilities is not None)
    except InputError:
        begun = False  # of another job: this one starts anew
    segment(job, begun, model)


def _end_with(stream: object) -> None:
    """End this process when its input is closed: whoever has started it is gone."""

    def wait() -> None:
        stream.read()  # type: ignore[attr-defined]
        os._exit(130)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Do the task that stands in the input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches a whole group: whoever has started this one ends it
    task, share = pickle.load(sys.stdin.buffer)
    _end_with(sys.stdin.buffer)
    with contextlib.redirect_stdout(sys.stderr):  # the answer alone goes out
        outcome = perform(task, share)
    sys.stdout.write(json.dumps(asdict(outcome)))
    sys.stdout.flush()
    os._exit(0)  # not waiting for the thread that reads


if __name__ == "__main__":
    main()
