"""Tasks on the cores of this machine, or on a Dask cluster; one that fails does not stop the others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor, as_completed
from typing import Any

from ImplantSegLib import progress
from ImplantSegLib.environment.machine import memory
from ImplantSegLib.errors import InputError, MissingPackageError
from ImplantSegLib.threads import cores
from ImplantSegQuantLib.study import worker
from ImplantSegQuantLib.study.plan import Task
from ImplantSegQuantLib.study.worker import CANCELLED, FAILED, Outcome, Share

BASE_BYTES = 3 * 2**28
"""Memory of a task on a small volume: Python and its libraries."""

BYTES_PER_VOXEL = 12
"""Memory of a task beyond that, for each voxel that is measured."""

RETRIES = 2
"""How often a cluster does a task again whose worker has died."""

CONNECT_S = 20

Tell = Callable[[int, Outcome], None]


def default_jobs(largest_voxels: int) -> int:
    """Tasks at a time: one a core, as long as the memory that is free holds them.

    Parameters
    ----------
    largest_voxels : int
        Voxels of the largest volume.
    """
    free = memory()[1]
    need = BASE_BYTES + BYTES_PER_VOXEL * largest_voxels
    return max(1, min(cores(), cores() if free is None else free // need))


def perform(tasks: Sequence[Task], tell: Tell, jobs: int = 1, scheduler: str | None = None) -> list[Outcome]:
    """Do tasks, several at a time.

    Parameters
    ----------
    tasks : sequence of Task
        What to do.
    tell : callable
        Called as ``tell(index, outcome)`` when a task ends.
    jobs : int
        Tasks at a time on this machine.
    scheduler : str, optional
        Address of a Dask scheduler, ``tcp://host:8786``, whose workers do the tasks instead; files have to be where
        they are here, also for them.

    Returns
    -------
    list of Outcome
        In the order of the tasks.

    Raises
    ------
    InputError
        When there is no scheduler at that address.
    KeyboardInterrupt
        When the run is cancelled; no process of this machine goes on then.
    """
    outcomes = [Outcome(CANCELLED)] * len(tasks)
    with _executor(jobs, scheduler) as (executor, share), progress.stage("study", len(tasks), "sample") as advance:
        waiting = {executor.submit(worker.run, task, share): index for index, task in enumerate(tasks)}
        for future in as_completed(waiting):
            index = waiting[future]
            outcomes[index] = _result(future)
            advance(note=str(tasks[index]))
            tell(index, outcomes[index])
    return outcomes


def _result(future: Future[Outcome]) -> Outcome:
    try:
        return future.result()
    except CancelledError:
        return Outcome(CANCELLED)
    except InputError as error:
        return Outcome(FAILED, error.message, error.remedy)
    except Exception as error:  # noqa: BLE001 (whatever a cluster does to a task is that task's failure)
        text = str(error).partition("\n")[0] or "no reason was given"
        remedy = "see the logs of the cluster; its workers need this version of implantseg and the same paths"
        return Outcome(FAILED, f"the task was lost: {type(error).__name__}: {text}", remedy)


@contextlib.contextmanager
def _executor(jobs: int, scheduler: str | None) -> Iterator[tuple[Executor, Share]]:
    with _on_cluster(scheduler) if scheduler else _on_this_machine(jobs) as found:
        yield found


@contextlib.contextmanager
def _on_this_machine(jobs: int) -> Iterator[tuple[Executor, Share]]:
    """Threads, each of which waits for a child process."""
    free = memory()[1]
    share = Share(max(1, cores() // jobs), None if free is None or jobs == 1 else free // (jobs + 1))
    worker.resume()
    executor = ThreadPoolExecutor(jobs)
    try:
        yield executor, share
    except BaseException:
        worker.stop()
        executor.shutdown(wait=False, cancel_futures=True)
        raise
    executor.shutdown()


@contextlib.contextmanager
def _on_cluster(scheduler: str) -> Iterator[tuple[Executor, Share]]:
    client = _connect(scheduler)
    executor = client.get_executor(pure=False, retries=RETRIES)
    try:
        yield executor, Share()
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        raise
    finally:
        client.close(timeout=1)


def _connect(scheduler: str) -> Any:
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "a Dask cluster needs the package distributed, which is not installed",
            'pip install "implantseg[cluster]", or leave --scheduler out',
        ) from error
    try:
        return Client(scheduler, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"there is no Dask scheduler at {scheduler} ({str(error).partition(chr(10))[0]})",
            "start `dask scheduler` and pass the address that it tells, such as tcp://host:8786",
        ) from error
