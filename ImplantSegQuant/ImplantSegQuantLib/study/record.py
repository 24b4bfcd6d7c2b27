"""What is done already: a record beside the results of every task tells what they were made from."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from ImplantSegLib import __version__
from ImplantSegLib.files import explained_os_errors, remove, sha256, write_text
from ImplantSegQuantLib.study.plan import Task

RECORD = "study-task.json"
"""Written last, deleted first: where it is, the results are whole."""

_FILES = ("segmentation", "reference", "pose", "truth", "image", "fov", "probabilities")
"""Fields of a job that may name a file."""

_ELSEWHERE = ("out", "output", "max_memory", "found", "provenance")
"""Fields that say where and how fast, not what."""


def fingerprint(task: Task) -> str:
    """Hash of all that decides about the results of a task: jobs, versions, and names, sizes and times of the files."""
    assert task.quantify is not None, "results that were given are nobody's to make"
    content: dict[str, Any] = {"version": __version__, "quantify": _job(task.quantify)}
    if task.segment is not None:
        content["quantify"] |= {"segmentation": "", "probabilities": ""}  # they come of the job below
        content["segment"] = _job(task.segment) | {
            "input": _identity(str(task.segment.input)),
            "model": _identity(task.segment.model),
            "probabilities": task.segment.probabilities is not None,
        }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _job(job: Any) -> dict[str, Any]:
    values = {name: value for name, value in dataclasses.asdict(job).items() if name not in _ELSEWHERE}
    return values | {name: _identity(values[name]) for name in _FILES if isinstance(values.get(name), str)}


def _identity(text: str) -> list[Any] | str:
    """Names, sizes and times of the files at a path: hashing hundreds of GB at every start would take too long."""
    path = Path(text)
    if not path.exists():
        return text
    with explained_os_errors(path, "read"):
        files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]


def is_done(task: Task) -> bool:
    """Whether the results of this very task, from these very files, are there and whole."""
    if task.quantify is None:
        return True
    try:
        known = json.loads((task.folder / RECORD).read_text(encoding="utf-8"))
        whole = known["results_sha256"] == sha256(task.folder / "results.json")
        whole = whole and all((task.folder / name).exists() for name in known["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return False  # a damaged record proves nothing
    return bool(whole and known["fingerprint"] == fingerprint(task))


def forget(task: Task) -> None:
    """Say that the results of a task are not whole any more; the first thing that the task does."""
    remove(task.folder / RECORD)


def remember(task: Task, key: str) -> None:
    """Say that the results of a task are whole; ``key`` is the fingerprint of when it began."""
    files = sorted(path.name for path in task.folder.iterdir() if not path.name.startswith(".") and path.name != RECORD)
    known = {"fingerprint": key, "results_sha256": sha256(task.folder / "results.json"), "files": files}
    write_text(task.folder / RECORD, json.dumps(known, indent=2) + "\n")
