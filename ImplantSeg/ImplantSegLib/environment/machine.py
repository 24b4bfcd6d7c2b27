"""The machine: memory, cores, and the GPUs that its driver tells of, all without torch."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

PROC_NVIDIA = Path("/proc/driver/nvidia/gpus")
"""Where the NVIDIA driver of Linux lists its GPUs, also where the program nvidia-smi is missing."""

_SMI_TIMEOUT_S = 10


@dataclass(frozen=True)
class Gpu:
    """A GPU of this machine; None is unknown."""

    name: str
    memory_total_bytes: int | None = None
    memory_free_bytes: int | None = None
    compute_capability: str | None = None
    driver: str | None = None


def processor() -> str:
    """Name of the processor, as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def memory() -> tuple[int | None, int | None]:
    """Memory in bytes: in all, and free for programs. None where the system does not tell."""
    info = Path("/proc/meminfo")
    if info.exists():
        pairs = (line.split(":") for line in info.read_text(encoding="utf-8").splitlines())
        kibibytes = {key: int(value.split()[0]) for key, value in pairs}
        return 1024 * kibibytes["MemTotal"], 1024 * kibibytes["MemAvailable"]
    if platform.system() == "Windows":
        return _windows_memory()
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), None
    return None, None


def _windows_memory() -> tuple[int, int]:
    # MEMORYSTATUSEX: its own length and the load, of 32 bits each, then seven words of 64 bits: total, free, ...
    status = (ctypes.c_uint64 * 8)()
    status[0] = ctypes.sizeof(status)
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined,unused-ignore]
    return status[1], status[2]


def nvidia_gpus() -> list[Gpu]:
    """NVIDIA GPUs that the driver tells of: from nvidia-smi, else from ``/proc``; empty without a driver."""
    return _from_smi() or _from_proc()


def _from_smi() -> list[Gpu]:
    query = "name,memory.total,memory.free,driver_version"
    # drivers before 510 do not know compute_cap and refuse the whole query
    for fields in (f"{query},compute_cap", query):
        lines = _smi(f"--query-gpu={fields}", "--format=csv,noheader,nounits")
        if lines:
            return [_gpu([cell.strip() for cell in line.split(",")]) for line in lines]
    return []


def _smi(*arguments: str) -> list[str]:
    try:
        answer = subprocess.run(
            ["nvidia-smi", *arguments], capture_output=True, text=True, timeout=_SMI_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line for line in answer.stdout.splitlines() if line.count(",") >= 3] if answer.returncode == 0 else []


def _gpu(cells: list[str]) -> Gpu:
    name, total, free, driver, *capability = cells
    return Gpu(name, _mebibytes(total), _mebibytes(free), capability[0] if capability else None, driver)


def _mebibytes(text: str) -> int | None:
    return int(text) * 2**20 if text.isdigit() else None  # "[N/A]" where the GPU shares the machine's memory


def _from_proc() -> list[Gpu]:
    names = []
    for file in sorted(PROC_NVIDIA.glob("*/information")):
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        names += [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    return [Gpu(name) for name in names]
