"""Signals and slots of the host: who is called, with what, and where an exception ends up."""

import pytest


@pytest.fixture
def box(host):
    import qt

    return qt.QSpinBox()


def caught(host):
    """Give the one exception that a slot has raised, and forget it."""
    (trace,) = host.errors
    host.errors.clear()
    return trace


def test_a_slot_gets_what_it_takes(box):
    seen = []
    box.connect("valueChanged(int)", lambda: seen.append("none"))
    box.connect("valueChanged(int)", lambda value: seen.append(value + 1))
    box.connect("valueChanged(int)", lambda *values: seen.append(values))
    box.connect("valueChanged(int)", seen.append)
    box.value = 3
    assert seen == ["none", 4, (3,), 3]


def test_a_signal_without_arguments_sends_none(host):
    import qt

    button, seen = qt.QPushButton(), []
    button.connect("clicked()", lambda *sent: seen.append(sent))
    button.connect("clicked(bool)", lambda *sent: seen.append(sent))
    button.click()
    assert seen == [(), (False,)]


def test_disconnected_slots_are_silent(box):
    seen = []
    for slot in (seen.append, print):
        box.connect("valueChanged(int)", slot)
    assert box.disconnect("valueChanged(int)", seen.append)
    assert not box.disconnect("valueChanged(int)", seen.append)
    box.value = 1
    assert seen == []


def test_a_slot_can_be_named(host):
    import qt

    button, panel = qt.QPushButton(), qt.QWidget()
    button.checkable = True
    button.connect("toggled(bool)", panel, "setEnabled(bool)")
    button.checked = True
    button.checked = False
    assert panel.enabled is False


def test_exceptions_of_slots_are_kept(host, box, capsys):
    import qt
    import slicer
    import vtk

    def fail(*_):
        raise ValueError("lost in Slicer")

    box.connect("valueChanged(int)", fail)
    box.value = 1
    assert "lost in Slicer" in caught(host)
    box.valueChanged.connect(fail)
    box.disconnect("valueChanged(int)")
    box.value = 2
    assert "lost in Slicer" in caught(host)
    qt.QTimer.singleShot(0, fail)
    host.wait(lambda: host.errors, timeout_s=5)
    assert "lost in Slicer" in caught(host)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")
    node.AddObserver(vtk.vtkCommand.ModifiedEvent, fail)
    node.Modified()
    assert "lost in Slicer" in caught(host)
    capsys.readouterr()


def test_waiting_ends(host):
    with pytest.raises(TimeoutError, match="still waiting"):
        host.wait(lambda: False, timeout_s=0.05)


def test_timers_run_in_the_loop(host):
    import qt

    timer, ticks = qt.QTimer(), []
    timer.setInterval(1)
    timer.connect("timeout()", lambda: ticks.append(1))
    timer.start()
    host.wait(lambda: len(ticks) >= 3, timeout_s=5)
    timer.stop()
    assert timer.active is False
