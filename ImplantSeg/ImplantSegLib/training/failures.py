"""How a training fails: in a sentence, with the last checkpoint as it was."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from ImplantSegLib.errors import InputError, MemoryLimitError, is_out_of_memory
from ImplantSegLib.training.config import Recipe


def check_finite(loss: float, norm: float, step: int, lr: float) -> None:
    """Refuse a step that would leave weights that are no numbers.

    A resumed run would come to the same step with the same weights, so resuming is no remedy: what the recipe says has
    to change, and the run to begin in another folder, from the best weights so far if need be.

    Parameters
    ----------
    loss : float
        Loss of the step.
    norm : float
        Norm of its gradient.
    step : int
        Number of the step, counted from 1.
    lr : float
        Its learning rate.

    Raises
    ------
    InputError
        When one of them is infinite or no number.
    """
    if math.isfinite(loss) and math.isfinite(norm):
        return
    what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient of the loss {loss:.4g} has norm {norm}"
    raise InputError(
        f"{what} in step {step} at a learning rate of {lr:.3g}; weights and checkpoint are as before it",
        "train in another folder with a smaller optimiser.lr, a longer optimiser.warmup or an optimiser.clip_norm, "
        "with model.init_from = this run's model.safetensors to begin with its best weights",
    )


@contextmanager
def explained_memory(recipe: Recipe) -> Iterator[None]:
    """Say what to do when the memory of the machine or of its GPU is exhausted.

    Raises
    ------
    MemoryLimitError
        When it is.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        sampling, parts = recipe.sampling, recipe.optimiser.accumulate
        rows, columns = sampling.patch
        raise MemoryLimitError(
            f"out of memory in a step of {sampling.batch} patches of {rows} × {columns} pixels in {parts} "
            f"part{'s' if parts > 1 else ''}",
            "train in another folder with a smaller sampling.batch, a larger optimiser.accumulate or a smaller "
            "sampling.patch",
        ) from error
