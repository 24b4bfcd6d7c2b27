"""Signals and slots with the manners of PythonQt: ``button.connect('clicked(bool)', slot)``.

A signal that does not exist is refused, a slot gets only as many arguments as it takes, and what it raises is
printed and otherwise lost. Here it is kept in ``host.errors`` too, which tests find empty.
"""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable
from typing import Any

from PySide6 import QtCore

from host.record import errors

_connections: dict[tuple[int, str], list[tuple[Any, Callable[..., None]]]] = {}


def collect(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Keep an exception that Qt would only print; made for ``sys.excepthook``."""
    errors.append("".join(traceback.format_exception(kind, error, trace)))
    sys.__excepthook__(kind, error, trace)


def fitted(slot: Callable[..., Any], sent: int) -> Callable[..., None]:
    """Wrap a slot so that it gets as many leading arguments of those ``sent`` as it takes, and never raises."""
    taken = _argument_count(slot)
    count = sent if taken is None else min(sent, taken)

    def call(*arguments: Any) -> None:
        try:
            slot(*arguments[:count])
        except Exception as error:  # noqa: BLE001 - as PythonQt does; the tests look at the list
            collect(type(error), error, error.__traceback__)

    return call


def _argument_count(slot: Callable[..., Any]) -> int | None:
    """Number of arguments by the code object, as PythonQt counts; None where it is not known or not bounded."""
    function = slot.__func__ if inspect.ismethod(slot) else slot
    if not inspect.isfunction(function) or function.__code__.co_flags & inspect.CO_VARARGS:
        return None
    return function.__code__.co_argcount - inspect.ismethod(slot)


def find(sender: QtCore.QObject, signature: str) -> QtCore.SignalInstance:
    """Give the signal with the signature ``clicked(bool)``.

    Raises
    ------
    AttributeError
        When the class has no such signal, or writes its arguments otherwise.
    """
    meta = sender.metaObject()
    if "(" not in signature:
        raise AttributeError(
            f"signal '{signature}' of {meta.className()}: write it with its arguments, 'clicked(bool)'"
        )
    wanted = bytes(QtCore.QMetaObject.normalizedSignature(signature).data()).decode()
    name, _, arguments = wanted[:-1].partition("(")
    spelled = getattr(type(sender), "SIGNALS", None)
    exists = meta.indexOfSignal(wanted) >= 0
    if spelled is not None and any(known.startswith(f"{name}(") for known in spelled):
        exists = wanted in spelled
    bound = getattr(sender, name, None)
    if not exists or not isinstance(bound, QtCore.SignalInstance):
        raise AttributeError(f"signal '{wanted}' does not exist on {meta.className()}")
    # a stand-in's signal of an MRML node is one of a Python object beneath
    return bound[arguments] if arguments and meta.indexOfSignal(wanted) >= 0 else bound


def connect(sender: QtCore.QObject, signature: str, receiver: Any, member: str | None = None) -> bool:
    """Connect a signal to a callable, or to the slot ``member`` of an object."""
    slot = receiver if member is None else getattr(receiver, member.partition("(")[0])
    arguments = signature.partition("(")[2].rstrip(")")
    call = fitted(slot, len(arguments.split(",")) if arguments.strip() else 0)
    find(sender, signature).connect(call)
    _connections.setdefault((id(sender), signature), []).append((slot, call))
    return True


def disconnect(sender: QtCore.QObject, signature: str, receiver: Any = None, member: str | None = None) -> bool:
    """Undo :func:`connect`; without a receiver, for all slots of the signal."""
    slot = receiver if member is None else getattr(receiver, member.partition("(")[0])
    connected = _connections.pop((id(sender), signature), [])
    ended = [pair for pair in connected if slot is None or pair[0] == slot]
    for _, call in ended:
        find(sender, signature).disconnect(call)
    kept = [pair for pair in connected if pair not in ended]
    if kept:
        _connections[id(sender), signature] = kept
    return bool(ended)


def forget(sender: QtCore.QObject) -> None:
    """Drop what is known of an object that is deleted: another one may get its id."""
    for key in [key for key in _connections if key[0] == id(sender)]:
        del _connections[key]
