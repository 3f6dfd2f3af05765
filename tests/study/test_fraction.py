from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from ablate.errors import DesignError
from ablate.study import Factor, Forbidden, Level, Plan, Requires, Study, make_plan

RULES = [Requires("b", "a", ("true",)), Requires("c", "a", ("true",))]


def switches(names: str) -> list[Factor]:
    return [Factor(name, (Level("true"), Level("false")), "true") for name in names]


def signs(plan: Plan) -> np.ndarray:
    """+1 where a cell has the reference level, -1 elsewhere."""
    return np.array(
        [[1 if cell.levels[f.name] == f.reference else -1 for f in plan.factors] for cell in plan.cells], dtype=float
    )


def study(design: str, resolution: int = 4, cells: int | None = None) -> Study:
    return Study("s", design, (0, 1, 2), "m", resolution=resolution, cells=cells)


@pytest.mark.parametrize(
    ("count", "resolution", "cells"), [(3, 3, 4), (6, 3, 8), (4, 4, 8), (6, 4, 16), (8, 4, 16), (5, 5, 16), (6, 5, 32)]
)
def test_fractions_have_their_published_size_and_are_orthogonal(count: int, resolution: int, cells: int) -> None:
    # Box, Hunter and Hunter, table 12.15: the least number of runs of a two-level fraction.
    plan = make_plan(study("fractional", resolution), switches("abcdefgh"[:count]))
    table = signs(plan)
    assert len(table) == cells
    assert plan.cells[0].is_reference
    products = [table[:, i] for i in range(count)]
    if resolution >= 5:
        products += [table[:, i] * table[:, j] for i, j in itertools.combinations(range(count), 2)]
    for one, other in itertools.combinations(products, 2):
        assert one @ other == 0
    if resolution == 4:  # main effects are clear of the interactions of two
        for i, (j, k) in itertools.product(range(count), itertools.combinations(range(count), 2)):
            if i not in (j, k):
                assert table[:, i] @ (table[:, j] * table[:, k]) == 0


def test_what_a_fraction_confounds_is_said_and_true() -> None:
    plan = make_plan(study("fractional"), switches("abcdef"))
    table = signs(plan)
    assert plan.notes[0] == "A fraction of resolution 4: 16 of 64 combinations."
    said = set()
    for note in plan.notes[1:]:
        terms = [
            term.strip()
            for term in note.removeprefix("Confounded: ").removesuffix(".").replace(" and ", " with ").split(" with ")
        ]
        columns = [np.prod([table[:, "abcdef".index(name)] for name in term.split(":")], axis=0) for term in terms]
        for (one, x), (other, y) in itertools.combinations(zip(terms, columns, strict=True), 2):
            assert abs(x @ y) == len(table)
            said.add(frozenset((one, other)))
    pairs = [":".join(pair) for pair in itertools.combinations("abcdef", 2)]
    true = set()
    for one, other in itertools.combinations(pairs, 2):
        x, y = (np.prod([table[:, "abcdef".index(name)] for name in term.split(":")], axis=0) for term in (one, other))
        if abs(x @ y) == len(table):
            true.add(frozenset((one, other)))
    assert said == true


@pytest.mark.parametrize("design", ["fractional", "screening"])
def test_what_breaks_a_fraction_is_refused_and_the_way_out_is_named(design: str) -> None:
    factors = [*switches("abc"), Factor("d", tuple(map(Level, "123")), "1")]
    with pytest.raises(DesignError) as caught:
        make_plan(study(design), factors, [*RULES, Forbidden((("a", "false"), ("d", "2")))])
    assert str(caught.value) == (
        f"The design {design} is not possible: it takes factors of two levels; d has more; constraints take cells out "
        "of it, and it is orthogonal no longer (b requires a; c requires a; forbidden {'a': 'false', 'd': '2'}). "
        "study.design=optimal takes any factors and constraints; study.cells=N says how many cells."
    )


def test_a_constraint_on_what_is_not_varied_breaks_nothing() -> None:
    assert len(make_plan(study("fractional"), switches("bcdefg"), RULES).cells) == 16


@pytest.mark.parametrize(
    ("names", "resolution"), [("ab", 3), ("abcdef", 6), ("abcdef", 2), ("abcdefghijklmnopqrstu", 4)]
)
def test_a_fraction_that_does_not_exist_is_refused(names: str, resolution: int) -> None:
    with pytest.raises(DesignError) as caught:
        make_plan(study("fractional", resolution), switches(names))
    assert str(caught.value) == (
        f"There is no fraction of resolution {resolution} for {len(names)} factors: the resolution is 3, 4 or 5, "
        "and there are 3 to 20 factors."
    )


@pytest.mark.parametrize(("count", "cells"), [(3, 4), (5, 8), (7, 8), (8, 12), (11, 12), (19, 20), (20, 24)])
def test_screening_has_the_next_multiple_of_four_and_is_orthogonal(count: int, cells: int) -> None:
    begun = time.perf_counter()
    plan = make_plan(study("screening"), switches("abcdefghijklmnopqrst"[:count]))
    assert time.perf_counter() - begun < 2
    table = signs(plan)
    assert len(table) == cells
    assert plan.cells[0].is_reference
    assert np.array_equal(table.T @ table, cells * np.eye(count))
    assert np.array_equal(table.sum(axis=0), np.zeros(count))


def test_an_optimal_choice_obeys_constraints_and_estimates_every_main_effect() -> None:
    rules = [*RULES, Forbidden((("d", "false"), ("e", "false")))]
    plan = make_plan(study("optimal", cells=12), switches("abcdef"), rules)
    table = signs(plan)
    assert len(table) == 12
    assert plan.cells[0].is_reference
    assert np.linalg.matrix_rank(np.column_stack([np.ones(12), table])) == 7
    for cell in plan.cells:
        assert cell.levels["a"] == "true" or (cell.levels["b"], cell.levels["c"]) == ("true", "true")
        assert (cell.levels["d"], cell.levels["e"]) != ("false", "false")


def test_an_optimal_choice_takes_factors_of_several_levels_and_is_the_same_every_time() -> None:
    factors = [*switches("ab"), Factor("c", tuple(map(Level, "123")), "2")]
    plans = [make_plan(study("optimal"), factors) for _ in range(2)]
    assert plans[0] == plans[1]
    seen = {(factor.name, cell.levels[factor.name]) for factor in factors for cell in plans[0].cells}
    assert seen == {(factor.name, label) for factor in factors for label in factor.labels}


@pytest.mark.parametrize("cells", [0, 3, 9])
def test_a_number_of_cells_that_cannot_be_is_refused(cells: int) -> None:
    with pytest.raises(DesignError) as caught:
        make_plan(study("optimal", cells=cells), switches("abc"))
    assert str(caught.value) == (f"study.cells={cells}: 3 effects need at least 4 cells, and there are 8 valid ones.")


def test_an_optimal_choice_among_too_many_is_refused() -> None:
    with pytest.raises(DesignError) as caught:
        make_plan(study("optimal"), switches("abcdefghijklmno"))
    assert str(caught.value) == (
        "The grid has 32768 combinations; an optimal design is chosen from at most 20000. "
        "Use screening, or fewer factors."
    )
