import threading
import time

import pytest

from ImplantSegLib import threads
from ImplantSegLib.errors import InputError


@pytest.mark.parametrize("number", ["1", "2", "7"])
def test_results_come_in_order(monkeypatch, number):
    monkeypatch.setenv(threads.VARIABLE, number)

    def slow_at_first(n):
        time.sleep(0.02 if n == 0 else 0)
        return n * n

    assert threads.each(slow_at_first, range(20)) == [n * n for n in range(20)]
    assert threads.each(slow_at_first, []) == []


def test_work_is_done_at_once(monkeypatch):
    monkeypatch.setenv(threads.VARIABLE, "3")
    meeting = threading.Barrier(3, timeout=10)
    threads.each(lambda _: meeting.wait(), range(3))


def test_work_inside_work_gets_its_share(monkeypatch):
    monkeypatch.setenv(threads.VARIABLE, "6")
    assert threads.each(lambda _: threads.count(), range(3)) == [2, 2, 2]
    assert threads.each(lambda _: sum(threads.each(lambda n: n, range(5))), range(8)) == [10] * 8
    assert threads.count() == 6


@pytest.mark.parametrize("number", ["1", "2", "5"])
@pytest.mark.parametrize(("start", "stop"), [(0, 0), (3, 4), (2, 41)])
def test_pieces_of_a_range_cover_it_once(monkeypatch, number, start, stop):
    monkeypatch.setenv(threads.VARIABLE, number)
    pieces = threads.each_range(lambda low, high: list(range(low, high)), start, stop)
    assert [n for piece in pieces for n in piece] == list(range(start, stop))


def test_the_first_failure_is_told(monkeypatch):
    monkeypatch.setenv(threads.VARIABLE, "2")
    with pytest.raises(ZeroDivisionError):
        threads.each(lambda n: 1 // n, range(3))


@pytest.mark.parametrize("number", ["0", "-1", "two", "1.5"])
def test_a_wrong_number_is_refused(monkeypatch, number):
    monkeypatch.setenv(threads.VARIABLE, number)
    with pytest.raises(InputError, match="wanted a whole number above 0"):
        threads.count()


def test_without_a_wish_all_cores_work(monkeypatch):
    monkeypatch.delenv(threads.VARIABLE, raising=False)
    assert threads.count() == threads.cores() >= 1
