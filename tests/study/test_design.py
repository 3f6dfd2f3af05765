from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ablate.characters import is_reserved
from ablate.errors import ConfigError, DesignError
from ablate.objects import Registry
from ablate.study import (
    DESIGNS,
    Cell,
    Constraint,
    Design,
    DesignSpace,
    Factor,
    Forbidden,
    Layout,
    Level,
    Plan,
    Requires,
    Study,
    cell_of,
    designs_of,
    make_plan,
)
from ablate.study.design import lay_out
from ablate.study.layout import factorial


def switch(name: str, reference: str = "true") -> Factor:
    return Factor(name, (Level("true"), Level("false")), reference)


SIX = [
    switch("residual"),
    switch("batch_norm"),
    Factor("bn_placement", (Level("before"), Level("after")), "before"),
    switch("separable"),
    Factor("head", (Level("gap"), Level("flatten")), "gap"),
    Factor("bias", (Level("false"), Level("true")), "false"),
]
CHILDREN = [Requires("bn_placement", "batch_norm", ("true",)), Requires("bias", "batch_norm", ("true",))]


def plan(design: str, factors: Sequence[Factor], constraints: Sequence[Constraint] = ()) -> Plan:
    return make_plan(Study("s", design, (0, 1, 2), "m"), factors, constraints)


def labels(design: str, factors: Sequence[Factor], constraints: Sequence[Constraint] = ()) -> list[str]:
    return [cell.label for cell in plan(design, factors, constraints).cells]


def test_leave_one_out_of_the_six_ingredients() -> None:
    assert labels("leave_one_out", SIX, CHILDREN) == [
        "full",
        "w/o residual",
        "w/o batch_norm",
        "bn_placement=after",
        "w/o separable",
        "head=flatten",
        "with bias",
    ]


def test_the_grid_of_the_six_has_40_cells_and_64_without_constraints() -> None:
    # With batch norm 2^5 cells; without it placement and bias are void, which leaves 2^3.
    assert len(plan("factorial", SIX, CHILDREN).cells) == 2**5 + 2**3
    assert len(plan("factorial", SIX).cells) == 2**6


def test_collapsing_is_said_with_its_count() -> None:
    # Of the 32 combinations without batch norm 8 are cells; 24 were moved, a third of them for each set of children.
    assert plan("factorial", SIX, CHILDREN).notes == (
        "8 combinations differ only in bias, void there: trained once.",
        "8 combinations differ only in bn_placement, void there: trained once.",
        "8 combinations differ only in bn_placement, bias, void there: trained once.",
    )


def test_void_children_stand_in_the_cell() -> None:
    void = {cell.label: cell.void for cell in plan("leave_one_out", SIX, CHILDREN).cells}
    assert void["w/o batch_norm"] == ("bn_placement", "bias")
    assert all(not names for label, names in void.items() if label != "w/o batch_norm")


def test_designs_of_three_by_hand() -> None:
    abc = [switch(name) for name in "abc"]
    assert labels("baseline", abc) == ["full", "w/o a, w/o b, w/o c"]
    assert labels("add_one_in", abc) == [
        "full",
        "w/o a, w/o b, w/o c",
        "w/o b, w/o c",
        "w/o a, w/o c",
        "w/o a, w/o b",
    ]
    assert labels("cumulative", abc) == ["full", "w/o a, w/o b, w/o c", "w/o b, w/o c", "w/o c"]
    assert labels("pairs", abc) == [
        "full",
        "w/o a",
        "w/o b",
        "w/o c",
        "w/o a, w/o b",
        "w/o a, w/o c",
        "w/o b, w/o c",
    ]


def test_a_child_is_put_back_together_with_its_parent() -> None:
    abc = [switch(name) for name in ("parent", "child", "other")]
    rule = [Requires("child", "parent", ("true",))]
    # Without the parent the child is void: the baseline is "w/o parent, w/o other".
    assert labels("add_one_in", abc, rule) == [
        "full",
        "w/o parent, w/o other",
        "w/o child, w/o other",
        "w/o other",
        "w/o parent",
    ]
    assert labels("cumulative", abc[1::-1] + abc[2:], rule) == ["full", "w/o parent, w/o other", "w/o other"]


def test_a_factor_of_several_levels() -> None:
    rate = Factor("train.learning_rate", tuple(Level(label) for label in ("0.01", "0.001", "0.0001")), "0.001")
    assert labels("one_factor_at_a_time", [rate, switch("a")]) == [
        "full",
        "train.learning_rate=0.01",
        "train.learning_rate=0.0001",
        "w/o a",
    ]
    assert labels("leave_one_out", [rate, switch("a")]) == ["full", "train.learning_rate=0.0001", "w/o a"]
    assert len(plan("factorial", [rate, switch("a")]).cells) == 6


def test_levels_that_a_design_does_not_take_are_said() -> None:
    head = Factor("head", (Level("gap"), Level("gmp"), Level("flatten")), "gap")
    study = Study("demo", "leave_one_out", (0,), "score")
    assert make_plan(study, [head]).notes == (
        "head=gmp stands in no cell: leave_one_out takes the last level for removed (flatten); "
        "one_factor_at_a_time, factorial, optimal and latin_square take every level.",
    )
    for design in ("factorial", "one_factor_at_a_time", "leave_one_out+one_factor_at_a_time"):
        assert make_plan(replace(study, design=design), [head]).notes == ()


def test_a_union_has_each_cell_once() -> None:
    abc = [switch(name) for name in "abc"]
    together = labels("leave_one_out+add_one_in", abc)
    assert together == [*labels("leave_one_out", abc), *labels("add_one_in", abc)[1:]]
    # With two factors, one taken away is the other alone put back.
    assert len(plan("leave_one_out + add_one_in", abc[:2]).cells) == 4


def test_unknown_designs_are_named_all_at_once() -> None:
    with pytest.raises(DesignError) as caught:
        lay_out("leave_one_ot+gird", DesignSpace(tuple(SIX)))
    every = f"Designs: {', '.join(DESIGNS)}, and unions of them with '+'."
    assert str(caught.value) == (
        f"Unknown design 'leave_one_ot'. {every} Did you mean 'leave_one_out'?\nUnknown design 'gird'. {every}"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": ()}, "A study needs at least one seed. Write study.seeds=3, or list them: seed=0,7,9."),
        ({"seeds": (0, 7, 0)}, "A seed stands twice in [0, 7, 0]; a repeated seed is not a second observation."),
        ({"direction": "maximum"}, "Unknown direction 'maximum'. Allowed: max, min. Did you mean 'max'?"),
        ({"margin": -0.1}, "The margin is -0.1; it must be positive, in units of m."),
        ({"margin": math.nan}, "The margin is nan; it must be positive, in units of m."),
    ],
)
def test_a_study_without_sense_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(DesignError) as caught:
        Study(**{"name": "s", "design": "factorial", "seeds": (0,), "metric": "m", **change})  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_all_faults_of_a_study_are_told_at_once() -> None:
    with pytest.raises(DesignError) as caught:
        Study("s", "factorial", (), "m", "up", 0.0)
    assert len(str(caught.value).splitlines()) == 3


def test_no_factor_and_a_doubled_factor_are_refused() -> None:
    with pytest.raises(DesignError) as caught:
        plan("factorial", [])
    assert str(caught.value) == "A study needs at least one factor. Sweep a key, for example residual=true,false."
    with pytest.raises(DesignError) as caught:
        plan("factorial", [switch("a"), switch("b"), switch("a")])
    assert str(caught.value) == "Each factor may stand once; twice: a."


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=30)


@st.composite
def factors_strategy(draw: st.DrawFn, most: int = 4, words: st.SearchStrategy[str] = WORDS) -> list[Factor]:
    names = draw(st.lists(words, min_size=1, max_size=most, unique=True))
    made = []
    for name in names:
        texts = draw(st.lists(words, min_size=2, max_size=3, unique=True))
        reference = draw(st.sampled_from(texts))
        made.append(Factor(name, tuple(Level(text, (f"{name}={text}",)) for text in texts), reference))
    return made


def readable_plan(design: str, factors: Sequence[Factor]) -> Plan:
    """A plan, unless two of its cells read alike, which no plan may have."""
    cells = grid(factors)
    assume(len({cell.label for cell in cells}) == len(cells))
    return plan(design, factors)


# Fractions ask more of the factors than these do; see test_fraction.py.
GENERAL = ("add_one_in", "baseline", "cumulative", "factorial", "leave_one_out", "one_factor_at_a_time", "pairs")
DESIGN_NAMES = st.lists(st.sampled_from(GENERAL), min_size=1, max_size=3).map("+".join)


@given(factors_strategy(), DESIGN_NAMES)
def test_any_design_has_the_reference_first_and_each_cell_once(factors: list[Factor], design: str) -> None:
    made = readable_plan(design, factors)
    assert made.cells[0].is_reference
    assert [cell.is_reference for cell in made.cells[1:]] == [False] * (len(made.cells) - 1)
    levels = [tuple(cell.levels.items()) for cell in made.cells]
    assert len(set(levels)) == len(levels)
    for cell in made.cells:
        assert set(cell.levels) == {factor.name for factor in factors}
        assert all(cell.levels[factor.name] in factor.labels for factor in factors)


@given(factors_strategy(most=6))
def test_sizes_follow_the_numbers_of_levels(factors: list[Factor]) -> None:
    readable_plan("factorial", factors)
    k = len(factors)
    alternatives = [len(factor.labels) - 1 for factor in factors]
    assert len(plan("leave_one_out", factors).cells) == k + 1
    assert len(plan("one_factor_at_a_time", factors).cells) == sum(alternatives) + 1
    assert len(plan("factorial", factors).cells) == math.prod(count + 1 for count in alternatives)
    assert len(plan("pairs", factors).cells) == 1 + k + k * (k - 1) // 2
    assert len(plan("cumulative", factors).cells) == k + 1


@given(factors_strategy(), DESIGN_NAMES)
def test_a_plan_survives_json(factors: list[Factor], design: str) -> None:
    made = readable_plan(design, factors)
    assert Plan.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_a_plan_with_void_cells_and_a_margin_survives_json() -> None:
    study = Study("s", "factorial", (7, 3), "loss", "min", 0.01)
    made = make_plan(study, SIX, [*CHILDREN, Forbidden((("residual", "false"), ("head", "flatten")), "no")])
    again = Plan.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again == made
    assert [cell.void for cell in again.cells] == [cell.void for cell in made.cells]


def folders(cells: Sequence[Cell]) -> list[str]:
    """Names as a file system sees them for which neither case nor Unicode form counts."""
    return [unicodedata.normalize("NFC", cell.name).casefold() for cell in cells]


def grid(factors: Sequence[Factor]) -> list[Cell]:
    """Every cell of factors, also those that no plan may have together because they read alike."""
    return [cell_of(combination, factors) for combination in factorial(DesignSpace(tuple(factors))).combinations]


# Names that are hard to tell apart: by separators, case, Unicode form, and what looks like a hash.
AWKWARD = st.one_of(
    st.text("ab1=, _.-", min_size=1, max_size=4),
    st.text("aAéÉ\u0301eEßsSKk\u212a", min_size=1, max_size=3),
    st.sampled_from(["full", "aux", "con", "b-0123456789ab", "x" * 200, "X" * 200, "1", "11", "=", "==", "İ", "ı"]),
)


@pytest.mark.parametrize("words", [WORDS, AWKWARD], ids=["any", "awkward"])
def test_folder_names_are_safe_and_unique(words: st.SearchStrategy[str]) -> None:
    @given(factors_strategy(words=words))
    @settings(max_examples=2 * settings.default.max_examples)
    def check(factors: list[Factor]) -> None:
        cells = grid(factors)
        assert len(set(folders(cells))) == len(cells)
        for cell in cells:
            assert re.fullmatch(r"[A-Za-z0-9_.,=+-]{1,100}", cell.name)
            assert not is_reserved(cell.name)

    check()


@given(factors_strategy(2, AWKWARD), factors_strategy(2, AWKWARD))
def test_folder_names_are_unique_among_studies_that_may_grow_together(one: list[Factor], other: list[Factor]) -> None:
    cells = {cell.changes: cell for cell in (*grid(one), *grid(other))}.values()
    assert len(set(folders([*cells]))) == len(cells)


@pytest.mark.parametrize(
    ("levels", "name"),
    [
        ({"residual": "false"}, "residual=false"),
        ({"lr": "0.001", "bn": "pre"}, "lr=0.001,bn=pre"),
        ({"model@net": "small"}, "model_net=small-22617c7aa757"),
        ({"model": "ResNet"}, "model=resnet-"),
        ({"model": "resnet"}, "model=resnet"),
        ({"aux.weight": "0.5"}, "_aux.weight=0.5-"),
        ({"lr": "1."}, "_lr=1.-"),
        ({}, "full"),
    ],
)
def test_plain_names_stay_plain_and_others_end_with_a_hash(levels: dict[str, str], name: str) -> None:
    cell = Cell({**levels}, tuple(levels), "label")
    if name.endswith("-"):
        assert re.fullmatch(re.escape(name) + "[0-9a-f]{12}", cell.name)
    else:
        assert cell.name == name


def test_a_plan_keeps_the_names_that_an_earlier_rule_gave_its_cells() -> None:
    model = Factor("model", (Level("VGG"), Level("ResNet"), Level("resnet18")), "VGG")
    values = plan("factorial", [model]).to_dict()
    values["cells"][1]["name"] = "model=ResNet"
    old = Plan.from_dict(values)
    assert [cell.name for cell in old.cells] == ["full", "model=ResNet", "model=resnet18"]
    assert Plan.from_dict(json.loads(json.dumps(old.to_dict()))) == old
    assert plan("factorial", [model]).with_names_of(old) == old
    grown = plan("factorial", [model, switch("residual")]).with_names_of(old)
    assert [cell.name for cell in grown.cells if "residual" not in cell.changed] == [cell.name for cell in old.cells]


@pytest.mark.parametrize("name", ["", "..", "../../x", "a/b", "model=resnet18", "MODEL=resnet18", "x" * 101])
def test_a_plan_that_names_cells_badly_is_refused(name: str) -> None:
    values = plan("factorial", [Factor("model", (Level("vgg"), Level("resnet"), Level("resnet18")), "vgg")]).to_dict()
    values["cells"][1]["name"] = name
    with pytest.raises(DesignError):
        Plan.from_dict(values)


def test_cells_that_read_alike_are_no_plan() -> None:
    equals = [Factor("==", (Level("1"), Level("=")), "1"), Factor("=", (Level("1"), Level("==")), "1")]
    with pytest.raises(DesignError, match="===="):
        plan("factorial", equals)


def test_a_level_that_reads_like_two_does_not_share_a_folder() -> None:
    a = Factor("a", tuple(Level(label) for label in ("0", "1", "1,b=2")), "0")
    b = Factor("b", (Level("0"), Level("2")), "0")
    one, other = cell_of({"a": "1,b=2"}, [a, b]), cell_of({"a": "1", "b": "2"}, [a, b])
    assert one.name != other.name


def test_a_cell_keeps_its_folder_when_the_study_grows_by_a_factor() -> None:
    assert cell_of({"residual": "false"}, SIX[:1]).name == cell_of({"residual": "false"}, SIX).name


def test_folder_names_of_the_six_can_be_read() -> None:
    names = [cell.name for cell in plan("leave_one_out", SIX, CHILDREN).cells]
    assert names[:3] == ["full", "residual=false", "batch_norm=false"]


@given(factors_strategy(most=4), st.data())
def test_constraints_never_leave_a_child_without_its_parent(factors: list[Factor], data: st.DataObject) -> None:
    rules = []
    for index, child in enumerate(factors[1:], 1):
        parent = data.draw(st.sampled_from(factors[:index]))
        allowed = {parent.reference, *data.draw(st.lists(st.sampled_from(parent.labels), max_size=2))}
        rules.append(Requires(child.name, parent.name, tuple(sorted(allowed))))
    made = plan("factorial", factors, rules)
    reference = {factor.name: factor.reference for factor in factors}
    for cell in made.cells:
        for rule in rules:
            if cell.levels[rule.parent] not in rule.levels:
                assert rule.child in cell.void
                assert cell.levels[rule.child] == reference[rule.child]


@pytest.fixture
def toy_design() -> Iterator[Design]:
    def ends(space: DesignSpace) -> Layout:
        return Layout(({}, {space.factors[0].name: space.factors[0].labels[-1]}), ("The first factor alone.",))

    yield DESIGNS.register(Design("toy", "the first factor alone", ends, takes_every_level=True))
    DESIGNS.unregister("toy")


def test_a_registered_design_is_one_of_the_designs(toy_design: Design) -> None:
    head = Factor("head", (Level("gap"), Level("gmp"), Level("flatten")), "gap")
    made = plan("toy", [head, switch("a")])
    assert [cell.label for cell in made.cells] == ["full", "head=flatten"]
    # It takes every level, so that no note says which one it left out.
    assert made.notes == ("The first factor alone.",)
    assert labels("toy+leave_one_out", [head, switch("a")]) == ["full", "head=flatten", "w/o a"]
    assert designs_of("toy + leave_one_out") == (toy_design, DESIGNS["leave_one_out"])
    with pytest.raises(DesignError, match=r"Designs: leave_one_out, .*, toy, and unions of them with"):
        plan("toyy", [head])


def test_a_name_is_given_once(toy_design: Design) -> None:
    assert DESIGNS.register(toy_design) is toy_design
    with pytest.raises(ConfigError, match=r"There is a design 'toy' already; give yours another name\."):
        DESIGNS.register(Design("toy", "another", toy_design.layout))


def test_what_is_no_registered_design_has_no_questions() -> None:
    assert designs_of("confirmation") == ()
    assert [part.name for part in designs_of("pairs+confirmation")] == ["pairs"]


def test_a_design_of_another_package_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    class EntryPoint:
        def __init__(self, name: str, value: object) -> None:
            self.name, self.value, self._object = name, f"package:{name}", value

        def load(self) -> object:
            if isinstance(self._object, Exception):
                raise self._object
            return self._object

    theirs = Design("theirs", "of a package", DESIGNS["baseline"].layout)
    found = [EntryPoint("theirs", theirs), EntryPoint("broken", ImportError("no module"))]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: found if group == "ablate.toys" else [])
    designs: Registry[Design] = Registry("design", group="ablate.toys")
    with pytest.warns(UserWarning, match="The design 'broken' of package:broken is left out: no module"):
        assert designs["theirs"] is theirs
    assert list(designs) == ["theirs"] and "other" not in designs
