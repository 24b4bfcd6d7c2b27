"""Imports packages in a process of its own: one that crashes Python there, or hangs, is found out and does no harm."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT_S = 300
"""Time for all imports: from a cold network disk, torch alone takes a minute."""

_CODE = "from ImplantSegLib.environment import probe; probe.answer()"


@dataclass(frozen=True)
class Answer:
    """What the import of a module came to."""

    error: str = ""
    """Why it failed; empty: it did not."""
    version: str | None = None
    """Version that the module tells."""
    torch: dict[str, Any] | None = None
    """Of torch: ``torch`` and ``gpus``, as :func:`~.accelerator.torch_facts` gives them."""


def imported(names: Sequence[str]) -> dict[str, Answer]:
    """Import modules, one after the other, in a process of their own; where one ends that, in another one.

    Parameters
    ----------
    names : sequence of str
        Modules, as ``scipy.ndimage``.

    Returns
    -------
    dict of str to Answer
        One per name.
    """
    answers: dict[str, Answer] = {}
    waiting = list(names)
    while waiting:
        lines, end = _ask(waiting)
        answers |= {name: Answer(**json.loads(line)) for name, line in zip(waiting, lines, strict=False)}
        waiting = waiting[len(lines) :]
        if waiting:
            answers[waiting.pop(0)] = Answer(error=f"{end} while it was imported")
    return answers


def _ask(names: list[str]) -> tuple[list[str], str]:
    """Lines that a process answered for the first of the modules, and how it ended."""
    places = os.pathsep.join(place or str(Path.cwd()) for place in sys.path)
    environment = {**os.environ, "PYTHONPATH": places, "PYTHONUTF8": "1"}
    command = [sys.executable, "-c", _CODE, *names]
    try:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        return _lines(error.stdout), f"no answer came within {TIMEOUT_S} s"
    return _lines(done.stdout), _end(done.returncode)


def _lines(output: bytes | None) -> list[str]:
    return (output or b"").decode("utf-8", errors="replace").splitlines()


def _end(status: int) -> str:
    known = {number.value: number.name for number in signal.Signals}
    return f"Python ended by {known.get(-status, 'a signal')}" if status < 0 else f"Python ended with status {status}"


def answer() -> None:
    """Import the modules that the command line names and print a line of JSON for each: the other process."""
    # packages that greet, also from C, must not break the JSON
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as stream:
        os.dup2(2, 1)
        for name in sys.argv[1:]:
            print(json.dumps(dataclasses.asdict(_import(name))), file=stream, flush=True)


def _import(name: str) -> Answer:
    try:
        module = importlib.import_module(name)
        return Answer(version=_version(module), torch=_torch() if name == "torch" else None)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a damaged package may raise anything, and that is the answer here
        reason = next(iter(str(error).splitlines()), "")
        return Answer(error=f"{type(error).__name__}: {reason}")


def _version(module: object) -> str | None:
    # vtk inside Slicer has no metadata, and tells its version in its own way
    vtk = getattr(module, "vtkVersion", None)
    told = vtk.GetVTKVersion() if vtk else getattr(module, "__version__", None)
    return None if told is None else str(told)


def _torch() -> dict[str, Any]:
    from ImplantSegLib.environment.accelerator import torch_facts

    facts, gpus = torch_facts()
    return {"torch": dataclasses.asdict(facts), "gpus": [dataclasses.asdict(gpu) for gpu in gpus]}
