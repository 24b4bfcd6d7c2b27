import json
import threading

import pytest

from ImplantSegLib import progress


def events(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_json_lines_tell_stage_done_total_and_time_left(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_INTERVAL_S", 0)
    progress.configure("json")
    with progress.stage("segment", total=3) as advance:
        advance()
        advance(2, note="last")
    first, second, third = events(capsys.readouterr().err)
    assert first == {"event": "progress", "stage": "segment", "done": 0, "total": 3, "eta_s": None}
    assert (second["done"], second["total"]) == (1, 3)
    assert second["eta_s"] >= 0
    assert (third["done"], third["eta_s"], third["note"]) == (3, 0, "last")


def test_json_lines_do_not_flood_and_always_tell_the_end(capsys):
    progress.configure("json")
    with progress.stage("segment", total=10_000) as advance:
        for _ in range(10_000):
            advance()
    told = events(capsys.readouterr().err)
    assert told[0]["done"] == 0
    assert told[-1]["done"] == 10_000
    assert len(told) < 100


def test_a_bar_shows_the_stage_and_its_note(capsys):
    progress.configure("bar")
    with progress.stage("register", total=2, unit="step") as advance:
        advance(2, note="0.3 µm")
    shown = capsys.readouterr().err
    assert "register" in shown
    assert "2/2" in shown
    assert "0.3 µm" in shown


def test_silence_is_silent(capsys):
    progress.configure("none")
    with progress.stage("segment", total=1) as advance:
        advance()
    progress.emit("error", message="unheard")
    assert capsys.readouterr().err == ""


def test_track_yields_the_items_and_counts_them(capsys):
    progress.configure("json")
    assert list(progress.track("abc", "read", total=3)) == ["a", "b", "c"]
    assert events(capsys.readouterr().err)[-1]["done"] == 3


def test_cancelling_from_another_thread_stops_the_next_step():
    progress.configure("none")
    with pytest.raises(KeyboardInterrupt), progress.stage("segment", total=2) as advance:
        advance()
        canceller = threading.Thread(target=progress.cancel)
        canceller.start()
        canceller.join()
        advance()


def test_configuring_again_forgets_an_old_cancellation():
    progress.cancel()
    progress.configure("none")
    with progress.stage("segment", total=1) as advance:
        advance()


def test_a_cancellation_interrupts_once_so_that_cleaning_up_is_left_in_peace():
    progress.configure("none")
    progress.cancel()
    assert progress.cancelling()
    with pytest.raises(KeyboardInterrupt), progress.stage("segment", total=1) as advance:
        advance()
    assert not progress.cancelling()
    with progress.stage("clean", total=1) as advance:
        advance()
