"""The names that ``import ablate`` offers."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

import ablate
from ablate.errors import StoreError


def test_a_summary_has_its_class_in_the_interface(tmp_path: Path) -> None:
    assert ablate.Summary.__name__ == "Summary"
    with pytest.raises(StoreError, match=r"There is no study in "):
        ablate.load(tmp_path)


def test_all_names_are_listed_and_unknown_ones_are_refused() -> None:
    assert {*ablate.__all__} <= {*dir(ablate)}
    with pytest.raises(AttributeError, match="module 'ablate' has no attribute 'summarize'"):
        _ = ablate.summarize  # type: ignore[attr-defined]


def test_the_package_says_that_it_is_typed() -> None:
    assert (resources.files("ablate") / "py.typed").is_file()
