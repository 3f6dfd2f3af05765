"""Verbs are values: what their declaration says is what the command line does."""

from __future__ import annotations

import inspect

import pytest

from ablate.app.main import VERBS
from ablate.app.verb import Option, Verb
from ablate.errors import ConfigError


@pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))
def test_the_function_of_a_verb_takes_its_options_and_its_example_is_one(verb: Verb) -> None:
    inspect.signature(verb.function).bind([], **{option.name.lstrip("-"): "x" for option in verb.options})
    arguments, _ = verb.parse(verb.example.split())
    assert arguments


OPTIONS = (Option("--colour", "NAME", ""), Option("--coats", "N", ""), Option("--dry-run", "", ""))
PAINT = Verb("paint", lambda _: 0, "THING ...", "", "wall", OPTIONS)


def test_options_may_stand_anywhere() -> None:
    assert PAINT.parse(["--colour", "red", "wall", "--coats=2", "door", "--dry-run"]) == (
        ["wall", "door"],
        {"colour": "red", "coats": "2", "dry_run": True},
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["wall", "--color=red"], "Unknown option '--color' of 'paint'. Options: --colour, --coats, --dry-run."),
        (["wall", "--colour"], "argument --colour: expected one argument. Write paint THING ... [--colour NAME]"),
        (["wall", "--dry-run=yes"], "argument --dry-run: ignored explicit argument 'yes'. Write paint "),
        (["--colour", "red"], "Write paint THING ..., for example: ablate paint wall; received ['--colour', 'red']."),
    ],
)
def test_wrong_words_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        PAINT.parse(words)
    assert str(caught.value).startswith(message)
