from collections import Counter

import pytest

from ImplantSegLib.errors import InputError
from ImplantSegLib.phantom.cohort import jobs


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


def test_an_unknown_cohort_is_refused():
    with pytest.raises(InputError, match="development"):
        jobs("training")
