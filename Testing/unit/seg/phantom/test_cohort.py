from collections import Counter
from dataclasses import replace

import pytest

from ImplantSegLib.cli import main
from ImplantSegLib.errors import InputError
from ImplantSegLib.phantom import cohort
from ImplantSegLib.phantom.cohort import jobs
from ImplantSegLib.phantom.recipe import PhantomJob


def kinds(name):
    return Counter((job.site, job.weeks) for job in jobs(name).values())


def test_the_papers_sets_are_its_table_3():
    assert kinds("paper-training") == {
        ("epiphysis", 4): 1,
        ("epiphysis", 6): 1,
        ("epiphysis", 12): 2,
        ("metaphysis", 4): 1,
        ("metaphysis", 6): 1,
    }
    assert kinds("paper-test") == {("epiphysis", 6): 1, ("metaphysis", 12): 1}
    assert kinds("paper-prediction") == {("diaphysis", 6): 3, ("diaphysis", 12): 3, ("diaphysis", 24): 3}
    assert all((job.beamline == "p07") == (job.site == "epiphysis") for job in jobs("paper-training").values())


def test_no_seed_serves_two_cohorts():
    names = ("development", "test", "paper-training", "paper-test", "paper-prediction")
    seeds = [job.seed for name in names for job in jobs(name).values()]
    assert len(seeds) == len(set(seeds))


def test_the_test_cohort_is_what_the_bars_speak_of():
    test = jobs("test").values()
    assert len(test) == 10
    for job in test:
        assert job.spacing_um == (10.0, 10.0, 10.0)
        assert 5 <= job.contact_percent <= 60
        assert job.degradation_rate * job.weeks * 7 / 365.25 >= 0.06


@pytest.mark.parametrize("name", ["paper-training", "test", "development"])
def test_a_cohort_of_crops_has_the_same_phantoms_but_for_their_shape(name):
    whole, crops = jobs(name), jobs(f"{name}-crop")
    assert {job.shape for job in crops.values()} == {(24, 448, 448)}
    assert {folder: replace(job, shape=whole[folder].shape) for folder, job in crops.items()} == whole


@pytest.mark.parametrize("name", ["training", "training-crop"])
def test_an_unknown_cohort_is_refused(name):
    with pytest.raises(InputError, match="development"):
        jobs(name)


def test_the_verb_makes_a_cohort_and_keeps_what_is_there(tmp_path, monkeypatch, capsys):
    small = {"a": PhantomJob(spacing_um=(60.0,) * 3, shape=(16, 70, 70)), "b": None}
    monkeypatch.setattr(cohort, "jobs", lambda *_: small)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "truth.json").touch()
    (tmp_path / "reference.nrrd").touch()
    assert main(["phantom", str(tmp_path), "--cohort", "test", "--progress", "none"]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"image.nrrd", "labels.seg.nrrd", "truth.json"}
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["truth.json"]


def test_the_verb_names_the_cohorts_it_knows(tmp_path, capsys):
    assert main(["phantom", str(tmp_path), "--cohort", "training"]) == 2
    assert "paper-training" in capsys.readouterr().err
