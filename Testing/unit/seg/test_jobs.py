from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from ImplantSegLib import __version__, jobs
from ImplantSegLib.errors import InputError


@dataclass
class Optimiser:
    lr: float = 0.001
    steps: int = 100
    nesterov: bool = False

    def __post_init__(self) -> None:
        if self.lr <= 0:
            raise InputError(f"got lr {self.lr}, wanted a number above 0", "pass lr = 0.001")


@dataclass
class Job:
    name: str
    optimiser: Optimiser = field(default_factory=Optimiser)
    stages: list[Optimiser] = field(default_factory=list)
    shape: tuple[int, int, int] = (1, 2, 3)
    model: Path | None = None
    seed: int | None = None
    mode: Literal["fast", "good"] = "fast"


FULL = Job("fold 1", Optimiser(0.5, 3, True), [Optimiser(), Optimiser(2.0)], (4, 5, 6), Path("a/b.safetensors"), 7)


@pytest.mark.parametrize("job", [Job("a"), FULL])
def test_a_job_reads_back_what_it_wrote(tmp_path, job):
    jobs.save(job, tmp_path / "job.toml")
    assert jobs.from_mapping(Job, jobs.load_toml(tmp_path / "job.toml")) == job


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "a", "sed": 1}, r"r.toml has an unknown key 'sed'; did you mean 'seed'"),
        ({"name": "a", "optimiser": {"step": 1}}, r"unknown key 'optimiser.step'; did you mean 'steps'"),
        ({}, "r.toml lacks the key 'name'"),
        ({"name": "a", "optimiser": {"lr": "fast"}}, "'optimiser.lr': got 'fast', wanted a number"),
        ({"name": "a", "optimiser": {"steps": 1.5}}, "'optimiser.steps': got 1.5, wanted a whole number"),
        ({"name": "a", "optimiser": {"steps": True}}, "'optimiser.steps': got True, wanted a whole number"),
        ({"name": "a", "optimiser": {"nesterov": "no"}}, "'optimiser.nesterov': got 'no', wanted true or false"),
        ({"name": 5}, "'name': got 5, wanted a text"),
        ({"name": "a", "shape": [1, 2]}, "'shape'"),
        ({"name": "a", "optimiser": {"lr": -1.0}}, "r.toml: got lr -1.0, wanted a number above 0; pass lr"),
    ],
)
def test_what_does_not_fit_is_named(values, message):
    with pytest.raises(InputError, match=message):
        jobs.from_mapping(Job, values, "r.toml")


def test_whole_numbers_serve_where_numbers_are_wanted():
    assert jobs.from_mapping(Optimiser, {"lr": 1}) == Optimiser(lr=1.0)


def test_overrides_read_values_as_toml_and_bare_words_as_text():
    values = {"name": "a", "optimiser": {"lr": 0.1}}
    changed = jobs.with_overrides(values, ["optimiser.lr=0.5", "shape=[1, 1, 1]", "name=fold 2", "new.deep.key=true"])
    assert changed == {
        "name": "fold 2",
        "optimiser": {"lr": 0.5},
        "shape": [1, 1, 1],
        "new": {"deep": {"key": True}},
    }
    assert values == {"name": "a", "optimiser": {"lr": 0.1}}


def test_overrides_leave_deep_originals_alone():
    values = {"a": {"b": {"c": 1}}}
    jobs.with_overrides(values, ["a.b.c=2"])
    assert values == {"a": {"b": {"c": 1}}}


@pytest.mark.parametrize(("override", "message"), [("lr", "wanted KEY=VALUE"), ("name.x=1", "'name' is a value")])
def test_overrides_that_make_no_sense(override, message):
    with pytest.raises(InputError, match=message):
        jobs.with_overrides({"name": "a"}, [override])


def test_toml_that_is_missing_or_broken(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*absent.toml: it does not exist"):
        jobs.load_toml(tmp_path / "absent.toml")
    (tmp_path / "broken.toml").write_text("a = \n")
    with pytest.raises(InputError, match=r"broken.toml is not valid TOML: .*line 1"):
        jobs.load_toml(tmp_path / "broken.toml")


def test_none_is_left_out_of_the_file():
    assert "seed" not in tomllib.loads(jobs.to_toml(Job("a")))


def test_provenance_names_versions_and_hashes_of_inputs(tmp_path):
    (tmp_path / "scan.nrrd").write_bytes(b"abc")
    told = jobs.provenance(scan=tmp_path / "scan.nrrd", slices=tmp_path, pose=None)
    assert told["implantseg"] == __version__
    assert told["packages"]["numpy"] == np.__version__
    assert told["inputs"]["scan"]["sha256"].startswith("ba7816bf")
    assert told["inputs"]["slices"] == {"path": str(tmp_path)}
    assert "pose" not in told["inputs"]


def test_a_choice_names_what_may_be_chosen():
    assert jobs.from_mapping(Job, {"name": "a", "mode": "good"}).mode == "good"
    with pytest.raises(InputError, match="'mode': got 'slow', wanted one of 'fast', 'good'"):
        jobs.from_mapping(Job, {"name": "a", "mode": "slow"})
