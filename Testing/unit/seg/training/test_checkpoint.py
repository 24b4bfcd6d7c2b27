import dataclasses
import json
import pickle
from pathlib import Path

import pytest
import torch

from ImplantSegLib.errors import InputError
from ImplantSegLib.training import checkpoint


@pytest.fixture
def saved(tmp_path, recipe):
    checkpoint.save(tmp_path, {"step": 3, "weights": torch.arange(4.0)}, recipe())
    return tmp_path / checkpoint.CHECKPOINT


def test_what_was_saved_is_loaded(saved, recipe):
    state = checkpoint.load(saved.parent, recipe())
    assert state["step"] == 3
    assert torch.equal(state["weights"], torch.arange(4.0))
    assert [path.name for path in saved.parent.iterdir()] == [checkpoint.CHECKPOINT]


def test_another_recipe_is_refused(saved, recipe):
    with pytest.raises(InputError, match=r"had loss.dice = 1.0, now it is 0.5; resume with the same recipe"):
        checkpoint.load(saved.parent, recipe({"loss.dice": 0.5}))


def test_where_and_how_fast_may_change(saved, recipe):
    changes = {"data.cache": "x", "run.max_minutes": 3.0, "run.threads": 2, "run.workers": 0, "run.device": "cpu"}
    assert checkpoint.load(saved.parent, recipe({**changes, "run.checkpoint_every": 9}))["step"] == 3


def test_keys_that_an_older_recipe_did_not_have_had_their_defaults(saved, recipe):
    values = dataclasses.asdict(recipe())
    del values["loss"]["hardest"]
    torch.save({"step": 5, "recipe": json.dumps(values)}, saved)
    assert checkpoint.load(saved.parent, recipe())["step"] == 5


def test_a_missing_checkpoint_is_told(tmp_path, recipe):
    with pytest.raises(InputError, match="holds no checkpoint to resume; start without --resume"):
        checkpoint.load(tmp_path, recipe())


@pytest.mark.parametrize("change", [lambda data: data[: len(data) // 2], lambda _: b"", lambda _: b"no checkpoint"])
def test_a_damaged_checkpoint_is_refused(saved, recipe, change):
    saved.write_bytes(change(saved.read_bytes()))
    with pytest.raises(InputError, match="is damaged; start again in another folder"):
        checkpoint.load(saved.parent, recipe())


def test_a_flipped_bit_in_a_weight_is_damage(saved, recipe):
    data = bytearray(saved.read_bytes())
    data[data.index(torch.arange(4.0).numpy().tobytes())] ^= 1
    saved.write_bytes(data)
    assert torch.load(saved, weights_only=True)["weights"][0] != 0  # torch does not mind
    with pytest.raises(InputError, match="is damaged"):
        checkpoint.load(saved.parent, recipe())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_told_and_the_earlier_checkpoint_stays(saved, recipe, monkeypatch):
    opened = Path.open
    monkeypatch.setattr(Path, "open", lambda path, mode: opened(path if mode == "rb" else Path("/dev/full"), mode))
    with pytest.raises(InputError, match=r"cannot write .*checkpoint.pt: the disk is full; free some space"):
        checkpoint.save(saved.parent, {"step": 4, "weights": torch.arange(9000.0)}, recipe())
    monkeypatch.undo()
    assert checkpoint.load(saved.parent, recipe())["step"] == 3
    assert [path.name for path in saved.parent.iterdir()] == [checkpoint.CHECKPOINT]


class Payload:
    """Executes something when it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("a checkpoint was executed",)


@pytest.mark.parametrize("write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value, 2))])
def test_loading_executes_nothing(saved, recipe, write):
    write({"step": Payload()}, saved)
    with pytest.raises(InputError, match="is damaged"):
        checkpoint.load(saved.parent, recipe())
