"""Networks from a function of the user."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import keras

from ablate.errors import NetworkError, suggestion
from ablate.keras.models.naming import with_fresh_names

__all__ = ["built_by", "found_builder"]


def found_builder(path: str) -> Callable[..., Any]:
    """The function at a dotted path.

    Args:
        path: ``"my_package.nets.make"``.

    Raises:
        NetworkError: If the module cannot be imported, or has no such function.
    """
    module_name, _, name = path.rpartition(".")
    if not module_name or not all(part.isidentifier() for part in path.split(".")):
        raise NetworkError(
            f"model.builder={path}: must be the dotted path of a function, such as my_package.nets.make."
        )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise NetworkError(f"model.builder={path}: module '{module_name}' cannot be imported: {error}.") from error
        raise NetworkError(
            f"model.builder={path}: there is no module '{error.name}', "
            "neither in the working folder nor among the installed packages."
        ) from error
    except Exception as error:
        raise NetworkError(
            f"model.builder={path}: module '{module_name}' cannot be imported: {type(error).__name__}: {error}"
        ) from error
    functions = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
    if not callable(getattr(module, name, None)):
        raise NetworkError(
            f"model.builder={path}: module '{module_name}' has no function '{name}'.{suggestion(name, functions)}"
        )
    found: Callable[..., Any] = getattr(module, name)
    return found


def built_by(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    builder: str,
    args: Mapping[str, Any] | None = None,
) -> Any:
    """The network that a user's function builds.

    Args:
        input_shape: Height, width, channels of an image; passed on if the function has an argument of this name.
        classes: Number of classes; likewise.
        builder: Dotted path of the function.
        args: Its further arguments; they win over the two above.

    Returns:
        The Keras model that the function returned.

    Raises:
        NetworkError: If the function cannot be found, does not take the arguments, fails, or returns no Keras model.
    """
    function = found_builder(builder)
    given = dict(args or {})
    parameters = inspect.signature(function).parameters
    named = [name for name, one in parameters.items() if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    automatic = {"input_shape": input_shape, "classes": classes}
    call = {**{name: value for name, value in automatic.items() if name in named or takes_any}, **given}
    faults = [
        f"model.args.{name}: {builder} takes no argument '{name}'. "
        f"It takes: {', '.join(named) or 'none'}.{suggestion(name, named)}"
        for name in given
        if name not in named and not takes_any
    ]
    faults += [
        f"{builder} needs an argument '{name}': give model.args.{name}."
        for name in named
        if parameters[name].default is inspect.Parameter.empty and name not in call
    ]
    if faults:
        raise NetworkError("\n".join(faults))
    try:
        model = with_fresh_names(lambda: function(**call))
    except NetworkError:
        raise
    except Exception as error:
        raise NetworkError(f"model.builder={builder} failed: {type(error).__name__}: {error}") from error
    if not isinstance(model, keras.Model):
        raise NetworkError(f"model.builder={builder} must return a Keras model, not {type(model).__name__}.")
    return model
