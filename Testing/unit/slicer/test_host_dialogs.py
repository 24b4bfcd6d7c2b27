"""Nothing in the host waits for a user: messages are kept, answers are prepared."""

import pytest


def test_messages_are_kept(host):
    import slicer

    slicer.util.errorDisplay("broken", detailedText="line 3")
    slicer.util.warningDisplay("careful")
    slicer.util.infoDisplay("done")
    slicer.util.delayDisplay("testing")
    slicer.util.showStatusMessage("working")
    assert [(message.kind, message.text, message.details) for message in host.displayed] == [
        ("error", "broken", "line 3"),
        ("warning", "careful", ""),
        ("info", "done", ""),
        ("delay", "testing", ""),
        ("status", "working", ""),
    ]


def test_exceptions_become_messages(host):
    import slicer

    # the exception goes on after its message; from a slot it ends in host.errors
    with pytest.raises(ValueError, match="no implant"), slicer.util.tryWithErrorDisplay("It failed.", waitCursor=True):
        raise ValueError("no implant")
    (message,) = host.displayed
    assert message.kind == "error"
    assert "It failed." in message.text
    assert "no implant" in message.text


@pytest.mark.parametrize("answer", [True, False])
def test_questions_are_answered(host, answer):
    import qt
    import slicer

    host.answers["confirm"] = answer
    assert slicer.util.confirmYesNoDisplay("delete?") is answer
    assert slicer.util.confirmOkCancelDisplay("go on?") is answer
    assert (qt.QMessageBox.question(None, "title", "sure?") == qt.QMessageBox.Yes) is answer
    assert [message.text for message in host.displayed] == ["delete?", "go on?", "sure?"]


def test_a_question_without_an_answer_is_an_error(host):
    import slicer

    with pytest.raises(LookupError, match="delete"):
        slicer.util.confirmYesNoDisplay("delete?")


def test_file_dialogs_give_a_path(host):
    import qt

    host.answers["getOpenFileName"] = "/scan.nrrd"
    host.answers["getSaveFileName"] = lambda title: f"/{title}.csv"
    assert qt.QFileDialog.getOpenFileName(None, "Scan", "", "*.nrrd") == "/scan.nrrd"
    assert qt.QFileDialog.getSaveFileName(None, "Table") == "/Table.csv"


def test_a_path_field_browses(host):
    import ctk

    field, seen = ctk.ctkPathLineEdit(), []
    field.connect("currentPathChanged(QString)", seen.append)
    host.answers["getExistingDirectory"] = "/models"
    field.filters = ctk.ctkPathLineEdit.Dirs
    field.browse()
    assert (field.currentPath, seen) == ("/models", ["/models"])


def test_a_path_field_tells_of_no_path_that_it_takes_for_invalid(host):
    import ctk

    field, seen, valid = ctk.ctkPathLineEdit(), [], []
    field.connect("currentPathChanged(QString)", seen.append)
    field.connect("validInputChanged(bool)", valid.append)
    field.currentPath = "a.ome.zarr"
    field.currentPath = ""
    field.nameFilters = ["Labels (*.nrrd *.ome.zarr)"]
    for path in ("b.ome.zarr", "b.nrr", "b.seg.nrrd"):
        field.currentPath = path
    assert seen == ["a.ome.zarr", "b.nrr", "b.seg.nrrd"]
    assert valid == [True, False, True]


def test_packages_are_not_installed_but_kept(host):
    import slicer

    ensure = slicer.packaging.pip_ensure
    ensure(["numpy>=1.0", "absent-package>=1; python_version < '3'"])
    host.answers["confirm"] = False
    with pytest.raises(RuntimeError, match="declined"):
        ensure("absent-package>=2", requester="ImplantSeg")
    host.answers["confirm"] = True
    assert ensure("absent-package>=2", requester="ImplantSeg") is None
    assert slicer.packaging.installed == ["absent-package>=2"]
    assert slicer.packaging.pip_check("absent-package>=2")
    assert len(host.displayed) == 2


def test_web_pages_are_not_opened(host):
    import qt

    qt.QDesktopServices.openUrl(qt.QUrl("https://example.org/"))
    assert [str(message) for message in host.displayed] == ["url: https://example.org/"]
