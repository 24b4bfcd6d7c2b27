"""Several processes that train as one: one for each GPU, started by torchrun or SLURM's srun, on one node or several.

Each takes its part of every batch, and gradients are averaged (PyTorch's DistributedDataParallel, by Lightning Fabric).
The first one alone writes and validates. A process that is alone does the same and waits for nobody.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import torch

from ImplantSegLib import progress
from ImplantSegLib.errors import ImplantSegError, InputError
from ImplantSegLib.training.config import Run

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.wrappers import _FabricModule

T = TypeVar("T")

PATIENCE = timedelta(days=1)
"""How long processes wait for the first one, which may have a cohort to make. A failure ends them sooner: those that
started them see to that."""


class ElsewhereError(ImplantSegError):
    """The first process has failed, and has said why (exit code 1)."""


def start(run: Run) -> Fabric:
    """Join the other processes of this run.

    Raises
    ------
    InputError
        When there are more or fewer processes than the recipe says, or their devices are not there.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it has a handler of its own
    devices, nodes = _devices_and_nodes(run, *launched(os.environ))
    try:
        fabric = Fabric(
            accelerator=run.device,
            devices=devices,
            num_nodes=nodes,
            strategy=DDPStrategy(timeout=PATIENCE) if devices * nodes > 1 else "auto",
            precision=run.precision,
        )
        fabric.launch()
    except (ValueError, RuntimeError, MisconfigurationException) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"cannot start on {devices} × {run.device!r} of {nodes} node{'s' if nodes > 1 else ''} ({reason})",
            "correct run.device, run.devices and run.nodes",
        ) from error
    if not fabric.is_global_zero:
        progress.configure("none")
    return fabric


def launched(environment: Mapping[str, str]) -> tuple[int, int]:
    """Count the processes on a node, and nodes, that torchrun or srun have started; 1 and 1 if neither has.

    Raises
    ------
    InputError
        When a SLURM job of several tasks started the program without ``srun``: the others would be waited for.
    """
    if "TORCHELASTIC_RUN_ID" in environment:
        here = int(environment["LOCAL_WORLD_SIZE"])
        return here, int(environment["WORLD_SIZE"]) // here
    tasks, nodes = int(environment.get("SLURM_NTASKS", 1)), int(environment.get("SLURM_NNODES", 1))
    if tasks == 1 or environment.get("SLURM_JOB_NAME") in ("bash", "interactive"):
        return 1, 1
    if "SLURM_STEP_ID" not in environment:
        raise InputError(f"the SLURM job has {tasks} tasks, but the program was started once", "start it with srun")
    return tasks // nodes, nodes


def _devices_and_nodes(run: Run, devices: int, nodes: int) -> tuple[int, int]:
    wanted = run.devices or devices, run.nodes or nodes
    if wanted != (devices, nodes):
        raise InputError(
            f"the recipe has run.devices = {run.devices} and run.nodes = {run.nodes}, but {devices} "
            f"process{'es' if devices > 1 else ''} on each of {nodes} node{'s' if nodes > 1 else ''} "
            f"{'were' if devices * nodes > 1 else 'was'} started",
            f"start it with `torchrun --nnodes {wanted[1]} --nproc-per-node {wanted[0]} -m ImplantSegLib train ...` or "
            "srun, or leave both out to take what is started",
        )
    return wanted


def part_of_batch(fabric: Fabric, batch: int, accumulate: int) -> slice:
    """Patches of every batch that this process takes.

    Raises
    ------
    InputError
        When the batch cannot be divided.
    """
    parts = fabric.world_size * accumulate
    if batch % parts:
        raise InputError(
            f"got sampling.batch = {batch}, wanted a multiple of {parts}: {fabric.world_size} processes times "
            f"optimiser.accumulate = {accumulate}",
            "correct sampling.batch, which counts the patches of all processes",
        )
    mine = batch // fabric.world_size
    return slice(fabric.global_rank * mine, (fabric.global_rank + 1) * mine)


def once(fabric: Fabric, deed: Callable[[], T]) -> T:
    """Let the first process do something, and give every one what came out.

    Raises
    ------
    KeyboardInterrupt
        In all of them, when it was interrupted.
    ElsewhereError
        In the others, when it failed; the first one raises its own error.
    """
    if fabric.world_size == 1:
        return deed()
    outcome: tuple[str, T | None] = ("", None)
    if fabric.is_global_zero:
        try:
            outcome = "done", deed()
        except BaseException as error:
            fabric.broadcast(("interrupted" if isinstance(error, KeyboardInterrupt) else "failed", None))
            raise
    word, result = fabric.broadcast(outcome)
    if word == "interrupted":
        raise KeyboardInterrupt
    if word == "failed":
        raise ElsewhereError("the first process of this run has failed", "see what it told")
    return result  # type: ignore[return-value] # a result of None is T as well


@contextmanager
def first(fabric: Fabric) -> Iterator[None]:
    """Let the first process do what stands inside, and then the others, who find what it has made.

    Raises
    ------
    KeyboardInterrupt, ElsewhereError
        As :func:`once`.
    """
    if not fabric.is_global_zero:
        once(fabric, lambda: None)
        yield
        return
    word = "failed"
    try:
        yield
        word = "done"
    except KeyboardInterrupt:
        word = "interrupted"
        raise
    finally:
        if fabric.world_size > 1:
            fabric.broadcast((word, None))


def total(fabric: Fabric, values: list[float]) -> list[float]:
    """Sum of each value over the processes."""
    if fabric.world_size == 1:
        return values
    tensor = torch.tensor(values, dtype=torch.float64, device=fabric.device)
    torch.distributed.all_reduce(tensor)
    return [float(value) for value in tensor]


def any_of(fabric: Fabric, flag: bool) -> bool:
    """Whether a flag is set in any of the processes: signals reach one sooner than the other, and clocks differ."""
    return total(fabric, [float(flag)])[0] > 0


def gathering(fabric: Fabric, network: _FabricModule, last: bool) -> AbstractContextManager[None]:
    """Gather the gradients of all processes with those of the last part of a batch, once for all its parts."""
    return nullcontext() if last or fabric.world_size == 1 else fabric.no_backward_sync(network)


def normalised(fabric: Fabric, network: torch.nn.Module, frozen: bool) -> tuple[torch.nn.Module, str]:
    """Let batch statistics be those of all processes where that can be.

    Returns
    -------
    network : Module
        On CUDA with SyncBatchNorm, which CPUs do not have.
    told : str
        What happens to the statistics, in words.
    """
    if frozen:
        return network, "batch statistics are frozen"
    if fabric.device.type != "cuda":
        return network, "batch statistics are those of each process; those of the first one are kept"
    return torch.nn.SyncBatchNorm.convert_sync_batchnorm(network), "batch statistics are those of all processes"
