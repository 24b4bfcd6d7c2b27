import errno
import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import TINY

from ImplantSegLib import models, progress
from ImplantSegLib.errors import InputError, MemoryLimitError
from ImplantSegLib.training import checkpoint
from ImplantSegLib.training.command import load_recipe, packaged_recipes
from ImplantSegLib.training.config import Optimiser
from ImplantSegLib.training.fit import MODEL, Fit
from ImplantSegLib.training.journal import LOG
from ImplantSegLib.training.optimiser import average_decay, learning_rate, update_average

pytestmark = pytest.mark.usefixtures("one_thread")


class KilledError(Exception):
    """Stands for a kill: nothing runs after it, and what is on disk is all that is left."""


@pytest.fixture
def start(recipe, make_scan, tmp_path):
    """Give a run in a folder of its own; ``changes`` are those of the recipe."""

    def start(folder="run", changes=None, validate=True):
        made = recipe(changes)
        training = [make_scan("a"), make_scan("b", 1, (36, 40, 50))]
        validation = [make_scan("c", 2, (20, 40, 44))] if validate else []
        bundle = models.Bundle(made.model.network, made.model.options)
        (tmp_path / folder).mkdir(exist_ok=True)
        return Fit(made, training, validation, tmp_path / folder, bundle)

    return start


def state_of(fit):
    """All that decides the rest of a run, as flat tensors and numbers."""
    result = {f"network.{key}": value for key, value in fit.network.module.state_dict().items()}
    result |= {f"average.{key}": value for key, value in fit.average.state_dict().items()}
    for index, moments in fit.optimiser.state_dict()["state"].items():
        result |= {f"moment.{index}.{key}": value for key, value in moments.items()}
    return result | {"step": torch.tensor(fit.step), "best": torch.tensor(fit.best_value)}


def assert_same(one, other):
    first, second = state_of(one), state_of(other)
    assert first.keys() == second.keys()
    different = [key for key in first if not torch.equal(first[key], second[key])]
    assert different == []


def stop_at(fit, step, deed):
    """Make ``deed`` happen at the end of a step, before it is counted as done by the loop."""
    take_step = fit.take_step

    def wrapped(*batch):
        loss = take_step(*batch)
        if fit.step == step:
            deed()
        return loss

    fit.take_step = wrapped


def kill():
    raise KilledError


def lines(fit):
    return [json.loads(line) for line in (fit.folder / LOG).read_text().splitlines()]


@pytest.mark.parametrize("changes", [{}, {"run.precision": "bf16-mixed", "run.workers": 2}, {"optimiser.kind": "sgd"}])
def test_a_killed_and_resumed_run_ends_as_one_that_was_left_alone(start, changes):
    whole = start("whole", changes)
    whole.run()
    killed = start("killed", changes)
    stop_at(killed, 5, kill)
    with pytest.raises(KilledError):
        killed.run()
    resumed = start("killed", changes)
    resumed.restore()
    assert resumed.step == 4
    scores = resumed.run()
    assert_same(resumed, whole)
    assert scores == whole.best
    assert models.load(resumed.folder / MODEL).weights_sha256 == models.load(whole.folder / MODEL).weights_sha256
    told = [[{**line, "seconds": 0, "data_wait_percent": 0} for line in lines(fit)] for fit in (resumed, whole)]
    assert told[0] == told[1]


def test_two_runs_give_the_same_and_another_seed_gives_another(start):
    fits = [start("a"), start("b", {"run.workers": 0}), start("c", {"run.seed": 1})]
    for fit in fits:
        fit.run()
    assert_same(fits[0], fits[1])
    with pytest.raises(AssertionError):
        assert_same(fits[0], fits[2])


@pytest.mark.parametrize("ask", [lambda: os.kill(os.getpid(), signal.SIGINT), progress.cancel])
def test_an_interrupted_run_is_saved_at_its_step_and_goes_on(start, ask):
    whole = start("whole")
    whole.run()
    stopped = start("stopped")
    stop_at(stopped, 3, ask)
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    progress.configure("none")
    resumed = start("stopped")
    resumed.restore()
    assert resumed.step == 3
    resumed.run()
    assert_same(resumed, whole)


def test_a_second_signal_within_a_step_leaves_the_older_checkpoint(start):
    fit = start()
    forward = fit.loss

    def impatient(logits, labels):
        if fit.step == 3:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return forward(logits, labels)

    fit.loss = impatient
    with pytest.raises(KeyboardInterrupt):
        fit.run()
    again = start()
    again.restore()
    assert again.step == 2


def test_the_time_limit_stops_with_a_checkpoint(start):
    fit = start(changes={"run.max_minutes": 1e-9})
    fit.run()
    assert fit.step == 0
    again = start(changes={"run.max_minutes": 0.0})  # where and how fast may change, what may not
    again.restore()
    again.run()
    assert again.step == 6


def test_a_finished_run_that_is_resumed_stays_as_it_is(start):
    fit = start()
    scores = fit.run()
    again = start()
    again.restore()
    assert again.run() == scores
    assert_same(again, fit)


def test_training_learns_what_the_grey_values_tell(start):
    changes = {
        "run.steps": 40,
        "run.log_every": 10,
        "run.validate_every": 40,
        "model.options": {"width": 8, "levels": 3},
    }
    changes |= {"optimiser.lr": 0.02, "optimiser.ema": 0.0, "optimiser.schedule": "constant", "data.axes": [0]}
    changes |= {f"augment.{name}": 0.0 for name in ("affine", "intensity", "noise", "blur")}
    fit = start(changes=changes)
    fit.run()
    losses = [line["loss"] for line in lines(fit) if "loss" in line]
    assert len(losses) == 4
    assert losses[3] < 0.6 * losses[0]


def test_the_model_file_holds_the_averaged_weights_and_their_scores(start):
    fit = start(changes={"run.validate_every": 6})
    scores = fit.run()
    bundle = models.load(fit.folder / MODEL)
    assert bundle.scores == scores
    assert bundle.provenance["step"] == fit.best_step == 6
    state = bundle.load_network().state_dict()
    assert all(torch.equal(state[key], value) for key, value in fit.average.state_dict().items())
    assert not all(torch.equal(state[key], value) for key, value in fit.network.module.state_dict().items())


def test_whole_scans_are_validated_and_the_log_names_their_worst_slices(start):
    fit = start(changes={"run.validation_slices": 0, "run.steps": 2, "run.validate_every": 2})
    scores = fit.run()
    assert {"bic_error_percent", "bic_bias_percent"} <= scores.keys()
    told = next(line for line in lines(fit) if "validation" in line)
    assert told["validation"] == scores
    assert {one["scan"] for one in told["worst"]} == {"c"}
    assert "worst" not in models.load(fit.folder / MODEL).scores


def test_a_validation_stops_when_it_is_told_to_and_is_made_up_for(start):
    changes = {"run.validation_slices": 0, "run.steps": 2, "run.validate_every": 2}
    fit = start("stopped", changes)
    fit.interrupt.asked = True
    with pytest.raises(KeyboardInterrupt):
        fit.validate()
    assert fit.validated == 0
    whole = start("whole", changes)
    scores = whole.run()
    stopped = start("again", changes)
    validate = stopped.validate

    def interrupted():
        stopped.interrupt.asked = True
        validate()

    stopped.validate = interrupted
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    again = start("again", changes)
    again.restore()
    assert again.run() == scores


def test_without_validation_the_latest_weights_are_kept(start):
    fit = start(changes={"optimiser.ema": 0.0}, validate=False)
    assert fit.run() == {}
    assert models.load(fit.folder / MODEL).provenance["step"] == 6
    state = models.load(fit.folder / MODEL).load_network().state_dict()
    assert all(torch.equal(state[key], value) for key, value in fit.network.module.state_dict().items())


EXACT = {"loss.dice": 0.0, "sampling.batch": 4, "optimiser.kind": "sgd", "optimiser.lr": 0.05, "run.steps": 4}
"""A run whose loss is a mean over pixels: parts of a batch give what the batch gives."""


@pytest.mark.parametrize("accumulate", [2, 4])
def test_parts_of_a_batch_that_are_added_up_give_the_weights_of_the_batch(start, accumulate):
    frozen = {**EXACT, "model.freeze_norm": True}
    whole, cut = start("whole", frozen), start("cut", {**frozen, "optimiser.accumulate": accumulate})
    for fit in (whole, cut):
        fit.batches.scans[0].labels[:, 20:] = 255  # parts hold more and fewer known pixels
        fit.run()
    for key, value in whole.network.module.state_dict().items():
        torch.testing.assert_close(cut.network.module.state_dict()[key], value, rtol=1e-4, atol=1e-6, msg=key)
    assert lines(whole)[2]["loss"] == pytest.approx(lines(cut)[2]["loss"], rel=1e-5)


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_batch_statistics_stay_and_are_used(start, frozen):
    fit = start(changes={"model.freeze_norm": frozen, "run.steps": 2})
    before = {key: value.clone() for key, value in fit.network.module.state_dict().items()}
    fit.run()
    changed = {key for key, value in fit.network.module.state_dict().items() if not torch.equal(value, before[key])}
    assert any(key.endswith("weight") for key in changed)
    assert any(key.endswith("running_mean") for key in changed) is not frozen


def test_a_batch_that_cannot_be_cut_is_refused(start):
    with pytest.raises(InputError, match=r"sampling.batch = 4, wanted a multiple of optimiser.accumulate, which is 3"):
        start(changes={**EXACT, "optimiser.accumulate": 3})


def test_the_average_of_a_fine_tuned_run_remembers_the_weights_that_it_started_from(start):
    fit = start(changes={"model.init_from": "elsewhere", "optimiser.lr": 0.1, "run.steps": 1, "optimiser.warmup": 0})
    before = fit.average.state_dict()["head.bias"].clone()
    fit.run()
    expected = 0.9 * before + 0.1 * fit.network.module.state_dict()["head.bias"]
    torch.testing.assert_close(fit.average.state_dict()["head.bias"], expected)


def test_the_log_tells_how_long_the_loop_waited_for_batches(start):
    fit = start(changes={"run.steps": 2, "run.workers": 0})
    batch, step = fit.batches.batch, fit.take_step

    def slow_batch(number):
        time.sleep(0.3)
        return batch(number)

    def slow_step(*given):
        time.sleep(0.1)
        return step(*given)

    fit.batches.batch, fit.take_step = slow_batch, slow_step
    fit.run()
    assert 40 < next(line["data_wait_percent"] for line in lines(fit) if "lr" in line) <= 75


def test_a_run_that_gets_no_better_stops_early_and_a_resumed_one_stays_stopped(start, monkeypatch):
    values = iter([3.0, 5.0, 5.0, 4.0])
    monkeypatch.setattr("ImplantSegLib.training.fit.criterion", lambda *_: next(values))
    changes = {"run.steps": 20, "run.validate_every": 2, "run.patience": 2}
    fit = start(changes=changes)
    stop_at(fit, 7, kill)  # after the validation that was the first without a gain
    with pytest.raises(KilledError):
        fit.run()
    again = start(changes=changes)
    again.restore()
    assert (again.step, again.stale) == (6, 1)
    again.run()
    assert (again.step, again.best_step, again.stopped_early) == (8, 4, True)
    told = {**lines(again)[-1], "seconds": 0}
    assert told == {"step": 8, "seconds": 0, "stopped": "patience", "best_step": 4}
    once_more = start(changes=changes)
    once_more.restore()
    once_more.run()
    assert once_more.step == 8


def spoil(fit, step, how):
    """Make the terms of the loss something else in one step."""
    loss = fit.loss
    fit.loss = lambda outputs, labels: (how if fit.step == step else lambda terms: terms)(loss(outputs, labels))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (lambda terms: {**terms, "dice": terms["dice"] * float("nan")}, "the loss is nan in step 4 at"),
        (lambda terms: {"dice": terms["dice"] * 1e38 * 1e38}, "the loss is inf in step 4 at"),
        # the derivative of a root at 0
        (lambda terms: {"dice": (terms["dice"] * 0).sqrt()}, "the gradient of the loss 0 has norm nan in step 4 at"),
    ],
)
def test_a_loss_that_is_no_number_stops_the_run_and_spoils_nothing(start, how, words):
    fit = start(changes={"optimiser.clip_norm": 0.0})
    spoil(fit, 3, how)
    with pytest.raises(InputError, match=words):
        fit.run()
    assert all(value.isfinite().all() for value in fit.network.module.state_dict().values())
    again = start(changes={"optimiser.clip_norm": 0.0})
    again.restore()
    assert again.step == 2
    again.run()
    assert again.step == 6


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), MemoryError()])
def test_too_little_memory_is_told_with_its_remedy(start, error):
    fit = start()

    def fail(terms):
        raise error

    spoil(fit, 3, fail)
    with pytest.raises(MemoryLimitError, match=r"of 2 patches of 32 × 32 pixels in 1 part; .* smaller sampling.batch"):
        fit.run()
    again = start()
    again.restore()
    assert again.step == 2


@pytest.mark.parametrize("file", [checkpoint.CHECKPOINT, LOG, MODEL])
def test_a_full_disk_is_told_and_the_run_goes_on_from_the_earlier_checkpoint(start, monkeypatch, file):
    whole = start("whole", validate=False)  # the model is written whenever it is validated
    whole.run()
    fit = start("full", validate=False)
    stop_at(fit, 4, lambda: fill_disk(monkeypatch, file))
    with pytest.raises(InputError, match=rf"cannot write .*{file}: the disk is full; free some space"):
        fit.run()
    monkeypatch.undo()
    again = start("full", validate=False)
    again.restore()
    assert again.step == {checkpoint.CHECKPOINT: 2, LOG: 2, MODEL: 4}[file]
    again.run()
    assert_same(again, whole)
    assert models.load(again.folder / MODEL).weights_sha256 == models.load(whole.folder / MODEL).weights_sha256


def fill_disk(monkeypatch, file):
    """Let every writing of a file end as it does on a full disk."""
    opened = Path.open

    def full(path, mode="r", *args, **kwargs):
        if file in path.name and mode not in ("r", "rb"):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return opened(path, mode, *args, **kwargs)

    def full_bytes(path, data):
        with full(path, "wb") as stream:
            stream.write(data)

    monkeypatch.setattr(Path, "open", full)
    monkeypatch.setattr(Path, "write_bytes", full_bytes)


def test_validation_slices_smaller_than_the_network_takes_are_filled_up(start, make_scan):
    fit = start(changes={"sampling.patch": [64, 64], "model.network": "scaled_unet", "data.axes": [1]})
    small = make_scan(shape=(9, 20, 44))
    image, _ = small.cut(1, 10, slice(None), slice(None))
    assert fit.predictor()(image).shape == (4, 9, 44)


@pytest.mark.parametrize("name", packaged_recipes())
def test_every_packaged_recipe_trains(name, make_scan, tmp_path):
    _, recipe = load_recipe(
        name, ["run.steps=1", "run.validation_slices=1", "sampling.batch=2", "sampling.patch=[64,64]"]
    )
    network = recipe.model.network
    recipe = replace(recipe, model=replace(recipe.model, options=TINY[network]))
    fit = Fit(recipe, [make_scan("a")], [make_scan("b", 1)], tmp_path, models.Bundle(network, TINY[network]))
    assert fit.run()["mean_iou_percent"] is not None
    assert [line["step"] for line in lines(fit)] == [1, 1]


def test_patches_smaller_than_the_network_takes_are_refused(start):
    with pytest.raises(InputError, match=r"got patches of \[8, 32\] pixels, wanted at least 16 for 'unet'"):
        start(changes={"sampling.patch": [8, 32]})


def test_a_run_leaves_the_random_numbers_of_others_alone(start):
    before = torch.random.get_rng_state()
    start()
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]),
        ("cosine", [0.25, 0.5, 0.75, 1.0, 1.0, 0.5]),
        ("poly", [0.25, 0.5, 0.75, 1.0, 1.0, 0.5**0.9]),
    ],
)
def test_the_learning_rate_rises_and_falls(schedule, expected):
    config = Optimiser(lr=2.0, schedule=schedule, warmup=4)
    assert [learning_rate(config, step, 12) for step in (0, 1, 2, 3, 4, 8)] == pytest.approx([2 * v for v in expected])


def test_the_average_forgets_its_start_first_and_slows_down():
    decays = [average_decay(Optimiser(ema=0.9), step) for step in (0, 1, 10, 1000)]
    assert decays == pytest.approx([1 / 10, 2 / 11, 11 / 20, 0.9])
    average, network = torch.nn.BatchNorm1d(1), torch.nn.BatchNorm1d(1)
    network.running_mean.fill_(4.0)
    network.num_batches_tracked.fill_(7)
    update_average(average, network, 0.75)
    assert average.running_mean.item() == 1
    assert average.num_batches_tracked.item() == 7
