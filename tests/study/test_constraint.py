from __future__ import annotations

import pytest

from ablate.errors import DesignError
from ablate.study import Factor, Forbidden, Level, Requires, Study, make_plan
from ablate.study.constraint import check_constraints, forbidden_by, settle


def switch(name: str, reference: str = "true") -> Factor:
    return Factor(name, (Level("true"), Level("false")), reference)


A, B, C = switch("a"), switch("b"), switch("c")
CHAIN = [Requires("c", "b", ("true",)), Requires("b", "a", ("true",))]


def test_a_void_child_goes_back_to_its_reference() -> None:
    settled, void = settle({"a": "false", "b": "false"}, [A, B], [Requires("b", "a", ("true",))])
    assert (settled, void) == ({"a": "false", "b": "true"}, ["b"])


def test_a_child_at_its_reference_is_void_all_the_same() -> None:
    settled, void = settle({"a": "false", "b": "true"}, [A, B], [Requires("b", "a", ("true",))])
    assert (settled, void) == ({"a": "false", "b": "true"}, ["b"])


@pytest.mark.parametrize("rules", [CHAIN, CHAIN[::-1]], ids=["child first", "parent first"])
def test_a_chain_is_void_to_its_end_in_any_order_of_the_rules(rules: list[Requires]) -> None:
    settled, void = settle({"a": "false", "b": "false", "c": "false"}, [A, B, C], rules)
    assert settled == {"a": "false", "b": "true", "c": "true"}
    assert sorted(void) == ["b", "c"]


def test_the_middle_of_a_chain_voids_only_what_hangs_below_it() -> None:
    settled, void = settle({"a": "true", "b": "false", "c": "false"}, [A, B, C], CHAIN)
    assert (settled, void) == ({"a": "true", "b": "false", "c": "true"}, ["c"])


def test_a_child_of_two_parents_needs_both() -> None:
    rules = [Requires("c", "a", ("true",)), Requires("c", "b", ("true",))]
    assert settle({"a": "true", "b": "false", "c": "false"}, [A, B, C], rules)[0]["c"] == "true"
    assert settle({"a": "true", "b": "true", "c": "false"}, [A, B, C], rules)[0]["c"] == "false"


def test_several_levels_of_a_parent_can_carry_a_child() -> None:
    norm = Factor("norm", (Level("batch"), Level("layer"), Level("none")), "batch")
    rule = Requires("b", "norm", ("batch", "layer"))
    assert settle({"norm": "layer", "b": "false"}, [norm, B], [rule])[1] == []
    assert settle({"norm": "none", "b": "false"}, [norm, B], [rule])[1] == ["b"]


def test_a_rule_about_a_parent_that_is_not_varied_has_no_say() -> None:
    assert settle({"b": "false"}, [B], [Requires("b", "a", ("true",))]) == ({"b": "false"}, [])


def test_settling_leaves_its_argument_alone() -> None:
    wanted = {"a": "false", "b": "false"}
    settle(wanted, [A, B], [Requires("b", "a", ("true",))])
    assert wanted == {"a": "false", "b": "false"}


def test_a_forbidden_combination_needs_all_its_levels() -> None:
    rule = Forbidden((("a", "false"), ("b", "false")), "too small")
    assert forbidden_by({"a": "false", "b": "false"}, [rule]) is rule
    assert forbidden_by({"a": "false", "b": "true"}, [rule]) is None
    assert forbidden_by({"a": "false"}, [rule]) is None


def test_a_circle_of_requirements_is_refused() -> None:
    with pytest.raises(DesignError) as caught:
        check_constraints([Requires("a", "b", ("true",)), Requires("b", "a", ("true",))], [A, B])
    assert str(caught.value) == (
        "The requirements of 'a' lead back to itself.\nThe requirements of 'b' lead back to itself."
    )


def test_unknown_levels_are_refused_all_at_once() -> None:
    rules = [Requires("b", "a", ("ture",)), Forbidden((("a", "false"), ("b", "fals")))]
    with pytest.raises(DesignError) as caught:
        check_constraints(rules, [A, B])
    assert str(caught.value) == (
        "A constraint names level 'ture' of 'a', whose levels are true, false. Did you mean 'true'?\n"
        "A constraint names level 'fals' of 'b', whose levels are true, false. Did you mean 'false'?"
    )


def test_forbidden_cells_fall_away_with_their_reason() -> None:
    study = Study("s", "factorial", (0,), "m")
    plan = make_plan(study, [A, B, C], [Forbidden((("a", "false"), ("b", "false")), "nothing would be left")])
    assert len(plan.cells) == 6
    assert not any({"a", "b"} <= set(cell.changed) for cell in plan.cells)
    assert plan.notes == ("2 combinations fall away: nothing would be left.",)


def test_a_forbidden_reference_is_refused() -> None:
    with pytest.raises(DesignError) as caught:
        make_plan(Study("s", "leave_one_out", (0,), "m"), [A, B], [Forbidden((("a", "true"), ("b", "true")))])
    assert str(caught.value) == "The reference cell itself is a forbidden combination."


def test_nothing_left_to_compare_is_refused() -> None:
    with pytest.raises(DesignError) as caught:
        make_plan(Study("s", "leave_one_out", (0,), "m"), [A], [Forbidden((("a", "false"),))])
    assert str(caught.value) == "Nothing to compare: every combination collapses onto the reference cell."
