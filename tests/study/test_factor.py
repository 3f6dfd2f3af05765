from __future__ import annotations

import pytest

from ablate.errors import DesignError
from ablate.study import Factor, Level, level_label


def factor(name: str, *labels: str, reference: str | None = None) -> Factor:
    return Factor(name, tuple(Level(label) for label in labels), reference or labels[0])


@pytest.mark.parametrize(
    ("value", "label"),
    [(True, "true"), (False, "false"), (None, "null"), (3, "3"), (1e-5, "1e-05"), ("gap", "gap"), ([1, 2], "[1, 2]")],
)
def test_a_label_is_what_one_would_type(value: object, label: str) -> None:
    assert level_label(value) == label


def test_removed_is_the_other_level_or_the_last_one_listed() -> None:
    assert factor("residual", "true", "false").removed.label == "false"
    assert factor("bias", "true", "false", reference="false").removed.label == "true"
    assert factor("depth", "8", "4", "2").removed.label == "2"
    # The reference may stand last: then the last of the others is taken.
    assert factor("depth", "8", "4", "2", reference="2").removed.label == "4"


def test_alternatives_keep_the_listed_order() -> None:
    assert [level.label for level in factor("depth", "8", "4", "2", reference="4").alternatives] == ["8", "2"]


@pytest.mark.parametrize(
    ("levels", "reference", "message"),
    [
        (["gap"], "gap", "Factor 'head' has nothing to compare: its only level is gap."),
        (["gap", "gap"], "gap", "Factor 'head' lists a level twice: gap, gap."),
        (["a", "b\ud800"], "a", r"Factor 'head' has texts that are no valid Unicode: b\ud800."),
        (["a", "b"], "c", "Factor 'head' lacks its reference level 'c': a, b."),
    ],
)
def test_a_factor_without_sense_is_refused(levels: list[str], reference: str, message: str) -> None:
    with pytest.raises(DesignError) as caught:
        factor("head", *levels, reference=reference)
    assert str(caught.value) == message


def test_an_unknown_level_names_the_nearest() -> None:
    with pytest.raises(DesignError) as caught:
        factor("head", "gap", "flatten").level("flat")
    assert str(caught.value) == "Factor 'head' has no level 'flat'. Levels: gap, flatten. Did you mean 'flatten'?"
