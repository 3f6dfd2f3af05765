"""Objects by dotted path: how the configuration names functions and classes."""

from __future__ import annotations

import importlib
from typing import Any

from ablate.errors import ConfigError, suggestion

__all__ = ["load_object"]


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
