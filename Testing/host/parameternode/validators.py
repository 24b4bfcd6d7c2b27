"""What may stand in ``Annotated`` beside the type of a parameter: conditions, and the default."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable
from typing import Annotated, Any, get_args

_MISSING = object()


class Validator(abc.ABC):
    """A condition that values have to meet."""

    @abc.abstractmethod
    def validate(self, value: Any) -> None:
        """Raise ``ValueError`` or ``TypeError`` where the value does not meet it."""


def is_validator(annotation: Any) -> bool:
    """Whether an annotation is a condition; a class whose ``validate`` is static is one too."""
    return isinstance(annotation, Validator) or (isinstance(annotation, type) and issubclass(annotation, Validator))


class NotNone(Validator):
    """There is a value."""

    def validate(self, value: Any) -> None:
        """Refuse None."""
        if value is None:
            raise ValueError("the value must not be None")


class IsInstance(Validator):
    """The value is of a class, or None."""

    def __init__(self, classtype: Any) -> None:
        self.classtype = classtype

    def validate(self, value: Any) -> None:
        """Refuse other classes."""
        if value is not None and not isinstance(value, self.classtype):
            raise TypeError(f"got {value!r} of type {type(value)}, wanted {self.classtype}")


class WithinRange(Validator):
    """The value lies between two bounds, or on one."""

    def __init__(self, minimum: Any, maximum: Any) -> None:
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value: Any) -> None:
        """Refuse values outside."""
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"got {value}, wanted a value from {self.minimum} to {self.maximum}")


class Minimum(Validator):
    """The value is at least this."""

    def __init__(self, minimum: Any) -> None:
        self.minimum = minimum

    def validate(self, value: Any) -> None:
        """Refuse smaller values."""
        if value < self.minimum:
            raise ValueError(f"got {value}, wanted at least {self.minimum}")


class Maximum(Validator):
    """The value is at most this."""

    def __init__(self, maximum: Any) -> None:
        self.maximum = maximum

    def validate(self, value: Any) -> None:
        """Refuse greater values."""
        if value > self.maximum:
            raise ValueError(f"got {value}, wanted at most {self.maximum}")


class Choice(Validator):
    """The value is one of these."""

    def __init__(self, choices: Iterable[Any]) -> None:
        self.choices = choices

    def validate(self, value: Any) -> None:
        """Refuse all others."""
        if value not in self.choices:
            raise ValueError(f"got {value!r}, wanted one of {self.choices}")


class Exclude(Validator):
    """The value is none of these."""

    def __init__(self, excludedValues: Iterable[Any]) -> None:
        self.excludedValues = excludedValues

    def validate(self, value: Any) -> None:
        """Refuse these."""
        if value in self.excludedValues:
            raise ValueError(f"got {value!r}, wanted none of {self.excludedValues}")


class Default:
    """The value of a parameter that was not set; a generator is called for each new node."""

    def __init__(self, value: Any = None, *, generator: Callable[[], Any] | None = None) -> None:
        self._value, self._generator = value, generator

    @property
    def value(self) -> Any:
        """The value."""
        return self._generator() if self._generator else self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Default) and vars(self) == vars(other)

    __hash__ = None


def split(datatype: Any) -> tuple[Any, tuple[Any, ...]]:
    """Separate a type from its annotations; a type without any has none."""
    bare, *annotations, _ = get_args(Annotated[datatype, _MISSING])
    return bare, tuple(annotations)


def first(annotations: Iterable[Any], cls: type) -> Any:
    """Give the first annotation of a class, None where there is none."""
    return next((annotation for annotation in annotations if isinstance(annotation, cls)), None)
