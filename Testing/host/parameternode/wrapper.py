"""The decorator ``parameterNodeWrapper``: it makes the annotations of a class into typed parameters of a node."""

from __future__ import annotations

import logging
import typing
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import slicer
import vtk

from host.parameternode import connectors, serializers
from host.parameternode.serializers import Serializer
from host.parameternode.validators import Default, first, is_validator, split

SlicerParameterNamePropertyName = "SlicerParameterName"


@dataclass(frozen=True)
class ParameterInfo:
    """What the class says about a parameter."""

    basename: str
    serializer: Serializer
    default: Default
    unalteredType: Any


class Store:
    """The parameters of one node, with the values that were read last."""

    def __init__(self, node: Any, parameters: dict[str, ParameterInfo], prefix: str) -> None:
        self._node, self._parameters, self._prefix = node, parameters, prefix
        self._cache: dict[str, Any] = {}
        for name, parameter in parameters.items():
            if not parameter.serializer.is_in(node, prefix + name):
                parameter.serializer.write(node, prefix + name, parameter.default.value)
        for name in [name for name, parameter in parameters.items() if parameter.serializer.cached]:
            self._cache[name] = self._load(name)
            self._follow(name)

    def _follow(self, name: str) -> None:
        """Read a parameter again when the node has changed.

        Each has an observer of its own, as in Slicer. VTK calls the first observer of an object last: after a change
        that was not made through the wrapper, other observers see the class's first parameter as it was before.
        """
        # a strong reference here would keep the store alive as long as the node
        this = weakref.ref(self)
        tag = self._node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: this() and this()._renew(name))
        weakref.finalize(self, self._node.RemoveObserver, tag)

    def _renew(self, name: str) -> None:
        self._cache[name] = self._load(name)

    def _load(self, name: str) -> Any:
        # what was taken out of the node comes back with its default
        info, key = self._parameters[name], self._prefix + name
        if not info.serializer.is_in(self._node, key):
            info.serializer.write(self._node, key, info.default.value)
        return info.serializer.read(self._node, key)

    def read(self, name: str) -> Any:
        """Give a value."""
        return self._cache[name] if name in self._cache else self._load(name)

    def write(self, name: str, value: Any) -> None:
        """Store a value; whoever watches the node sees it already changed."""
        info = self._parameters[name]
        with slicer.util.NodeModify(self._node):
            info.serializer.write(self._node, self._prefix + name, value)
            if info.serializer.cached:
                self._cache[name] = self._load(name)


class Wrapper:
    """The methods that every decorated class gets."""

    allParameters: dict[str, ParameterInfo] = {}

    def _start(self, parameterNode: Any, prefix: str | None = None) -> None:
        self.parameterNode = parameterNode
        self._store = Store(parameterNode, self.allParameters, prefix or "")
        self._connected: dict[int, tuple[dict[str, Any], int]] = {}
        self._next_tag = 0
        self._updating = False

    @classmethod
    def _check_name(cls, name: str) -> ParameterInfo:
        if name not in cls.allParameters:
            raise ValueError(f"Cannot find a param with the given name: {name}; there are {[*cls.allParameters]}")
        return cls.allParameters[name]

    @classmethod
    def dataType(cls, name: str) -> Any:
        """Give the type of a parameter, with its annotations."""
        return cls._check_name(name).unalteredType

    def default(self, name: str) -> Default:
        """Give the default of a parameter."""
        return self._check_name(name).default

    def isCached(self, name: str) -> bool:
        """Whether reading a parameter costs nothing."""
        return self._check_name(name).serializer.cached

    def getValue(self, name: str) -> Any:
        """Give the value of a parameter."""
        self._check_name(name)
        return self._store.read(name)

    def setValue(self, name: str, value: Any) -> None:
        """Change the value of a parameter."""
        self._check_name(name)
        self._store.write(name, value)

    def connectGui(self, gui: Any) -> int:
        """Bind the widgets that have the dynamic property ``SlicerParameterName``; give a tag to undo it."""
        import qt

        is_widget = getattr(gui, "isWidgetType", lambda: False)()
        widgets = gui.findChildren(qt.QWidget) if is_widget else vars(gui).values()
        named = {widget.property(SlicerParameterNamePropertyName): widget for widget in widgets}
        return self.connectParametersToGui({name: widget for name, widget in named.items() if name})

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        """Bind widgets, or connectors, to parameters by their names; give a tag to undo it."""
        for name in mapping:
            self._check_name(name)
        made = {name: self._connector(name, widget) for name, widget in mapping.items()}
        for name, connector in made.items():
            connector.write(self.getValue(name))
            connector.onChanged(self._reader(name, connector))
        observer = self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: self._update_gui())
        tag, self._next_tag = self._next_tag, self._next_tag + 1
        self._connected[tag] = (made, observer)
        return tag

    def _connector(self, name: str, widget: Any) -> Any:
        if isinstance(widget, connectors.GuiConnector):
            return widget
        return connectors.createGuiConnector(widget, self.dataType(name))

    def _reader(self, name: str, connector: Any) -> Callable[[], None]:
        def read() -> None:
            if not self._updating:
                self.setValue(name, connector.read())

        return read

    def _update_gui(self) -> None:
        if self._updating:
            return
        self._updating = True
        try:
            with slicer.util.NodeModify(self):
                for made, _ in list(self._connected.values()):
                    for name, connector in made.items():
                        connector.write(self.getValue(name))
        finally:
            self._updating = False

    def disconnectGui(self, tag: int) -> None:
        """Undo :meth:`connectGui`; a tag that is not known is ignored, as in Slicer."""
        made, observer = self._connected.pop(tag, ({}, None))
        for connector in made.values():
            connector.onChanged(None)
        if observer is not None:
            self.RemoveObserver(observer)

    def StartModify(self) -> int:
        """Begin a group of changes that tells of itself once."""
        return self.parameterNode.StartModify()

    def EndModify(self, was: int) -> int:
        """End the group."""
        return self.parameterNode.EndModify(was)

    def AddObserver(self, event: Any, callback: Any, priority: float = 0.0) -> int:
        """Watch the node."""
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        """Watch it no more."""
        self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> None:
        """Tell whoever watches that the node has changed."""
        self.parameterNode.Modified()


def _parameter(cls: type, name: str, datatype: Any) -> ParameterInfo:
    try:
        serializer = serializers.create(datatype)
    except Exception as error:
        raise TypeError(f"Unable to create serializer for {cls} member {name}") from error
    annotations = split(datatype)[1]
    default = Default(getattr(cls, name)) if hasattr(cls, name) else first(annotations, Default)
    unused = [found for found in annotations if not (is_validator(found) or isinstance(found, Default))]
    if unused:
        logging.warning("Unused annotations: %s", unused)
    return ParameterInfo(name, serializer, default or Default(generator=_fresh(serializer.default)), datatype)


def _fresh(default: Any) -> Callable[[], Any]:
    """Give a new list each time, and any other value as it is."""
    return lambda: list(default) if isinstance(default, list) else default


def _property(name: str) -> property:
    return property(lambda self: self._store.read(name), lambda self, value: self._store.write(name, value))


def _decorate(cls: type) -> type:
    parameters = {}
    for name, datatype in typing.get_type_hints(cls, include_extras=True).items():
        parameters[name] = _parameter(cls, name, datatype)
        setattr(cls, name, _property(name))
    for name, member in vars(Wrapper).items():
        if name.startswith("__") or name == "_start":
            continue
        if hasattr(cls, name):
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
        setattr(cls, name, member)
    cls.allParameters = parameters
    cls.__init__ = Wrapper._start
    cls._is_parameter_node_wrapper = True
    return cls


def parameterNodeWrapper(cls: type | None = None) -> Any:
    """Make a class into one of typed parameters; with or without brackets."""
    return _decorate if cls is None else _decorate(cls)


def isParameterNodeWrapper(found: Any) -> bool:
    """Whether a class, or an object, was made by :func:`parameterNodeWrapper`."""
    return getattr(found, "_is_parameter_node_wrapper", False)


def findChildWidgetForParameter(widget: Any, name: str) -> Any:
    """Give the widget of a form that shows a parameter, None where there is none."""
    import qt

    children = widget.findChildren(qt.QWidget)
    return next((child for child in children if child.property(SlicerParameterNamePropertyName) == name), None)
