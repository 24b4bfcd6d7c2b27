"""Everything about this installation in one mapping, ready for JSON, and as a table for people."""

from __future__ import annotations

import dataclasses
import os
import platform
import sys
from pathlib import Path
from typing import Any

from ImplantSegLib import __version__, threads
from ImplantSegLib.environment import machine, packages
from ImplantSegLib.environment.accelerator import Torch
from ImplantSegLib.environment.machine import Gpu
from ImplantSegLib.environment.packages import Package
from ImplantSegLib.environment.probe import Answer
from ImplantSegLib.errors import size_text

Report = dict[str, Any]


def report() -> Report:
    """Look at the whole installation; never fails because a package is missing or broken.

    Returns
    -------
    dict
        ``implantseg``, ``folder``, ``python``, ``executable``, ``platform``, ``processor``, ``cores``,
        ``memory_total_bytes``, ``memory_free_bytes``; ``torch`` (:class:`~.accelerator.Torch`), ``gpus`` (list of
        :class:`~.machine.Gpu`), ``idle_gpu`` (whether there is an NVIDIA GPU that torch does not use); ``packages``
        (list of :class:`~.packages.Package`), ``missing`` (names of those that every installation needs),
        ``missing_extras`` (names by extra); ``models`` (``folder``, ``imported``, ``writable``); ``warnings``
        (sentences, what hinders most first).
    """
    found, answer = packages.found()
    torch, gpus = _torch_and_gpus(answer)
    total, free = machine.memory()
    idle = bool(gpus) and torch.version is not None and not torch.gpu_usable
    return {
        "implantseg": __version__,
        "folder": str(Path(__file__).resolve().parents[1]),
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "processor": machine.processor(),
        "cores": threads.cores(),
        "memory_total_bytes": total,
        "memory_free_bytes": free,
        "torch": dataclasses.asdict(torch),
        "gpus": [dataclasses.asdict(gpu) for gpu in gpus],
        "idle_gpu": idle,
        "packages": [dataclasses.asdict(package) for package in found],
        "missing": [package.name for package in found if package.state == "missing" and not package.extra],
        "missing_extras": _missing_extras(found),
        "models": _models(),
        "warnings": [*_gpu_warnings(torch, gpus, idle), *_package_warnings(found)],
    }


def _torch_and_gpus(answer: Answer) -> tuple[Torch, list[Gpu]]:
    """Take what torch told, and ask the driver for GPUs that it does not see."""
    if answer.torch is None:
        return Torch(), machine.nvidia_gpus()
    gpus = [Gpu(**gpu) for gpu in answer.torch["gpus"]]
    return Torch(**answer.torch["torch"]), gpus or machine.nvidia_gpus()


def _missing_extras(found: list[Package]) -> dict[str, list[str]]:
    missing = [package for package in found if package.state == "missing"]
    return {extra: [package.name for package in missing if package.extra == extra] for extra in packages.EXTRAS}


def _models() -> dict[str, Any]:
    from ImplantSegLib.models import registry

    folder = registry.folder()
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    imported = len(registry.installed()) - len(registry.bundled())
    return {"folder": str(folder), "imported": imported, "writable": os.access(nearest, os.W_OK | os.X_OK)}


def _gpu_warnings(torch: Torch, gpus: list[Gpu], idle: bool) -> list[str]:
    if not idle:
        return []
    if torch.build == "cpu":
        return [
            f"the GPU {gpus[0].name} is idle: torch {torch.version} is built for the processor alone; install torch "
            "for CUDA, in 3D Slicer with the PyTorch extension"
        ]
    return [
        f"the GPU {gpus[0].name} is idle: torch is built for {torch.build} but finds no GPU; update the driver, and "
        "see whether CUDA_VISIBLE_DEVICES hides it"
    ]


def _package_warnings(found: list[Package]) -> list[str]:
    needed = [package for package in found if not package.extra]
    missing = [package.name for package in needed if package.state == "missing"]
    sentences = []
    if "torch" in missing:
        sentences.append(
            "torch is missing, without which nothing is segmented; install it, in 3D Slicer with the PyTorch extension"
        )
    if others := [name for name in missing if name != "torch"]:
        sentences.append(f"packages are missing: {', '.join(others)}; install them with pip")
    for package in found:
        if package.state == "broken":
            sentences.append(f"{package.name} is damaged ({package.detail}); install it again")
        if package.state == "old":
            sentences.append(f"{package.name} is {package.version}, wanted {package.wanted}; update it")
    return sentences


def as_table(facts: Report) -> str:
    """Table of a report for people: first what is there, then the packages, last what is wrong."""
    torch = facts["torch"]
    rows = [
        ("ImplantSeg", f"{facts['implantseg']} in {facts['folder']}"),
        ("Python", f"{facts['python']}, {facts['executable']}"),
        ("platform", facts["platform"]),
        ("processor", f"{facts['processor']}, {facts['cores']} cores"),
        ("memory", _memory(facts["memory_total_bytes"], facts["memory_free_bytes"])),
        ("torch", f"{torch['version']}, built for {torch['build']}" if torch["version"] else "not usable"),
        ("bf16", ", ".join(torch["cpu_bf16"]) or "not on this processor"),
        *(("GPU", _gpu_text(gpu)) for gpu in facts["gpus"]),
        *([] if facts["gpus"] else [("GPU", "none found")]),
        ("models", _models_text(facts["models"])),
        *((package["name"], _package_text(package)) for package in facts["packages"]),
        *(("warning", sentence) for sentence in facts["warnings"]),
    ]
    width = max(len(key) for key, _ in rows)
    return "\n".join(f"{key:<{width}}  {text}" for key, text in rows)


def _memory(total: int | None, free: int | None) -> str:
    parts = ((total, "in all"), (free, "free"))
    return ", ".join(f"{size_text(count)} {what}" for count, what in parts if count is not None) or "unknown"


def _gpu_text(gpu: dict[str, Any]) -> str:
    capability, driver = gpu["compute_capability"], gpu["driver"]
    memory = _memory(gpu["memory_total_bytes"], gpu["memory_free_bytes"])
    return ", ".join(
        [
            gpu["name"],
            f"memory {memory}",
            *([f"compute capability {capability}"] if capability else []),
            *([f"driver {driver}"] if driver else []),
        ]
    )


def _models_text(models: dict[str, Any]) -> str:
    return f"{models['imported']} imported into {models['folder']}{'' if models['writable'] else ' (not writable)'}"


def _package_text(package: dict[str, Any]) -> str:
    extra = f" (for {package['extra']})" if package["extra"] else ""
    if package["state"] == "ok":
        return f"{package['version'] or 'version unknown'}{extra}"
    return f"{package['state'].upper()}{extra}, wanted {package['wanted']}"
