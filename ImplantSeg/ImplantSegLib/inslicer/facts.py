"""What ``implantseg environment --json`` tells, as sentences for the panel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ImplantSegLib.errors import size_text

Facts = Mapping[str, Any]

TORCH_REMEDY = (
    "In the module PyTorch Utils uninstall PyTorch, restart Slicer, and install it again there: "
    "it then takes the build for the GPU."
)


def device_line(facts: Facts) -> str:
    """Tell the build of PyTorch and the GPUs in one line."""
    torch = facts["torch"]
    if not torch["version"]:
        return f"PyTorch is {_torch_state(facts)}; {gpu_line(facts)}"
    build = "the CPU alone" if torch["build"] == "cpu" else torch["build"]
    return f"PyTorch {torch['version']}, built for {build}; {gpu_line(facts)}"


def gpu_line(facts: Facts) -> str:
    """Tell the GPUs and their free memory."""
    return "; ".join(_gpu(gpu) for gpu in facts["gpus"]) or "no GPU found"


def _gpu(gpu: Mapping[str, Any]) -> str:
    free, total = gpu["memory_free_bytes"], gpu["memory_total_bytes"]
    memory = f", {size_text(free)} of {size_text(total)} free" if free is not None and total is not None else ""
    return f"{gpu['name']}{memory}"


def idle_gpu(facts: Facts) -> str:
    """Tell that a GPU is idle, why, and what to do; empty when none is."""
    if not facts["idle_gpu"]:
        return ""
    torch, name = facts["torch"], facts["gpus"][0]["name"]
    if torch["build"] == "cpu":
        return f"The GPU {name} is idle: PyTorch {torch['version']} is built for the CPU alone. {TORCH_REMEDY}"
    return (
        f"The GPU {name} is idle: PyTorch is built for {torch['build']} but finds no GPU. Update the driver of the "
        "GPU, and see whether CUDA_VISIBLE_DEVICES hides it."
    )


def missing(facts: Facts) -> list[str]:
    """Names of the packages that every run needs and that pip can bring: missing or too old; torch is told apart."""
    return [one["name"] for one in _needed(facts) if one["state"] in ("missing", "old")]


def damaged(facts: Facts) -> list[str]:
    """Names of the packages that every run needs and that are there but cannot be imported; torch is told apart."""
    return [one["name"] for one in _needed(facts) if one["state"] == "broken"]


def _needed(facts: Facts) -> list[Mapping[str, Any]]:
    return [one for one in facts["packages"] if not one["extra"] and one["name"] != "torch"]


def torch_will_do(facts: Facts) -> bool:
    """Whether PyTorch is there, whole and new enough."""
    return bool(facts["torch"]["version"]) and _torch_state(facts) == ""


def _torch_state(facts: Facts) -> str:
    states = {"missing": "not installed", "broken": "damaged", "old": "too old", "ok": ""}
    return next((states[one["state"]] for one in facts["packages"] if one["name"] == "torch"), "not installed")


def problems(facts: Facts) -> list[str]:
    """Tell what hinders every run."""
    found = []
    if not torch_will_do(facts):
        found.append(f"PyTorch is {_torch_state(facts)}; see the section Environment.")
    if names := missing(facts):
        found.append(f"Python packages are missing ({', '.join(names)}); install them in the section Environment.")
    if names := damaged(facts):
        found.append(
            f"Python packages are damaged ({', '.join(names)}); in Slicer's Python console (Ctrl+3) run "
            f"slicer.packaging.pip_install('--upgrade --force-reinstall --no-deps {' '.join(names)}') "
            "and restart Slicer."
        )
    return found


def rows(facts: Facts) -> list[tuple[str, str, str, bool]]:
    """Rows of the table of packages: name, what is needed, what was found, whether that will do."""
    return [_row(package) for package in facts["packages"]]


_PURPOSES = {"train": "to train", "cluster": "for a cluster"}
"""What the extras of pip are for."""


def _row(package: Mapping[str, Any]) -> tuple[str, str, str, bool]:
    state = package["state"]
    found = package["version"] or ("there" if state == "ok" else "")
    told = found if state == "ok" else f"{state} {found}".strip()
    extra = f" ({_PURPOSES.get(package['extra'], package['extra'])})" if package["extra"] else ""
    # what only training or a cluster needs may be missing
    return f"{package['name']}{extra}", package["wanted"], told, state == "ok" or bool(package["extra"])
