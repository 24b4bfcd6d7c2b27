"""How values stand in a ``vtkMRMLScriptedModuleNode``: as text, and nodes as references, under Slicer's own names."""

from __future__ import annotations

import enum
import pathlib
import types
import typing
from collections.abc import Callable, Iterable, MutableSequence
from typing import Any

import slicer

from host.parameternode.validators import IsInstance, NotNone, Validator, is_validator, split


class Serializer:
    """A value that is one text; the base of the others.

    Parameters
    ----------
    kinds : tuple of type
        Types that it stores; in a union a value goes to the first part of its own type.
    default : object
        Value of a parameter that has none.
    validators : iterable of Validator
        What every value has to meet.
    to_text, from_text : callable
        From a value to its text and back.
    """

    cached = True
    """Whether a read may give the value of the last write."""

    def __init__(
        self,
        kinds: tuple[type, ...],
        default: Any,
        validators: Iterable[Validator],
        to_text: Callable[[Any], str] = str,
        from_text: Callable[[str], Any] = str,
    ) -> None:
        self.kinds, self.default, self.validators = kinds, default, list(validators)
        self._to_text, self._from_text = to_text, from_text

    def suits(self, value: Any) -> bool:
        """Whether a value is of a type that is stored here; True is no number."""
        return type(value) in self.kinds

    def validate(self, value: Any) -> None:
        """Check a value against all conditions."""
        for validator in self.validators:
            validator.validate(value)

    def is_in(self, node: Any, name: str) -> bool:
        """Whether the node has the parameter."""
        return bool(node.HasParameter(name))

    def write(self, node: Any, name: str, value: Any) -> None:
        """Check and store a value."""
        self.validate(value)
        node.SetParameter(name, self._to_text(value))

    def read(self, node: Any, name: str) -> Any:
        """Give the stored value."""
        return self._from_text(node.GetParameter(name))

    def remove(self, node: Any, name: str) -> None:
        """Drop the stored value."""
        node.UnsetParameter(name)


class NodeSerializer(Serializer):
    """A node of the scene; an empty text beside the reference tells that None was meant."""

    def suits(self, value: Any) -> bool:
        """Whether a value is a node of any class."""
        return isinstance(value, slicer.vtkMRMLNode)

    def write(self, node: Any, name: str, value: Any) -> None:
        """Check and store a node, or None."""
        self.validate(value)
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node: Any, name: str) -> Any:
        """Give the node, None where it is gone."""
        return node.GetNodeReference(name)

    def remove(self, node: Any, name: str) -> None:
        """Drop the reference."""
        node.UnsetParameter(name)
        node.RemoveNodeReferenceIDs(name)


class NoneSerializer(Serializer):
    """The value None, as the second part of ``X | None``."""

    def __init__(self) -> None:
        super().__init__((type(None),), None, [], lambda value: "True", lambda text: None)


class UnionSerializer(Serializer):
    """A value of one of some types; it stands under ``name.N``, with the place of its type."""

    def __init__(self, parts: list[Serializer]) -> None:
        optional = len(parts) == 2 and isinstance(parts[1], NoneSerializer)
        super().__init__((), None if optional else parts[0].default, [])
        self._parts = parts
        self.cached = all(part.cached for part in parts)

    def _stored(self, node: Any, name: str) -> tuple[Serializer, str] | None:
        places = ((part, f"{name}.{place}") for place, part in enumerate(self._parts))
        return next(((part, key) for part, key in places if part.is_in(node, key)), None)

    def is_in(self, node: Any, name: str) -> bool:
        """Whether a value of any of the types is there."""
        return self._stored(node, name) is not None

    def write(self, node: Any, name: str, value: Any) -> None:
        """Store a value under the first of its types whose conditions it meets."""
        self.validate(value)
        place = self._place(value)
        with slicer.util.NodeModify(node):
            self.remove(node, name)
            self._parts[place].write(node, f"{name}.{place}", value)

    def _place(self, value: Any) -> int:
        refusal: Exception | None = None
        for place, part in enumerate(self._parts):
            if part.suits(value):
                try:
                    part.validate(value)
                except (TypeError, ValueError) as error:
                    refusal = error
                else:
                    return place
        raise refusal or TypeError(f"Unable to write value '{value}' of type '{type(value)}'")

    def read(self, node: Any, name: str) -> Any:
        """Give the stored value."""
        part, key = self._stored(node, name)
        return part.read(node, key)

    def remove(self, node: Any, name: str) -> None:
        """Drop the stored value, whatever its type."""
        for place, part in enumerate(self._parts):
            part.remove(node, f"{name}.{place}")


def _storing(name: str) -> Callable[..., Any]:
    """Give a method that changes a list and stores it at once."""

    def change(self: ObservedList, *arguments: Any, **options: Any) -> Any:
        result = getattr(self._values, name)(*arguments, **options)
        self._values = self._store(self._values)
        return self if name in ("__iadd__", "__imul__") else result

    return change


class ObservedList(MutableSequence):
    """A list that stores itself in the node whenever it changes; what cannot be stored is not in it afterwards."""

    def __init__(self, values: list[Any], store: Callable[[list[Any]], list[Any]]) -> None:
        self._values, self._store = values, store

    __setitem__, __delitem__ = _storing("__setitem__"), _storing("__delitem__")
    __iadd__, __imul__ = _storing("__iadd__"), _storing("__imul__")
    append, extend, insert = _storing("append"), _storing("extend"), _storing("insert")
    remove, pop, clear = _storing("remove"), _storing("pop"), _storing("clear")
    sort, reverse = _storing("sort"), _storing("reverse")

    def __getitem__(self, index: Any) -> Any:
        return self._values[index]

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return self._values == (other._values if isinstance(other, ObservedList) else other)

    __hash__ = None

    def __repr__(self) -> str:
        return f"ObservedList({self._values})"


class ListSerializer(Serializer):
    """Values of one type: ``name.len``, and each under ``name.N``."""

    def __init__(self, element: Serializer, validators: Iterable[Validator]) -> None:
        super().__init__((list, ObservedList), [], validators)
        self._element, self.cached = element, element.cached

    def is_in(self, node: Any, name: str) -> bool:
        """Whether a list is there, be it empty."""
        return bool(node.HasParameter(f"{name}.len"))

    def write(self, node: Any, name: str, value: Any) -> None:
        """Store a list; all of it is checked first."""
        self.validate(value)
        values = list(value)
        for item in values:
            self._element.validate(item)
        with slicer.util.NodeModify(node):
            self.remove(node, name)
            node.SetParameter(f"{name}.len", str(len(values)))
            for place, item in enumerate(values):
                self._element.write(node, f"{name}.{place}", item)

    def read(self, node: Any, name: str) -> ObservedList:
        """Give the list."""

        def store(changed: list[Any]) -> list[Any]:
            values[:] = changed
            try:
                self.write(node, name, values)
            finally:
                values[:] = self._load(node, name)
            return values

        values = self._load(node, name)
        return ObservedList(values, store)

    def _load(self, node: Any, name: str) -> list[Any]:
        return [self._element.read(node, f"{name}.{place}") for place in range(self._length(node, name))]

    def remove(self, node: Any, name: str) -> None:
        """Drop the list."""
        with slicer.util.NodeModify(node):
            for place in range(self._length(node, name)):
                self._element.remove(node, f"{name}.{place}")
            node.UnsetParameter(f"{name}.len")

    def _length(self, node: Any, name: str) -> int:
        return int(node.GetParameter(f"{name}.len")) if self.is_in(node, name) else 0


def create(datatype: Any) -> Serializer:
    """Make the serializer of a type that may be annotated; annotations that are no conditions are left out.

    Raises
    ------
    TypeError
        For a type that the host, or Slicer, cannot store.
    """
    bare, annotations = split(datatype)
    serializer = _create(bare)
    serializer.validators += [annotation for annotation in annotations if is_validator(annotation)]
    return serializer


def _create(bare: Any) -> Serializer:
    if typing.get_origin(bare) in (typing.Union, types.UnionType):
        return UnionSerializer([create(part) for part in typing.get_args(bare)])
    if typing.get_origin(bare) is list:
        return ListSerializer(create(*typing.get_args(bare)), [NotNone()])
    if bare is type(None):
        return NoneSerializer()
    if bare in _TEXTS:
        default, accepted, to_text, from_text = _TEXTS[bare]
        kinds = (int, float) if bare in (int, float) else (bare, type(default))
        return Serializer(kinds, default, [NotNone(), IsInstance(accepted)], to_text, from_text)
    if isinstance(bare, type) and issubclass(bare, slicer.vtkMRMLNode):
        return NodeSerializer((bare,), None, [IsInstance(bare)])
    if isinstance(bare, type) and issubclass(bare, enum.Enum):
        checks = [NotNone(), IsInstance(bare)]
        return Serializer((bare,), next(iter(bare)), checks, lambda value: value.name, bare.__getitem__)
    raise TypeError(f"the host stores no parameter of type {bare}")


_PATHS = (pathlib.Path, pathlib.PurePath, pathlib.PurePosixPath, pathlib.PureWindowsPath, type(pathlib.Path()))
_TEXTS: dict[type, tuple[Any, Any, Callable[[Any], str], Callable[[str], Any]]] = {
    int: (0, int, str, int),
    float: (0, (int, float), str, float),
    str: ("", str, str, str),
    bool: (False, bool, lambda value: "True" if value else "False", lambda text: text == "True"),
    **{path: (path(), path, str, path) for path in _PATHS},
}
"""Type → default, accepted types, text of a value, value of a text."""
