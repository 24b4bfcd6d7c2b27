"""One part of a module's panel: a form from a ``.ui`` file, and what its widgets do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer

from ImplantSegLib.errors import ImplantSegError
from ImplantSegLib.inslicer import wording

if TYPE_CHECKING:
    from ImplantSegLib.inslicer.panel import Panel


BAD_COLOUR = "#c62828"
"""Colour of what hinders."""

WARNING_COLOUR = "#b26a00"
"""Colour of what a user should know: orange that is dark enough to be read on white."""

ERROR_STYLE = f"color: {BAD_COLOUR}; font-weight: bold"
WARNING_STYLE = f"color: {WARNING_COLOUR}; font-weight: bold"


class Section:
    """A form and its behaviour.

    A section reads and writes the parameters of the panel and starts commands; it computes nothing. Widgets that
    carry the dynamic property ``SlicerParameterName`` are tied to the parameter of that name by the panel.

    Parameters
    ----------
    panel : Panel
        The panel that the section is a part of.
    """

    FORM = ""
    """Name of the ``.ui`` file."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.form = slicer.util.loadUI(str(self.forms() / self.FORM))
        self.form.setMRMLScene(slicer.mrmlScene)
        self.ui = slicer.util.childWidgetVariables(self.form)
        for widget in vars(self.ui).values():
            if widget.className() == "ctkPathLineEdit" and widget.property("SlicerParameterName"):
                self._let_clear(widget)

    def _let_clear(self, field: Any) -> None:
        """Clear the parameter of a path field that is cleared; the field itself tells the parameter of paths alone."""
        name = field.property("SlicerParameterName")

        def on_validity(valid: bool) -> None:
            if not valid and not field.currentPath and self.parameters is not None:
                setattr(self.parameters, name, Path())

        field.connect("validInputChanged(bool)", on_validity)

    @staticmethod
    def forms() -> Path:
        """Folder of the forms: beside the library, in the source tree as in Slicer's flat folder."""
        import ImplantSegLib

        return Path(ImplantSegLib.__path__[0]).parent / "Resources" / "UI"

    @property
    def parameters(self) -> Any:
        """The wrapped parameter node; ``None`` while the scene is closed or another module is shown."""
        return self.panel.parameters

    def refresh(self) -> None:
        """Show what follows from the parameters; called after every change, never without parameters."""

    def problems(self) -> list[str]:
        """Tell why a run cannot start, one sentence each; nothing where it can."""
        return []

    def entered(self) -> None:
        """Look again at what other modules may have changed, because this module is shown again."""

    def close(self) -> None:
        """End what goes on, because the panel goes away or the scene is closed."""

    def scene_closed(self) -> None:
        """Tell what the closing of the scene has ended, now that the scene is empty."""


@contextmanager
def telling(what: str, wait_cursor: bool = False) -> Iterator[None]:
    """Show in one message what goes wrong inside: a user's mistake as its sentence, a bug with its traceback.

    Parameters
    ----------
    what : str
        What did not work, a sentence.
    wait_cursor : bool
        Whether the cursor tells that it takes a while.
    """
    refused = None
    with slicer.util.tryWithErrorDisplay(what, waitCursor=wait_cursor):
        try:
            yield
        except ImplantSegError as error:
            refused = sentence(error.message, error.remedy)
    if refused is not None:  # told when the cursor is as usual again
        slicer.util.errorDisplay(f"{what}\n\n{refused}")


def sentence(message: str, remedy: str = "") -> str:
    """Join what went wrong and what to do about it as sentences for a message box or a label."""
    return wording.sentence(message, remedy, slicer.app.temporaryPath)
