"""What a verb of the command line is: a value that says how it is called, and the function that does it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.errors import ConfigError, suggestion
from ablate.sweep.console import say_error

Key = tuple[str, str]
"""A key with its default, as it is typed, and what it does: a line of a help page."""


@dataclass(frozen=True)
class Option:
    """An option such as ``--width icml``; the verb's function takes its value by the name without dashes.

    Args:
        name: With its dashes.
        placeholder: What stands for its value on the help page; empty: the option takes no value.
        description: What it does, in one line.
    """

    name: str
    placeholder: str
    description: str

    @property
    def usage(self) -> str:
        """The option as it is typed."""
        return f"{self.name} {self.placeholder}".strip()


@dataclass(frozen=True)
class Verb:
    """A verb: ``ablate NAME ARGUMENTS OPTIONS``.

    Args:
        name: What is typed.
        function: What does it: takes a list of the arguments, and the options that were given by keyword; returns an
            exit code.
        arguments: As the help page has them: ``"STUDY RUN"`` are two, ``"STUDY ..."`` one or more, and those in
            brackets may be left out.
        summary: What it does, in one line.
        example: Arguments and options of a call that makes sense.
        options: Its options.
        keys: Groups of keys that can be set with ``key=value`` among the arguments; see :mod:`ablate.app.help`.
        takes_hydra_options: Whether options that are not its own are left to Hydra.
    """

    name: str
    function: Callable[..., int]
    arguments: str
    summary: str
    example: str
    options: tuple[Option, ...] = ()
    keys: tuple[str, ...] = ()
    takes_hydra_options: bool = False

    @property
    def usage(self) -> str:
        """How it is called."""
        return " ".join([self.name, self.arguments, *(f"[{option.usage}]" for option in self.options)])

    def run(self, command_line: Sequence[str]) -> int:
        """Call the function of the verb; returns its exit code.

        Args:
            command_line: What follows the verb on the command line.

        Raises:
            AblateError: If arguments or options are wrong, or what they ask for cannot be done.
        """
        arguments, values = self.parse(command_line)
        return self.function(arguments, **values)

    def parse(self, command_line: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
        """The arguments, and the values of the options by keyword.

        Args:
            command_line: What follows the verb on the command line.

        Raises:
            ConfigError: If an option is unknown or lacks its value, or arguments are missing or too many.

        Example:
            >>> paint = Verb("paint", print, "THING", "", "wall", (Option("--colour", "NAME", ""),))
            >>> paint.parse(["wall", "--colour=red"])
            (['wall'], {'colour': 'red'})
            >>> paint.parse(["wall", "--color", "red"])
            Traceback (most recent call last):
            ablate.errors.ConfigError: Unknown option '--color' of 'paint'. Options: --colour. Did you mean '--colour'?
        """
        parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False, exit_on_error=False)
        for option in self.options:
            action = "store" if option.placeholder else "store_true"
            parser.add_argument(option.name, action=action, default=argparse.SUPPRESS)
        try:
            # Arguments are not declared: the parser would take them out of the order that Hydra's options need.
            values, arguments = parser.parse_known_args(command_line)
        except argparse.ArgumentError as error:
            raise ConfigError(f"{error}. Write {self.usage}.") from None
        unknown = [argument.partition("=")[0] for argument in arguments if argument.startswith("-")]
        if unknown and not self.takes_hydra_options:
            known = [option.name for option in self.options]
            options = f"Options: {', '.join(known)}." if known else "It has no options."
            near = suggestion(unknown[0], known)
            raise ConfigError(f"Unknown option '{unknown[0]}' of '{self.name}'. {options}{near}")
        needed = [name for name in self.arguments.partition("[")[0].split() if name != "..."]
        if len(arguments) < len(needed) or (len(arguments) > len(needed) and "..." not in self.arguments):
            call = f"{self.name} {self.arguments}, for example: ablate {self.name} {self.example}"
            raise ConfigError(f"Write {call}; received {[*command_line]}.")
        return arguments, vars(values)


def fail(message: str, code: int) -> int:
    """Print a message to standard error; returns the exit code."""
    say_error(message)
    return code
