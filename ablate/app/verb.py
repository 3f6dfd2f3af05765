"""What a verb of the command line is: a value that says how it is called, and the function that does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.errors import ConfigError, suggestion

__all__ = ["Key", "Option", "Verb", "parse"]

Key = tuple[str, str]
"""A key with its default, as it is typed, and what it does: a line of a help page."""


@dataclass(frozen=True)
class Option:
    """An option such as ``--width icml``; the verb's function takes its value by the name without dashes.

    Args:
        name: With its dashes.
        description: What it does, in one line.
        placeholder: What stands for its value on the help page; empty: the option takes no value.
        read: From the value as typed to what the function takes; raises ``ConfigError``.
        required: Whether the verb does nothing without it.
    """

    name: str
    description: str
    placeholder: str = ""
    read: Callable[[str], Any] = str
    required: bool = False

    @property
    def usage(self) -> str:
        """The option as it is typed."""
        return f"{self.name} {self.placeholder}".strip()

    @property
    def keyword(self) -> str:
        """The keyword by which the verb's function takes its value."""
        return self.name.lstrip("-").replace("-", "_")


@dataclass(frozen=True)
class Verb:
    """A verb: ``ablate NAME ARGUMENTS OPTIONS``.

    Args:
        name: The word.
        summary: What it does, in one line.
        function: What does it: takes a list of the arguments, and the options that were given by keyword; returns an
            exit code.
        topic: Title under which the general help page has the verb.
        arguments: The arguments as the help page has them, such as ``"STUDY RUN"``.
        needs: What they are, for the message where some are missing: ``"a study folder and a run"``.
        example: Arguments and options of a call that makes sense.
        least: How many arguments it needs.
        more: Whether it takes more than these.
        options: Its options.
        keys: What can be set with ``key=value`` among the arguments.
        takes_hydra_options: Whether options that are not its own are left to Hydra.
    """

    name: str
    summary: str
    function: Callable[..., int]
    topic: str
    arguments: str
    needs: str
    example: str
    least: int
    more: bool = False
    options: tuple[Option, ...] = ()
    keys: Callable[[], Sequence[Key]] | None = None
    takes_hydra_options: bool = False

    @property
    def usage(self) -> str:
        """How it is called."""
        options = (option.usage if option.required else f"[{option.usage}]" for option in self.options)
        return " ".join([self.name, self.arguments, *options])

    def run(self, words: Sequence[str]) -> int:
        """Do what the words of a command line behind the verb ask for; returns an exit code.

        Raises:
            AblateError: If the words are wrong, or what they ask for cannot be done.
        """
        arguments, values = parse(self, words)
        return self.function(arguments, **values)


def parse(verb: Verb, words: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """The arguments of a verb, and the values of its options by keyword.

    Args:
        verb: The verb.
        words: What follows it on the command line.

    Raises:
        ConfigError: If an option is unknown, values are wrong, or arguments are missing or too many.

    Example:
        >>> colour = Option("--colour", "of the paint", "NAME")
        >>> paint = Verb("paint", "", print, "", "THING", "a thing", "wall", 1, options=(colour,))
        >>> parse(paint, ["wall", "--colour=red"])
        (['wall'], {'colour': 'red'})
        >>> parse(paint, ["wall", "--color", "red"])
        Traceback (most recent call last):
        ablate.errors.ConfigError: Unknown option '--color' of 'paint'. Options: --colour. Did you mean '--colour'?
    """
    known = {option.name: option for option in verb.options}
    arguments: list[str] = []
    values: dict[str, Any] = {}
    faults: list[str] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        name, sign, value = word.partition("=")
        if name in known:
            option = known[name]
            try:
                values[option.keyword] = _value(option, value if sign else None, waiting)
            except ConfigError as error:
                faults.append(str(error))
        elif word.startswith("-") and not verb.takes_hydra_options:
            options = f"Options: {', '.join(known)}." if known else "It has no options."
            raise ConfigError(f"Unknown option '{name}' of '{verb.name}'. {options}{suggestion(name, known)}")
        else:
            arguments.append(word)
    missing = [option.name for option in verb.options if option.required and option.keyword not in values]
    if not faults and (missing or len(arguments) < verb.least or (len(arguments) > verb.least and not verb.more)):
        faults.append(f"Name {verb.needs}, for example: ablate {verb.name} {verb.example}; received {list(words)}.")
    if faults:
        raise ConfigError("\n".join(faults))
    return arguments, values


def _value(option: Option, value: str | None, waiting: list[str]) -> Any:
    if not option.placeholder:
        if value is not None:
            raise ConfigError(f"{option.name} takes no value.")
        return True
    if value is None:
        if not waiting:
            raise ConfigError(f"{option.name} needs a value: {option.usage}.")
        value = waiting.pop(0)
    return option.read(value)
