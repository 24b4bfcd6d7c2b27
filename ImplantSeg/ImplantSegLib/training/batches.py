"""The batches of a run: every one a function of the recipe and the number of its step."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ImplantSegLib.labels import NAMES
from ImplantSegLib.training import augment, sampling
from ImplantSegLib.training.checks import check_classes
from ImplantSegLib.training.config import Recipe
from ImplantSegLib.training.data import Scan

Batch = tuple[torch.Tensor, torch.Tensor]


class Batches:
    """Batches drawn from scans as a recipe says.

    Parameters
    ----------
    scans : list of Scan
        The scans that train.
    recipe : Recipe
        Says where patches are taken and how they are changed.
    mine : slice
        Patches of every batch that are cut; the others are drawn all the same, for other processes cut them.
    pinned : bool
        Whether batches lie in memory that a GPU reads while the processor goes on.

    Raises
    ------
    InputError
        When no scan holds a class.
    """

    def __init__(self, scans: list[Scan], recipe: Recipe, mine: slice = slice(None), pinned: bool = False) -> None:
        self.scans, self.recipe, self.mine, self.pinned = scans, recipe, mine, pinned
        limit, seed = recipe.sampling.candidates, recipe.run.seed
        self.candidates = [sampling.find_candidates(scan, limit, seed) for scan in scans]
        check_classes(
            {
                scan.name: {value for value in NAMES if value in one.voxels}
                for scan, one in zip(scans, self.candidates, strict=True)
            }
        )

    def batch(self, step: int) -> Batch:
        """Draw, cut and augment ``mine`` of one step's batch: images (B, 1, Y, X) float32, labels (B, Y, X) uint8."""
        recipe = self.recipe
        random = sampling.generator(recipe.run.seed, step)
        targets = sampling.draw_targets(self.candidates, recipe.sampling, recipe.data, random)
        draws = augment.draw(recipe.augment, len(targets), recipe.sampling.patch, random)
        cut, labels = sampling.cut_batch(self.scans, targets[self.mine], recipe.sampling.patch)
        changed, truth = augment.apply(torch.from_numpy(cut), torch.from_numpy(labels), _some(draws, self.mine))
        images = changed[:, None]
        return (images.pin_memory(), truth.pin_memory()) if self.pinned else (images, truth)

    @contextmanager
    def start(self, step: int) -> Iterator[Iterator[Batch]]:
        """Give the batches from a step to the last one, prepared ahead by ``run.workers`` threads."""
        workers = self.recipe.run.workers
        if not workers:
            yield map(self.batch, range(step, self.recipe.run.steps))
            return
        pool = ThreadPoolExecutor(workers, thread_name_prefix="patches")
        try:
            yield self._ahead(pool, step, depth=2 * workers)
        finally:
            pool.shutdown(cancel_futures=True)

    def _ahead(self, pool: ThreadPoolExecutor, first: int, depth: int) -> Iterator[Batch]:
        waiting: deque[Future[Batch]] = deque()
        for step in range(first, self.recipe.run.steps):
            waiting.append(pool.submit(self.batch, step))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        for future in waiting:
            yield future.result()


def _some(draws: augment.Draws, patches: slice) -> augment.Draws:
    """Give what happens to some patches of a batch."""
    chosen: dict[str, Any] = {
        key: value[patches] for key, value in vars(draws).items() if isinstance(value, np.ndarray)
    }
    return dataclasses.replace(draws, **chosen)
