from __future__ import annotations

import pytest

from ablate import errors
from ablate.errors import AblateError, suggestion


def test_every_error_is_one_that_the_command_line_catches() -> None:
    kinds = [getattr(errors, name) for name in errors.__all__ if isinstance(getattr(errors, name), type)]
    assert len(kinds) >= 8
    assert all(issubclass(kind, AblateError) for kind in kinds)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = [line for line in (errors.__doc__ or "").splitlines() if "Error" in line or "Diverged" in line]
    names = {word for line in drawn for word in line.split() if word in errors.__all__}
    assert names == {name for name in errors.__all__ if name != "suggestion"}


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("residul", ["residual", "bias"], " Did you mean 'residual'?"),
        ("RESIDUAL", ["residual"], ""),
        ("epoch", ["train.epochs", "train.epoch", "seed"], " Did you mean 'train.epoch'?"),
        ("epocs", ["train.epochs", "seed"], " Did you mean 'train.epochs'?"),
        ("train.epocs", ["train.epochs", "train.threads"], " Did you mean 'train.epochs'?"),
        ("zzz", ["residual"], ""),
        ("anything", [], ""),
    ],
)
def test_the_nearest_word_is_suggested(word: str, known: list[str], expected: str) -> None:
    assert suggestion(word, known) == expected
