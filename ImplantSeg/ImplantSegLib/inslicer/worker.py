"""A verb in a child process: its command, its progress, its end. Needs neither Slicer nor Qt.

The Slicer modules start what a terminal or a cluster would start, so that a run that fails, or takes
all memory, leaves the application as it was.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LAST_LINES = 20
"""Lines of output kept for the message about a run that failed without saying why."""

LINES_AT_ONCE = 2000
"""Lines that one look takes at most: a process that floods its output must not freeze who looks."""

_UNREAD_S = 0.5
"""Time after a kill in which output may still come; a pipe that stays open longer is held by a stranger."""

_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
"""Flag for a process of Windows that shows no console."""

_KILLED = (-signal.SIGTERM, -9, 128 + 9)
"""Exit codes of a process that was killed; the last is what a shell tells of its child."""

_LAUNCHER_LOST = "exit abnormally - Report the problem"
"""What the launcher ``PythonSlicer`` says of a child that was killed or crashed; it ends with exit code 1 then."""


@dataclass(frozen=True)
class Progress:
    """How far one stage of a run has come."""

    stage: str
    done: int
    total: int
    eta_s: float | None = None
    note: str = ""

    @property
    def percent(self) -> int:
        """How much of the stage is done, 0 to 100."""
        return max(0, min(100 * self.done // max(self.total, 1), 100))

    def __str__(self) -> str:
        left = "" if self.eta_s is None else f", {clock(self.eta_s)} left"
        return f"{self.stage} {self.percent} %{left}"


@dataclass(frozen=True)
class Item:
    """State of one row of a list of scans: ``running``, ``done``, ``failed`` or ``skipped``."""

    index: int
    status: str
    message: str = ""


@dataclass(frozen=True)
class Failure:
    """Why a run ended without a result, as it told itself."""

    kind: str
    message: str
    remedy: str = ""
    details: str = ""
    """What the process wrote last, or a traceback: for whoever looks for a bug."""

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


def command(verb: str, *arguments: str | Path, python: str | None = None) -> list[str]:
    """Command line that runs a verb, tells its progress as JSON lines, and logs every step.

    Parameters
    ----------
    verb : str
        A verb of ``implantseg``.
    *arguments : str or Path
        Its arguments.
    python : str, optional
        Interpreter; by default :func:`find_python`.
    """
    told = ["--progress", "json", "--verbose"]
    return [python or find_python(), "-m", "ImplantSegLib", verb, *map(str, arguments), *told]


def find_python() -> str:
    """Give Slicer's ``PythonSlicer``, which its launcher puts on PATH, else the running interpreter."""
    return shutil.which("PythonSlicer") or sys.executable


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """Environment in which a child process imports both libraries from where this process has them.

    ``PythonSlicer`` is a part of Slicer and wants the environment that Slicer runs in, its ``PYTHONHOME`` and
    ``LD_LIBRARY_PATH`` too, as ``slicer.util.executePythonModule`` gives it. Without them
    (``slicer.util.startupEnvironment``, made for foreign programs) it would miss what pip has installed into Slicer.
    """
    import ImplantSegLib
    import ImplantSegQuantLib

    folders = [str(Path(package.__path__[0]).parent) for package in (ImplantSegLib, ImplantSegQuantLib)]
    known = [folder for folder in base.get("PYTHONPATH", "").split(os.pathsep) if folder]
    path = os.pathsep.join(dict.fromkeys(folders + known))
    return {**base, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


def parse(line: str) -> Progress | Item | Failure | None:
    """Read one line of output; ``None`` where it is an ordinary line of text."""
    try:
        fields = json.loads(line)
        event = fields.pop("event")
        return {"progress": Progress, "item": Item, "error": Failure}[event](**fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def clock(seconds: float) -> str:
    """Text of a time: ``48 s``, ``3 min 10 s``, ``2 h 05 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Worker:
    """A child process whose output is read by threads, so that whoever asks never waits.

    Parameters
    ----------
    arguments : sequence of str
        The command line, as :func:`command` gives it.
    env : mapping of str to str
        Environment of the process, as :func:`environment` gives it.
    """

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str]) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._output: list[str] = []
        self._failure: Failure | None = None
        self._cancelled = False
        self._killed_at = float("inf")
        # a process group of its own: PythonSlicer is a launcher, and killing it alone would leave its child
        self._process = subprocess.Popen(
            list(arguments),
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=os.name == "posix",
            creationflags=_NO_WINDOW,
        )
        self._readers = [
            threading.Thread(target=self._read, args=arguments, daemon=True)
            for arguments in ((self._process.stdout, self._output), (self._process.stderr, None))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe: IO[str], kept: list[str] | None) -> None:
        # the news are what a terminal would show: both streams, as they come
        with pipe:
            for line in pipe:
                self._lines.put(line.rstrip())
                if kept is not None:
                    kept.append(line)

    def poll(self) -> list[Progress | Item | str]:
        """Give what the process has told since the last call: progress, rows of a list, and lines of text."""
        news: list[Progress | Item | str] = []
        while len(news) < LINES_AT_ONCE and not self._lines.empty():
            line = self._lines.get()
            event = parse(line)
            if isinstance(event, Failure):
                self._failure = event
            elif event is not None:
                news.append(event)
            else:
                self._last.append(line)
                news.append(line)
        return news

    @property
    def output(self) -> str:
        """What the process has written to its standard output: the result of the verb."""
        return "".join(self._output)

    @property
    def running(self) -> bool:
        """Whether the process still runs, or has said something that :meth:`poll` did not give yet."""
        if self._process.poll() is None:
            return True
        if time.monotonic() > self._killed_at + _UNREAD_S:
            return False
        return any(reader.is_alive() for reader in self._readers) or not self._lines.empty()

    @property
    def exit_code(self) -> int | None:
        """Exit status of the process, ``None`` while it runs."""
        return self._process.poll()

    @property
    def failure(self) -> Failure | None:
        """Why the run gave no result; ``None`` where it did, or is still running."""
        if self.running or self.exit_code == 0:
            return None
        if self._cancelled:
            return Failure("cancelled", "cancelled")
        if self._failure is not None:
            return self._failure
        last = "\n".join(self._last)
        killed = self.exit_code in _KILLED
        if killed or _LAUNCHER_LOST in last:
            # what the kernel does to a process when memory runs out, and what people do by hand
            how = "was killed from outside, as the system does" if killed else "ended all at once, as it does"
            remedy = "close programs, give the run less memory, or crop or bin the scan"
            return Failure("killed", f"the process {how} when memory runs out", remedy, last)
        return Failure(
            "crash", f"the process ended with exit code {self.exit_code} and did not say why", "see the log", last
        )

    def cancel(self) -> None:
        """Ask the run to stop: it ends at its next step and leaves no half-written file.

        Windows has no such request between processes without a console; there the run is killed.
        """
        self._cancelled = True
        if os.name == "posix":
            self._signal(signal.SIGTERM)
        else:
            self.kill()

    def kill(self) -> None:
        """End the process and all its children at once."""
        self._cancelled = True
        self._killed_at = min(self._killed_at, time.monotonic())
        if os.name == "posix":
            self._signal(signal.SIGKILL)
        else:
            kill = ["taskkill", "/T", "/F", "/PID", str(self._process.pid)]
            subprocess.run(kill, capture_output=True, check=False, creationflags=_NO_WINDOW)

    def _signal(self, sign: signal.Signals) -> None:
        # to the whole group, also when its first process is gone: a launcher may end before its child
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, sign)

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until the process has ended and all its output is read, or stays unread for ``timeout_s``.

        Raises
        ------
        subprocess.TimeoutExpired
            When it runs longer than ``timeout_s``.
        """
        self._process.wait(timeout_s)
        for reader in self._readers:
            reader.join(timeout_s)
