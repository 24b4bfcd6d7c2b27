import builtins
import csv
import json
import time

import pytest

from ImplantSegLib.training.journal import CSV, LOG, TENSORBOARD, Journal, read_log
from ImplantSegLib.training.pictures import Picture


def test_the_log_of_a_resumed_run_goes_on_where_the_checkpoint_was(tmp_path):
    log = Journal(tmp_path, 0)
    for step in (1, 2, 3):
        log.write(step=step, loss=0.5)
    with (tmp_path / LOG).open("a") as stream:
        stream.write('{"step": 4, "lo')  # cut by a kill
    Journal(tmp_path, 2).write(step=3, loss=0.25)
    told = [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.5}, {"step": 3, "loss": 0.25}]
    assert [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()] == told
    assert read_log(tmp_path) == told
    Journal(tmp_path, 0)
    assert (tmp_path / LOG).read_text() == ""


def test_the_table_has_a_column_for_every_number(tmp_path):
    log = Journal(tmp_path, 0)
    log.write(step=1, loss=0.5, dice=0.25)
    log.write(step=1, validation={"mean_iou_percent": 90.0, "bic_error_percent": None}, worst=[{"scan": "a"}])
    log.close()
    with (tmp_path / CSV).open() as file:
        steps, validation = csv.DictReader(file)
    assert steps == {
        **{"step": "1", "loss": "0.5", "dice": "0.25"},
        **{"validation.mean_iou_percent": "", "validation.bic_error_percent": ""},
    }
    assert (validation["loss"], validation["validation.mean_iou_percent"]) == ("", "90.0")


@pytest.fixture
def events(tmp_path):
    """Read back what TensorBoard would show: scalars by tag, and the tags of images."""
    pytest.importorskip("tensorboard")

    def events():
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found = EventAccumulator(str(tmp_path / TENSORBOARD))
        found.Reload()
        scalars = {tag: [(one.step, one.value) for one in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
        return scalars, found.Tags()["images"]

    return events


def test_tensorboard_gets_numbers_and_pictures(tmp_path, events):
    import numpy as np

    log = Journal(tmp_path, 0, tensorboard=True)
    log.write(step=2, loss=0.5, validation={"mean_iou_percent": 90.0, "bic_error_percent": None})
    log.show([Picture("middle-a", "a", np.zeros((4, 6, 3), np.uint8))], 2)
    log.close()
    scalars, images = events()
    assert scalars == {"loss": [(2, 0.5)], "validation/mean_iou_percent": [(2, 90.0)]}
    assert images == ["middle-a"]


def test_tensorboard_forgets_what_a_resumed_run_does_again(tmp_path, events):
    log = Journal(tmp_path, 0, tensorboard=True)
    for step in (1, 2, 3):
        log.write(step=step, loss=float(step))
    log.close()
    time.sleep(1.1)  # event files are read in the order of their names, which tell seconds
    log = Journal(tmp_path, 2, tensorboard=True)
    log.write(step=3, loss=30.0)
    log.close()
    assert events()[0]["loss"] == [(1, 1.0), (2, 2.0), (3, 30.0)]


def test_without_tensorboard_the_log_says_so_and_goes_on(tmp_path, monkeypatch, caplog):
    real = builtins.__import__

    def refuse(name, *others):
        if name.startswith("torch.utils.tensorboard"):
            raise ImportError(name)
        return real(name, *others)

    monkeypatch.setattr(builtins, "__import__", refuse)
    log = Journal(tmp_path, 0, tensorboard=True)
    assert "tensorboard is missing" in caplog.text
    log.write(step=1, loss=0.5)
    log.close()
    assert not (tmp_path / TENSORBOARD).exists()
