"""Objects by dotted path, as the configuration names functions and classes, and registries of named values."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TypeVar

from ablate.characters import folded, printable
from ablate.errors import ConfigError, suggestion


def load_object(path: object, key: str = "", example: str = "my_package.module.function") -> Any:
    """The object that a dotted path names.

    Args:
        path: Such as ``"my_package.nets.make"``; attributes of classes may follow the module.
        key: The configuration key that holds the path, for the message.
        example: What a path looks like here, for the message.

    Raises:
        ConfigError: If the path has the wrong form, its module cannot be imported, or the module lacks the object; the
            message names the nearest object.

    Example:
        >>> load_object("os.path.join")("a", "b")
        'a/b'
        >>> load_object("os.path.joi", "task")
        Traceback (most recent call last):
        ablate.errors.ConfigError: task=os.path.joi: module 'os.path' has no 'joi'. Did you mean 'join'?
    """
    place = f"{key}={path}" if key else f"'{path}'"
    parts = path.split(".") if isinstance(path, str) else []
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise ConfigError(f"{place}: must be a dotted path, such as {example}.")
    names = parts[:-1]  # the last part is never a module
    while names:
        module = ".".join(names)
        try:
            found: Any = importlib.import_module(module)
            break
        except ModuleNotFoundError as error:
            # The rest of the path may be a class within a module; a module that lacks another one is at fault itself.
            missing = error.name or ""
            if len(names) == 1 or not (f"{module}.".startswith(f"{missing}.")):
                raise ConfigError(f"{place}: module '{module}' cannot be imported: {error}.") from error
            names.pop()
        except Exception as error:
            raise ConfigError(
                f"{place}: module '{module}' cannot be imported: {type(error).__name__}: {error}."
            ) from error
    for index in range(len(names), len(parts)):
        owner, attribute = ".".join(parts[:index]), parts[index]
        if not hasattr(found, attribute):
            kind = "module " if index == len(names) else ""
            raise ConfigError(f"{place}: {kind}'{owner}' has no '{attribute}'.{suggestion(attribute, vars(found))}")
        found = getattr(found, attribute)
    return found


class Named(Protocol):
    """What a registry holds."""

    @property
    def name(self) -> str:
        """What the value is called."""
        ...


Value = TypeVar("Value", bound=Named)


class Registry(Mapping[str, Value]):
    """Values by their names, in the order in which they were registered.

    Args:
        kind: What a value is, for messages: ``"design"``.
        group: Entry-point group of packages that bring values of their own. They are loaded when a name is looked up
            that is not known otherwise, so that a command that needs none of them does not pay for the search.

    Example:
        >>> from types import SimpleNamespace
        >>> shapes: Registry[SimpleNamespace] = Registry("shape")
        >>> shapes.register(SimpleNamespace(name="circle", corners=0)).corners
        0
        >>> list(shapes), "square" in shapes
        (['circle'], False)
    """

    def __init__(self, kind: str, group: str = "") -> None:
        self._kind, self._group = kind, group
        self._values: dict[str, Value] = {}

    def register(self, value: Value) -> Value:
        """Add a value under its name.

        Returns:
            The value, so that the call can stand around its definition.

        Raises:
            ConfigError: If another value has that name, or one that differs from it by case or Unicode form alone.
        """
        # Names are those of files too.
        name = next((name for name in self._values if folded(name) == folded(value.name)), value.name)
        if name != value.name or self._values.get(name, value) != value:
            raise ConfigError(f"There is a {self._kind} '{name}' already; give yours another name.")
        self._values[value.name] = value
        return value

    def unregister(self, name: str) -> None:
        """Remove the value of that name, if there is one."""
        self._values.pop(name, None)

    def __getitem__(self, name: str) -> Value:
        if name not in self._values and self._group:
            self._load_entry_points()
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def _load_entry_points(self) -> None:
        from importlib.metadata import entry_points

        group, self._group = self._group, ""
        for entry in entry_points(group=group):
            # Somebody else's package must not keep this one from working.
            try:
                self.register(entry.load())
            except Exception as error:
                message = f"The {self._kind} '{entry.name}' of {entry.value} is left out: {error}"
                warnings.warn(printable(message), stacklevel=3)
