from __future__ import annotations

import pytest

from ablate import errors
from ablate.errors import AblateError, suggestion

KINDS = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and kind.__module__ == "ablate.errors"
}


def test_every_error_is_one_that_the_command_line_catches() -> None:
    assert len(KINDS) >= 8
    assert all(issubclass(kind, AblateError) for kind in KINDS.values())


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = [line for line in (errors.__doc__ or "").splitlines() if "─" in line or line.startswith("AblateError")]
    names = {word for line in drawn for word in line.split() if word in KINDS}
    assert names == KINDS.keys()


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
