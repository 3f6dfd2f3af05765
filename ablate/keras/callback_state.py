"""The states of callbacks as plain values and arrays, which a backup holds without pickling anything."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

_NOT_STATE = {"_model", "_params", "model", "params", "validation_data"}
_COMPARISONS = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (keras.ops, np)
    for name in ("less", "less_equal", "greater", "greater_equal")
}
"""Functions that the callbacks of Keras choose when they first see what they monitor."""
_LARGEST_INT = 2**63  # beyond it JSON readers differ


class NotPlain(Exception):
    """A state that plain values and arrays cannot hold, or that does not fit the callback it is to be restored in."""


def stored_state(callback: Any, arrays: list[np.ndarray]) -> dict[str, Any] | None:
    """The state of a callback as values for JSON; None where it cannot be stored, as an open file cannot.

    Stored are None, truth values, numbers, texts and bytes, lists, tuples and dicts of them, NumPy's scalars and
    arrays, and the comparison that a callback of Keras has chosen. A function of the callback itself is left as it is
    in the new callback. The types are exact, and what is changed in one place and seen in another is refused: restored,
    it would be two.

    Args:
        callback: The callback.
        arrays: Takes the arrays of the state.
    """
    begin = len(arrays)
    encoder = _Encoder(arrays)
    try:
        return {
            name: _function(callback, value) or encoder.encode(value)
            for name, value in vars(callback).items()
            if name not in _NOT_STATE
        }
    except (NotPlain, RecursionError):
        del arrays[begin:]
        return None


def read_state(callback: Any, state: Any, arrays: Sequence[np.ndarray]) -> dict[str, Any]:
    """The attributes that a stored state sets in a callback.

    Args:
        callback: A new callback of the same configuration; it is not changed.
        state: What :func:`stored_state` returned.
        arrays: The arrays of the backup.

    Raises:
        NotPlain: If it is not the state of such a callback.
    """
    if not isinstance(state, dict):
        raise NotPlain("is no state of a callback")
    attributes: dict[str, Any] = {}
    for name, node in state.items():
        if name in _NOT_STATE:
            raise NotPlain(f"sets '{name}'")
        if isinstance(node, dict) and "function" in node:
            if _function(callback, vars(callback).get(name)) != node:
                raise NotPlain(f"has another function '{name}'")
        elif isinstance(node, dict) and "comparison" in node:
            attributes[name] = _COMPARISONS.get(str(node["comparison"]))
            if attributes[name] is None:
                raise NotPlain(f"has an unknown comparison '{name}'")
        else:
            attributes[name] = _decode(node, arrays)
    return attributes


def _function(callback: Any, value: Any) -> dict[str, str] | None:
    """What stands for a function that needs no state of its own; None for anything else."""
    for name, comparison in _COMPARISONS.items():
        if value is comparison:
            return {"comparison": name}
    if isinstance(value, types.MethodType):
        is_stateless = value.__self__ is callback
    elif isinstance(value, types.FunctionType):
        defaults = (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values())
        is_stateless = (
            not vars(value)
            and all(cell.cell_contents is callback for cell in value.__closure__ or ())
            and all(isinstance(default, str | int | float | None) for default in defaults)
        )
    else:
        return None
    if not is_stateless:
        raise NotPlain("a function with a state of its own")
    return {"function": f"{value.__module__}.{value.__qualname__}:{value.__code__.co_firstlineno}"}


class _Encoder:
    """Turns values into what JSON can hold; lists, tuples and the like become dicts of one key."""

    def __init__(self, arrays: list[np.ndarray]) -> None:
        self._arrays = arrays
        self._seen: set[int] = set()

    def encode(self, value: Any) -> Any:
        if value is None or type(value) in (bool, str, float):
            return value
        if type(value) is int:
            return value if abs(value) < _LARGEST_INT else {"int": hex(value)}
        if type(value) is bytes:
            return {"bytes": value.hex()}
        if type(value) is tuple:
            return {"tuple": [self.encode(item) for item in value]}
        if isinstance(value, np.generic):
            return {"scalar": self._store(np.asarray(value)), "type": value.dtype.name}
        if id(value) in self._seen:
            raise NotPlain("a value in two places")
        self._seen.add(id(value))
        if type(value) is list:
            return {"list": [self.encode(item) for item in value]}
        if type(value) is dict:
            return {"dict": [[self.encode(key), self.encode(item)] for key, item in value.items()]}
        if type(value) is np.ndarray:
            return {"array": self._store(value), "type": value.dtype.name}
        raise NotPlain(f"a {type(value).__name__}")

    def _store(self, array: np.ndarray) -> int:
        if array.dtype.kind not in "biufcSUmM" and not _is_narrow(array.dtype):
            raise NotPlain(f"an array of {array.dtype}")
        self._arrays.append(storable(array))
        return len(self._arrays) - 1


def _decode(node: Any, arrays: Sequence[np.ndarray]) -> Any:
    """The value that was encoded.

    Raises:
        NotPlain: If there is no such value.
    """
    if node is None or isinstance(node, bool | str | int | float):
        return node
    if not isinstance(node, dict) or not node:
        raise NotPlain("is damaged")
    kind, value = next(iter(node.items()))
    try:
        if kind == "int":
            return int(value, 16)
        if kind == "bytes":
            return bytes.fromhex(value)
        if kind in ("list", "tuple"):
            items = [_decode(item, arrays) for item in value]
            return items if kind == "list" else tuple(items)
        if kind == "dict":
            return {_decode(key, arrays): _decode(item, arrays) for key, item in value}
        if kind in ("array", "scalar"):
            array = np.array(arrays[value])  # a copy: a callback may change it in place
            array = array if array.dtype.name == node["type"] else array.astype(node["type"])
            return array if kind == "array" else array[()]
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise NotPlain("is damaged") from error
    raise NotPlain("is damaged")


def storable(array: np.ndarray) -> np.ndarray:
    """An array as NumPy can write and read it: bfloat16 and its like, which it cannot, in 32 bits, without loss."""
    return array.astype(np.float32) if _is_narrow(array.dtype) else array


def _is_narrow(dtype: np.dtype) -> bool:
    """Whether it is one of the types that NumPy knows only from another package."""
    return dtype.kind == "V" and dtype.name.startswith(("bfloat", "float", "int", "uint"))
