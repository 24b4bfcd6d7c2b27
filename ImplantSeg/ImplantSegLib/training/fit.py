"""The training: data, network, optimiser, loop, checkpoints, in the order in which they run.

A step is a function of the recipe, the step's number and the weights, so a run that was killed and resumed
ends with the same weights as one that was left alone.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
import math
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ImplantSegLib import models, progress
from ImplantSegLib.training import augment, checkpoint, sampling
from ImplantSegLib.training.config import Optimiser, Recipe
from ImplantSegLib.training.data import Scan
from ImplantSegLib.training.interrupt import Interrupt
from ImplantSegLib.training.losses import build_loss
from ImplantSegLib.training.validate import criterion, validate

Batch = tuple[torch.Tensor, torch.Tensor]
Scores = dict[str, float | None]
logger = logging.getLogger(__name__)

MODEL = "model.safetensors"


class Fit:
    """One training run.

    Parameters
    ----------
    recipe : Recipe
        All that decides it.
    training, validation : list of Scan
        The scans; without any for validation the latest weights are kept.
    folder : Path
        Where the checkpoint, the log and the model go.
    bundle : Bundle
        What the model file says, but for the scores.
    """

    def __init__(
        self, recipe: Recipe, training: list[Scan], validation: list[Scan], folder: Path, bundle: models.Bundle
    ) -> None:
        from lightning_fabric import Fabric

        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it has a handler of its own
        self.recipe, self.training, self.validation = recipe, training, validation
        self.folder, self.bundle = folder, bundle
        if recipe.run.threads:
            torch.set_num_threads(recipe.run.threads)
        self.candidates = [
            sampling.find_candidates(scan, recipe.sampling.candidates, recipe.run.seed) for scan in training
        ]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.run.seed)
            network = models.build(recipe.model.network, **recipe.model.options)
        self.fabric = Fabric(accelerator=recipe.run.device, devices=1, precision=recipe.run.precision)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network, self.optimiser = self.fabric.setup(network, build_optimiser(network, recipe.optimiser))
        self.average = self.fabric.to_device(copy.deepcopy(network)).eval() if recipe.optimiser.ema else None
        self.loss = build_loss(recipe.loss)
        self.step, self.validated, self.seconds = 0, 0, 0.0
        self.best: Scores = {}
        self.best_step, self.best_value = 0, -math.inf

    def run(self, resume: bool = False) -> Scores:
        """Train to the last step, the time limit or an interruption, and give the best scores.

        Raises
        ------
        KeyboardInterrupt
            After the checkpoint was written, when the run was told to stop.
        """
        if resume:
            self.restore()
        self.log = checkpoint.Log(self.folder / checkpoint.LOG, self.step)
        self.start = time.monotonic() - self.seconds
        with Interrupt() as self.interrupt:
            try:
                self._loop()
            except KeyboardInterrupt:
                logger.info("interrupted at step %d", self.step)
                self.save()
                raise
        return self.best

    def _loop(self) -> None:
        run = self.recipe.run
        deadline = time.monotonic() + 60 * run.max_minutes if run.max_minutes else math.inf
        with progress.stage("train", run.steps, "step") as advance, self.batches() as batches:
            advance(self.step)
            losses: list[torch.Tensor] = []
            while True:
                if self._due(run.validate_every) and self.validated < self.step:
                    self.validate()
                if self.step and self.step % run.checkpoint_every == 0:
                    self.save()
                if self.step == run.steps or time.monotonic() > deadline:
                    break
                losses.append(self.take_step(*next(batches)))
                note = ""
                if self._due(run.log_every):
                    note, losses = self._write_log(losses), []
                advance(1, note)
                self.interrupt.check()
        if self.validated < self.step:
            self.validate()
        self.save()

    def _due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.recipe.run.steps

    def take_step(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Change the weights by one batch: images (B, 1, Y, X) and labels uint8 (B, Y, X); gives the loss."""
        optimiser = self.recipe.optimiser
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(optimiser, self.step, self.recipe.run.steps)
        images, labels = self.fabric.to_device((images, labels))
        self.network.train()
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.loss(self.network(images.contiguous(memory_format=torch.channels_last)), labels)
        self.fabric.backward(loss)
        if optimiser.clip_norm:
            self.fabric.clip_gradients(self.network, self.optimiser, max_norm=optimiser.clip_norm)
        self.optimiser.step()
        if self.average is not None:
            # a short memory at first, so that the random start is forgotten
            decay = min(optimiser.ema, (1 + self.step) / (10 + self.step))
            update_average(self.average, self.network.module, decay)
        self.step += 1
        return loss.detach()

    @contextmanager
    def batches(self) -> Iterator[Iterator[Batch]]:
        """Batches from the present step on, prepared ahead in other threads."""
        workers = self.recipe.run.workers
        if not workers:
            yield map(self.batch, range(self.step, self.recipe.run.steps))
            return
        pool = ThreadPoolExecutor(workers, thread_name_prefix="patches")
        try:
            yield self._ahead(pool, 2 * workers)
        finally:
            pool.shutdown(cancel_futures=True)

    def _ahead(self, pool: ThreadPoolExecutor, depth: int) -> Iterator[Batch]:
        waiting: deque[Future[Batch]] = deque()
        for step in range(self.step, self.recipe.run.steps):
            waiting.append(pool.submit(self.batch, step))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        for future in waiting:
            yield future.result()

    def batch(self, step: int) -> Batch:
        """Draw, cut and augment the batch of one step: images (B, 1, Y, X) float32 and labels (B, Y, X) uint8."""
        recipe = self.recipe
        random = sampling.generator(recipe.run.seed, step)
        targets = sampling.draw_targets(self.candidates, recipe.sampling, recipe.data, random)
        images, labels = sampling.cut_batch(self.training, targets, recipe.sampling.patch)
        draws = augment.draw(recipe.augment, len(targets), random)
        changed, truth = augment.apply(torch.from_numpy(images), torch.from_numpy(labels), draws)
        return changed[:, None], truth

    def validate(self) -> None:
        """Score the weights (their average, when there is one); the best are kept as a bundle."""
        scores: Scores = {}
        if self.validation:
            scores = validate(self.predict, self.validation, self.recipe.data.axes, self.recipe.run)
        value = criterion(scores, self.recipe.run) if scores else math.inf
        if value > self.best_value or not scores:
            self.best, self.best_step, self.best_value = scores, self.step, value
            self._write_bundle()
        self.validated = self.step
        self.log.write(step=self.step, seconds=self._elapsed(), validation=scores)

    def predict(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """Labels uint8 (Y, X) of an image float32 (Y, X)."""
        self.interrupt.check()
        network = self._weights().eval()
        x = self.fabric.to_device(torch.from_numpy(image)[None, None]).contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), self.fabric.autocast():
            return network(x)[0].argmax(0).to(torch.uint8).cpu().numpy()

    def _weights(self) -> torch.nn.Module:
        return self.network.module if self.average is None else self.average

    def _write_bundle(self) -> None:
        provenance = {**self.bundle.provenance, "step": self.step, "minutes": round(self._elapsed() / 60, 1)}
        bundle = dataclasses.replace(self.bundle, scores=self.best, provenance=provenance)
        models.save(self.folder / MODEL, bundle, self._weights().state_dict(), self.recipe.model.storage)

    def _write_log(self, losses: list[torch.Tensor]) -> str:
        loss = float(torch.stack(losses).mean())
        lr = self.optimiser.param_groups[0]["lr"]
        self.log.write(step=self.step, seconds=self._elapsed(), loss=loss, lr=lr)
        best = self.best.get("mean_iou_percent")
        return f"loss {loss:.3f}" + (f", best mIoU {best:.1f} %" if best is not None else "")

    def _elapsed(self) -> float:
        return round(time.monotonic() - self.start, 1)

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            "step": self.step,
            "validated": self.validated,
            "seconds": self._elapsed(),
            "best": self.best,
            "best_step": self.best_step,
            "best_value": self.best_value,
            "network": self.network.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.state_dict() if self.average is not None else {},
        }
        checkpoint.save(self.folder, state, self.recipe)

    def restore(self) -> None:
        """Go back to the checkpoint."""
        state = checkpoint.load(self.folder, self.recipe)
        self.network.module.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.step, self.validated, self.seconds = state["step"], state["validated"], state["seconds"]
        self.best, self.best_step, self.best_value = state["best"], state["best_step"], state["best_value"]


def build_optimiser(network: torch.nn.Module, config: Optimiser) -> torch.optim.Optimizer:
    """Give the optimiser of a recipe."""
    if config.kind == "sgd":
        return torch.optim.SGD(
            network.parameters(),
            lr=config.lr,
            momentum=config.momentum,
            nesterov=config.nesterov,
            weight_decay=config.weight_decay,
        )
    return torch.optim.AdamW(network.parameters(), lr=config.lr, weight_decay=config.weight_decay)


def learning_rate(config: Optimiser, step: int, steps: int) -> float:
    """Learning rate of a step, counted from 0."""
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    done = (step - config.warmup) / max(steps - config.warmup, 1)
    factor = {"cosine": 0.5 * (1 + math.cos(math.pi * done)), "poly": (1 - done) ** 0.9, "constant": 1.0}
    return config.lr * factor[config.schedule]


@torch.no_grad()
def update_average(average: torch.nn.Module, network: torch.nn.Module, decay: float) -> None:
    """Move the average of weights and batch statistics towards the network: decay · average + (1 − decay) · network."""
    for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)
