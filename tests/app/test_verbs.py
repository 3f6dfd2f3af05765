"""Verbs are values: what their declaration says is what the command line does."""

from __future__ import annotations

import inspect

import pytest

from ablate.app.commands import VERBS
from ablate.app.verb import Option, Verb, parse
from ablate.errors import ConfigError


@pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))
def test_the_function_of_a_verb_takes_its_options_and_its_example_is_one(verb: Verb) -> None:
    parameters = list(inspect.signature(verb.function).parameters.values())
    assert {option.keyword for option in verb.options} <= {parameter.name for parameter in parameters}
    required = {parameter.name for parameter in parameters[1:] if parameter.default is parameter.empty}
    assert required == {option.keyword for option in verb.options if option.required}
    arguments, _ = parse(verb, verb.example.split())
    assert len(arguments) >= verb.least


def paint(words: list[str]) -> tuple[list[str], dict[str, object]]:
    def even(value: str) -> int:
        if int(value) % 2:
            raise ConfigError(f"--coats {value}: odd.")
        return int(value)

    options = (Option("--colour", "", "NAME"), Option("--coats", "", "N", even), Option("--dry-run", ""))
    return parse(
        Verb("paint", "", lambda _: 0, "", "THING ...", "a thing", "wall", 1, more=True, options=options), words
    )


def test_options_may_stand_anywhere() -> None:
    assert paint(["--colour", "red", "wall", "--coats=2", "door", "--dry-run"]) == (
        ["wall", "door"],
        {"colour": "red", "coats": 2, "dry_run": True},
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["wall", "--color=red"], "Unknown option '--color' of 'paint'. Options: --colour, --coats, --dry-run."),
        (["wall", "--coats", "3", "--colour"], "--coats 3: odd.\n--colour needs a value: --colour NAME."),
        (["wall", "--dry-run=yes"], "--dry-run takes no value."),
        (["--colour", "red"], "Name a thing, for example: ablate paint wall; received ['--colour', 'red']."),
    ],
)
def test_wrong_words_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        paint(words)
    assert str(caught.value).startswith(message)
