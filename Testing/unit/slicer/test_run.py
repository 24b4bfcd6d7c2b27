"""The section with the button on the host: steps, progress, log, and what a user can do meanwhile."""

import sys

import pytest

TELLS = """
import json, sys, time
def tell(done):
    event = {"event": "progress", "stage": "slices", "done": done, "total": 8, "eta_s": 70.0}
    print(json.dumps(event), file=sys.stderr, flush=True)
print("model: compact", flush=True)
tell(2)
time.sleep(1.5)
tell(8)
"""

SLOW = "import time; time.sleep(60)"


@pytest.fixture
def panel(host, root, monkeypatch):
    """The panel of ImplantSeg without anything that speaks against a run; a step's first argument is Python code."""
    panel = host.load(root / "ImplantSeg" / "ImplantSeg.py").panel
    from ImplantSegLib.inslicer import runner
    from ImplantSegLib.inslicer.environment import EnvironmentSection
    from ImplantSegLib.inslicer.model import ModelSection

    for section in (EnvironmentSection, ModelSection):
        panel.section(section).close()
        monkeypatch.setattr(section, "reload", lambda self: None)
    monkeypatch.setattr(panel, "problems", list)
    monkeypatch.setattr(runner.worker, "command", lambda verb, code, *rest: [sys.executable, "-c", code, *rest])
    monkeypatch.setattr(panel.run, "on_apply", lambda: None)
    panel.refresh()
    return panel


def steps(*codes):
    from ImplantSegLib.inslicer.runner import Step

    return [Step(f"working on {number}", "run", [code]) for number, code in enumerate(codes)]


def test_steps_run_one_after_another_and_hand_the_output_of_the_last_on(host, panel):
    outputs, ends = [], []
    panel.run.start(steps("print('first')", "print('second')"), outputs.append, ends.append)
    host.wait(lambda: not panel.run.runner.running)
    assert outputs == ["second\n"]
    assert ends == [None]
    log = panel.run.ui.logText.toPlainText().splitlines()
    assert log == ["== Working on 0 (1/2)", "first", "== Working on 1 (2/2)", "second"]
    assert panel.run.ui.statusLabel.text.startswith("Done in ")


def test_a_step_that_fails_ends_the_run(host, panel):
    outputs, ends = [], []
    panel.run.start(steps("raise SystemExit(4)", "print('never')"), outputs.append, ends.append)
    host.wait(lambda: not panel.run.runner.running)
    assert outputs == []
    assert [end.kind for end in ends] == ["crash"]
    assert "never" not in panel.run.ui.logText.toPlainText()


def test_progress_has_a_stage_percent_time_left_and_time_gone(host, panel):
    ui = panel.run.ui
    panel.run.start(steps(TELLS), lambda _: None)
    assert not ui.applyButton.enabled
    assert ui.cancelButton.enabled
    assert ui.progressBar.isVisibleTo(panel.run.form)
    assert ui.progressBar.maximum == 0  # moves to and fro until something is known
    host.wait(lambda: "%" in ui.statusLabel.text)
    assert ui.progressBar.value == 25
    assert ui.statusLabel.text.startswith("Working on 0: slices 25 %, 1 min 10 s left, ")
    assert ui.statusLabel.text.endswith(" s elapsed")
    host.wait(lambda: not panel.run.runner.running)
    assert ui.applyButton.enabled
    assert not ui.cancelButton.enabled
    assert not ui.progressBar.isVisibleTo(panel.run.form)


def test_the_button_is_on_only_when_nothing_speaks_against_a_run(panel, monkeypatch):
    assert panel.run.ui.applyButton.enabled
    monkeypatch.setattr(panel, "problems", lambda: ["No scan was chosen.", "There is no model."])
    panel.refresh()
    assert not panel.run.ui.applyButton.enabled
    assert panel.run.ui.applyButton.toolTip == "No scan was chosen.\nThere is no model."


def test_two_clicks_start_one_run(host, panel, monkeypatch):
    starts = []

    def start():
        starts.append(1)
        panel.run.ui.applyButton.click()  # from inside, as when saving a scan lets other events through
        panel.run.start(steps(SLOW), lambda _: None)

    monkeypatch.setattr(panel.run, "on_apply", start)
    panel.run.ui.applyButton.click()
    panel.run.ui.applyButton.click()
    panel.run._on_apply()
    assert starts == [1]
    panel.run.cancel()
    host.wait(lambda: not panel.run.runner.running)


def test_a_second_run_is_refused_in_a_sentence(host, panel):
    from ImplantSegLib.errors import InputError

    panel.run.start(steps(SLOW), lambda _: None)
    with pytest.raises(InputError, match="a run is going on; wait for its end, or cancel it"):
        panel.run.start(steps(SLOW), lambda _: None)
    panel.run.cancel()
    host.wait(lambda: not panel.run.runner.running)


def test_a_run_that_cannot_be_started_says_why(host, panel, monkeypatch):
    from ImplantSegLib.errors import InputError

    def refuse():
        raise InputError("the disk is full", "delete something")

    monkeypatch.setattr(panel.run, "on_apply", refuse)
    panel.run.ui.applyButton.click()
    assert [message.text for message in host.displayed] == [
        "The run could not be started.\n\nThe disk is full. Delete something."
    ]
    assert panel.run.ui.applyButton.enabled


def test_the_log_can_be_copied_and_saved(host, panel, tmp_path):
    import slicer

    panel.run.start(steps("print('µ-CT')"), lambda _: None)
    host.wait(lambda: not panel.run.runner.running)
    panel.run.ui.copyLogButton.click()
    assert slicer.app.clipboard().text() == "== Working on 0\nµ-CT"
    host.answers["getSaveFileName"] = str(tmp_path / "run.log")
    panel.run.ui.saveLogButton.click()
    assert (tmp_path / "run.log").read_text(encoding="utf-8") == "== Working on 0\nµ-CT\n"


def test_a_flood_of_output_is_kept_short(host, panel):
    panel.run.start(steps("print('x\\n' * 9000)"), lambda _: None)
    host.wait(lambda: not panel.run.runner.running)
    assert panel.run.ui.logText.blockCount <= 2000


def test_cancelling_between_two_steps_starts_no_other(host, panel):
    outputs = []
    panel.run.start(steps("print('quick')", "print('second')"), outputs.append)
    panel.run.cancel()
    host.wait(lambda: not panel.run.runner.running)
    assert outputs == []
    assert panel.run.ui.statusLabel.text == "The run was cancelled."
    assert host.displayed == []


def test_rows_of_a_list_are_handed_on(host, panel):
    items = []
    code = """import json; print(json.dumps({"event": "item", "index": 3, "status": "done"}))"""
    panel.run.start(steps(code), lambda _: None, items=items.append)
    host.wait(lambda: not panel.run.runner.running)
    assert [(item.index, item.status) for item in items] == [(3, "done")]


def test_warnings_of_the_log_are_told_in_orange(host, panel):
    panel.run.start(steps("print('WARNING ImplantSegLib.inference.predict: unlike the training')"), lambda _: None)
    host.wait(lambda: not panel.run.runner.running)
    assert panel.run.ui.statusLabel.text.endswith(" Read the warnings in the log (1).")
    assert "b26a00" in panel.run.ui.statusLabel.styleSheet
    assert panel.run.ui.logText.toPlainText().splitlines()[-1] == "WARNING: unlike the training"
    panel.run.start(steps("print('fine')"), lambda _: None)
    host.wait(lambda: not panel.run.runner.running)
    assert "warnings" not in panel.run.ui.statusLabel.text
    assert panel.run.ui.statusLabel.styleSheet == ""


def test_the_log_tells_each_stage_once(host, panel):
    panel.run.start(steps(TELLS), lambda _: None)
    host.wait(lambda: not panel.run.runner.running)
    log = panel.run.ui.logText.toPlainText().splitlines()
    assert [line.split()[-1] for line in log].count("slices") == 1
