"""What torch can compute with: its build, the GPUs it sees, and bf16 on the processor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ImplantSegLib.environment.machine import Gpu

BF16 = {"AMX": "_is_amx_tile_supported", "AVX-512": "_is_avx512_bf16_supported"}
"""Instructions for bf16, and the functions of ``torch.cpu`` that tell of them; they are not promised by torch."""


@dataclass(frozen=True)
class Torch:
    """What torch tells."""

    version: str | None = None
    """None: torch is missing or broken."""
    build: str | None = None
    """What it was built for: ``cpu``, ``cuda 12.8``, ``rocm 6.4``, ``xpu 20250000`` or ``mps``."""
    gpu_usable: bool = False
    """Whether it finds a GPU to compute on."""
    cpu_bf16: tuple[str, ...] = ()
    """Instructions of the processor that compute in bf16."""


def torch_facts() -> tuple[Torch, list[Gpu]]:
    """Ask torch, which is imported here (:mod:`~.probe` calls this): what it is, and GPUs of CUDA or ROCm that it sees.

    Raises
    ------
    Exception
        Whatever the import of a missing or damaged torch raises.
    """
    import torch

    usable = torch.cuda.is_available()
    bf16 = tuple(name for name, ask in BF16.items() if getattr(torch.cpu, ask, bool)())
    gpus = [_gpu(index) for index in range(torch.cuda.device_count())]
    return Torch(str(torch.__version__), _build(torch), usable or torch.backends.mps.is_available(), bf16), gpus


def _build(module: Any) -> str:
    for kind, key in (("cuda", "cuda"), ("rocm", "hip"), ("xpu", "xpu")):
        if built := getattr(module.version, key, None):
            return f"{kind} {built}"
    return "mps" if module.backends.mps.is_built() else "cpu"


def _gpu(index: int) -> Gpu:
    from torch import cuda

    try:
        free, total = cuda.mem_get_info(index)
        capability = ".".join(map(str, cuda.get_device_capability(index)))
        return Gpu(cuda.get_device_name(index), total, free, capability)
    except RuntimeError:  # a GPU so full, so exclusively used or so broken that it cannot be asked
        return Gpu(f"GPU {index}, which does not answer")
