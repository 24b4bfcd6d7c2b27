"""The training: network, loop, validation, checkpoints, in the order in which they run.

A step is a function of the recipe, the step's number and the weights, so a run that was killed and resumed
ends with the same weights as one that was left alone.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from ImplantSegLib import models, progress
from ImplantSegLib.training import checkpoint, parts, processes
from ImplantSegLib.training.batches import Batch, Batches
from ImplantSegLib.training.config import Recipe
from ImplantSegLib.training.data import Scan
from ImplantSegLib.training.failures import check_finite, explained_memory
from ImplantSegLib.training.interrupt import Interrupt
from ImplantSegLib.training.journal import Journal
from ImplantSegLib.training.losses import Terms, build_loss
from ImplantSegLib.training.network import build_network, check_patch, training_mode
from ImplantSegLib.training.optimiser import average_decay, build_optimiser, learning_rate, update_average
from ImplantSegLib.training.pictures import validation_pictures, write_pictures
from ImplantSegLib.training.validate import Scores, criterion, validate
from ImplantSegLib.training.wholescan import Predict, predictor

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
    start : Bundle, optional
        The model whose weights the run starts from.

    Attributes
    ----------
    step : int
        Steps that are done.
    best, best_step : dict, int
        Scores of the weights in the model file, and the step that they are of.
    stale : int
        Validations since then.
    losses : list of dict
        Terms of the steps that are not yet in the log.
    waited_s, stepped_s : float
        Seconds of these that were spent waiting for batches, and in all; of this process.

    Raises
    ------
    InputError
        When the network is unknown, the weights of ``start`` are damaged, or a patch is smaller than the network takes.
    """

    def __init__(
        self,
        recipe: Recipe,
        training: list[Scan],
        validation: list[Scan],
        folder: Path,
        bundle: models.Bundle,
        start: models.Bundle | None = None,
    ) -> None:
        self.fabric = fabric = processes.start(recipe.run)
        self.recipe, self.validation = recipe, validation
        self.folder, self.bundle = folder, bundle
        if recipe.run.threads:
            torch.set_num_threads(recipe.run.threads)
        network = build_network(recipe, start)
        check_patch(network, recipe)
        mine = processes.part_of_batch(fabric, recipe.sampling.batch, recipe.optimiser.accumulate)
        self.batches = Batches(training, recipe, mine, pinned=fabric.device.type == "cuda")
        self.plain = fabric.to_device(copy.deepcopy(network)).eval()
        self.average = self.plain if recipe.optimiser.ema else None
        network, self.normalised = processes.normalised(fabric, network, recipe.model.freeze_norm)
        self.network, self.optimiser = fabric.setup(network, build_optimiser(network, recipe.optimiser))
        self.loss = build_loss(recipe.loss)
        self.interrupt = Interrupt()
        self.step, self.validated, self.within_step = 0, 0, False
        self.losses: list[dict[str, float]] = []
        self.waited_s = self.stepped_s = 0.0
        self.seconds, self.start = 0.0, time.monotonic()
        self.best: Scores = {}
        self.best_step, self.best_value, self.stale = 0, -math.inf, 0

    def run(self) -> Scores:
        """Train to the last step, the time limit or an interruption, and give the best scores.

        Raises
        ------
        KeyboardInterrupt
            After the checkpoint was written, when the run was told to stop.
        InputError
            When the loss is no number, or the disk is full.
        MemoryLimitError
            When memory runs out.
        """
        self.start = time.monotonic()
        processes.once(self.fabric, self._open_log)
        if self.fabric.world_size > 1:
            self._tell(processes=self.fabric.world_size, normalisation=self.normalised)
        with self.interrupt, explained_memory(self.recipe):
            try:
                self._loop()
            except KeyboardInterrupt:
                logger.info("interrupted at step %d", self.step)
                if not self.within_step:  # otherwise the weights belong to no step, and an older checkpoint stands
                    self.save()
                raise
            finally:
                if self.fabric.is_global_zero:
                    self.journal.close()
        return self.best

    def _loop(self) -> None:
        run = self.recipe.run
        deadline = time.monotonic() + 60 * run.max_minutes if run.max_minutes else math.inf
        with progress.stage("train", run.steps, "step") as advance, self.batches.start(self.step) as batches:
            advance(self.step)
            while True:
                if self._due(run.validate_every) and self.validated < self.step:
                    self.validate()
                if self.step and self.step % run.checkpoint_every == 0:
                    self.save()
                late = processes.any_of(self.fabric, time.monotonic() > deadline)
                if self.step == run.steps or self.stopped_early or late:
                    break
                self.losses.append(self._timed_step(batches))
                advance(1, self._write_log() if self._due(run.log_every) else "")
                if processes.any_of(self.fabric, self.interrupt.asked):
                    raise KeyboardInterrupt
        if self.validated < self.step:
            self.validate()
        self.save()

    @property
    def stopped_early(self) -> bool:
        """Whether so many validations have brought nothing better that the run ends."""
        patience = self.recipe.run.patience
        return 0 < patience <= self.stale

    def _due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.recipe.run.steps

    def _timed_step(self, batches: Iterator[Batch]) -> dict[str, float]:
        start = time.monotonic()
        batch = next(batches)
        got = time.monotonic()
        terms = self.take_step(*batch)
        self.waited_s, self.stepped_s = self.waited_s + got - start, self.stepped_s + time.monotonic() - start
        return terms

    def take_step(self, images: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
        """Change the weights by one batch: images (B, 1, Y, X) and labels uint8 (B, Y, X).

        Gives ``loss``, which is minimised, and the terms that it is the sum of.

        Raises
        ------
        InputError
            When the loss or its gradient is no number; the weights are left as they were.
        """
        optimiser = self.recipe.optimiser
        self.within_step = True
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(optimiser, self.step, self.recipe.run.steps)
        training_mode(self.network, self.recipe.model.freeze_norm)
        self.optimiser.zero_grad(set_to_none=True)
        labels = self.fabric.to_device(labels)  # without waiting for it, from pinned memory
        terms = self._backward(parts.cut(images, labels, optimiser.accumulate, self.recipe.loss, self.fabric))
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), optimiser.clip_norm or math.inf)
        check_finite(terms["loss"], float(norm), self.step + 1, self.optimiser.param_groups[0]["lr"])
        self.optimiser.step()
        if self.average is not None:
            update_average(self.average, self.network.module, self._average_decay())
        self.step += 1
        self.within_step = False
        return terms

    def _backward(self, batch: list[parts.Part]) -> dict[str, float]:
        """Add up the gradients of the parts of a batch, and give the loss and terms of the whole of it."""
        total: Terms = {}
        for part in batch:
            images = self.fabric.to_device(part.images)
            with processes.gathering(self.fabric, self.network, last=part is batch[-1]):
                terms = self.loss(self.network(images.contiguous(memory_format=torch.channels_last)), part.labels)
                loss = torch.stack(list(terms.values())).sum()
                self.fabric.backward(self.fabric.world_size * part.share * loss)  # gradients are averaged, not summed
            for name, term in {"loss": loss, **terms}.items():
                total[name] = total.get(name, 0) + part.share * term.detach()
        return dict(zip(total, processes.total(self.fabric, [float(term) for term in total.values()]), strict=True))

    def _average_decay(self) -> float:
        optimiser = self.recipe.optimiser
        # weights of another model are worth remembering from the first step on
        return optimiser.ema if self.recipe.model.init_from else average_decay(optimiser, self.step)

    def validate(self) -> None:
        """Score the weights (their average, when there is one); the best are kept as a bundle."""
        scores, worst = processes.once(self.fabric, self._score)
        value = criterion(scores, self.recipe.run) if scores else math.inf
        if value > self.best_value or not scores:  # without scores the latest weights are the best
            processes.once(self.fabric, lambda: self._write_bundle(scores))
            self.best, self.best_step, self.best_value, self.stale = scores, self.step, value, 0
        else:
            self.stale += 1
        self.validated = self.step
        self._tell(validation=scores, worst=worst)
        if self.stopped_early:
            self._tell(stopped="patience", best_step=self.best_step)

    def _score(self) -> tuple[Scores, list[dict[str, Any]]]:
        if not self.validation:
            return {}, []
        predict = self.predictor()
        scores, worst = validate(predict, self.validation, self.recipe.data.axes, self.recipe.run)
        pictures = validation_pictures(predict, self.validation, worst)
        write_pictures(pictures, self.folder)
        self.journal.show(pictures, self.step)
        return scores, worst

    def predictor(self) -> Predict:
        """Give a function from an image float32 (Y, X) to probabilities float32 (4, Y, X), as ``segment`` makes them.

        Its weights are a copy of those of now. It raises :class:`KeyboardInterrupt` when the run was told to stop.
        """
        network = copy.deepcopy(self.plain)
        network.load_state_dict(self._weights().state_dict())
        return predictor(network, self.fabric.device, self.recipe.run.precision, self.interrupt.check)

    def _weights(self) -> torch.nn.Module:
        return self.network.module if self.average is None else self.average

    def _write_bundle(self, scores: Scores) -> None:
        provenance = {**self.bundle.provenance, "step": self.step, "minutes": round(self._elapsed() / 60, 1)}
        bundle = dataclasses.replace(self.bundle, scores=scores, provenance=provenance)
        models.save(self.folder / MODEL, bundle, self._weights().state_dict(), self.recipe.model.storage)

    def _write_log(self) -> str:
        means = {name: fmean(terms[name] for terms in self.losses) for name in self.losses[0]}
        self.losses = []
        lr = self.optimiser.param_groups[0]["lr"]
        wait = round(100 * self.waited_s / max(self.stepped_s, 1e-9), 1)
        self.waited_s = self.stepped_s = 0.0
        self._tell(data_wait_percent=wait, lr=lr, **means)
        best = self.best.get("mean_iou_percent")
        return f"loss {means['loss']:.3f}" + (f", best mIoU {best:.1f} %" if best is not None else "")

    def _open_log(self) -> None:
        self.journal = Journal(self.folder, self.step, self.recipe.run.tensorboard)

    def _tell(self, **record: Any) -> None:
        record = {"step": self.step, "seconds": self._elapsed(), **record}
        processes.once(self.fabric, lambda: self.journal.write(**record))

    def _elapsed(self) -> float:
        return round(self.seconds + time.monotonic() - self.start, 1)

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            "step": self.step,
            "validated": self.validated,
            "seconds": self._elapsed(),
            "best": self.best,
            "best_step": self.best_step,
            "best_value": self.best_value,
            "stale": self.stale,
            "losses": self.losses,
            "network": self.network.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.state_dict() if self.average is not None else {},
        }
        processes.once(self.fabric, lambda: checkpoint.save(self.folder, state, self.recipe))

    def restore(self) -> None:
        """Go back to the checkpoint.

        Raises
        ------
        InputError
            When there is none, it is damaged, or it belongs to another recipe.
        """
        state = checkpoint.load(self.folder, self.recipe)
        self.network.module.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.step, self.validated, self.seconds = state["step"], state["validated"], state["seconds"]
        self.best, self.best_step, self.best_value = state["best"], state["best_step"], state["best_value"]
        self.stale = state.get("stale", 0)  # earlier versions had no patience
        self.losses = state.get("losses", [])  # and forgot those that were not yet in the log
