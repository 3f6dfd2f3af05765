"""Values pickled once and copied many times, without harm to the classes of a user's script.

What is defined in ``__main__``, or made on the fly, other processes cannot import, so cloudpickle sends it by value.
But unpickled in the process that has it already, such a class is overwritten: its methods get other global variables,
and a dataclass loses its fields. So copies within a process refer to the classes that are there.
"""

from __future__ import annotations

import copyreg
import dataclasses
import functools
import io
import operator
import pickle
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

import cloudpickle


class PickledValue:
    """A value in pickled form.

    Sent to another process it takes classes that cannot be imported there along, in one pickle with whatever refers to
    them as well (the task, say), so that they are the same classes for all of it.

    Args:
        value: What to copy; later changes of it do not reach the copies.

    Example:
        >>> source = PickledValue({"width": [8, 16]})
        >>> source.copy()["width"].append(32)
        >>> source.copy()
        {'width': [8, 16]}
    """

    def __init__(self, value: Any) -> None:
        buffer = io.BytesIO()
        pickler = _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL)
        pickler.dump(value)
        self._data = buffer.getvalue()
        self._local = pickler.objects

    def copy(self) -> Any:
        """A new copy."""
        if not self._local:
            return pickle.loads(self._data)
        return _Unpickler(io.BytesIO(self._data), self._local).load()

    def __reduce__(self) -> tuple[Callable[..., PickledValue], tuple[Any, ...]]:
        """Bytes as they are where any process can read them, which costs nothing; otherwise the value itself."""
        return (PickledValue, (self.copy(),)) if self._local else (_from_data, (self._data,))


def _from_data(data: bytes) -> PickledValue:
    pickled = PickledValue.__new__(PickledValue)
    pickled._data, pickled._local = data, []
    return pickled


class _Pickler(cloudpickle.CloudPickler):  # type: ignore[misc]
    """Refers to classes and functions that cannot be imported by their places in a list."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.objects: list[Any] = []
        self._places: dict[int, int | None] = {}

    def persistent_id(self, obj: Any) -> int | None:
        """Place of an object in the list; None for what is pickled as usual."""
        if not isinstance(obj, type | FunctionType | ModuleType):
            return None
        if id(obj) not in self._places:
            is_global = not isinstance(obj, ModuleType) and _is_importable(obj)
            self._places[id(obj)] = None if is_global else len(self.objects)
            if not is_global:
                self.objects.append(obj)
        return self._places[id(obj)]


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, objects: list[Any]) -> None:
        super().__init__(file)
        self._objects = objects

    def persistent_load(self, pid: int) -> Any:
        """The object in a place of the list."""
        return self._objects[pid]


def _is_importable(obj: Any) -> bool:
    """Whether another process finds a class or function where it says that it is."""
    module, name = getattr(obj, "__module__", None), getattr(obj, "__qualname__", "")
    if module in (None, "__main__") or "<locals>" in name:
        return obj is type(None)
    try:
        return functools.reduce(getattr, name.split("."), sys.modules[module]) is obj
    except (KeyError, AttributeError):
        return False


def _keep_sentinels() -> None:
    """Have what stands for "no default" in a dataclass pickled by name: code asks whether it is the very object.

    cloudpickle before version 3.1 makes new ones when it sends a dataclass by value, which then has no fields.
    """
    for name in ("MISSING", "KW_ONLY", "_HAS_DEFAULT_FACTORY"):
        if (sentinel := getattr(dataclasses, name, None)) is not None:
            copyreg.pickle(type(sentinel), functools.partial(_global_name, name))
    if (kind := getattr(dataclasses, "_FIELD_BASE", None)) is not None:
        copyreg.pickle(kind, operator.attrgetter("name"))


def _global_name(name: str, sentinel: object) -> str:
    return name


_keep_sentinels()
