"""The host is as strict as PythonQt: what would fail in Slicer fails here."""

import pytest


@pytest.fixture
def button(host):
    import qt

    return qt.QPushButton("Apply")


def test_properties_are_attributes(button):
    button.enabled = False
    assert button.enabled is False
    assert button.text == "Apply"
    with pytest.raises(TypeError, match="not callable"):
        button.text()


def test_unknown_attributes_are_refused(button):
    with pytest.raises(AttributeError, match="'enable' does not exist"):
        button.enable = True


def test_unknown_signals_are_refused(button):
    for wrong in ("pressed_down()", "clicked", "clicked(QString)"):
        with pytest.raises(AttributeError, match="signal"):
            button.connect(wrong, print)


@pytest.mark.parametrize(("name", "value"), [("text", None), ("text", 5), ("enabled", "yes"), ("enabled", None)])
def test_wrong_types_are_refused(button, name, value):
    with pytest.raises(TypeError, match=name):
        setattr(button, name, value)
