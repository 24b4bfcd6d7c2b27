"""Stand-in of ``slicer.parameterNodeWrapper``: typed parameters of a module, kept in the scene, bound to a form.

It has the part of Slicer's that the modules use, with its names, its way of storing and its errors: numbers, text,
paths, bool, enumerations, nodes, lists of these, and ``X | None``; validators and defaults in ``Annotated``; the
widgets of :mod:`host.parameternode.connectors`. It has no parameter packs, tuples, dictionaries and ``Any``; a
parameter of such a type is refused.
"""

from __future__ import annotations

from host.parameternode.connectors import (
    Decimals,
    GuiConnector,
    SingleStep,
    createGuiConnector,
    parameterNodeGuiConnector,
)
from host.parameternode.validators import (
    Choice,
    Default,
    Exclude,
    IsInstance,
    Maximum,
    Minimum,
    NotNone,
    Validator,
    WithinRange,
)
from host.parameternode.wrapper import (
    SlicerParameterNamePropertyName,
    findChildWidgetForParameter,
    isParameterNodeWrapper,
    parameterNodeWrapper,
)

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Exclude",
    "GuiConnector",
    "IsInstance",
    "Maximum",
    "Minimum",
    "NotNone",
    "SingleStep",
    "SlicerParameterNamePropertyName",
    "Validator",
    "WithinRange",
    "createGuiConnector",
    "findChildWidgetForParameter",
    "isParameterNodeWrapper",
    "parameterNodeGuiConnector",
    "parameterNodeWrapper",
]
