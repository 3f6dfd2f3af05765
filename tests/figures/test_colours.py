from __future__ import annotations

import itertools

from toy_studies import DATA, study_of, switch

from ablate.figures.colours import cell_styles, factor_colours
from ablate.study import Factor, Level, Study, make_plan


def test_a_factor_has_one_colour_in_all_its_cells() -> None:
    plan = study_of("abc", design="add_one_in+leave_one_out", epochs=0).plan
    looks, colours = cell_styles(plan), factor_colours(plan)
    assert (
        [looks[f"w/o {name}"].colour for name in "abc"] == list(colours.values()) == ["#D55E00", "#0072B2", "#E69F00"]
    )
    assert (looks["full"].colour, looks["full"].line) == ("#000000", "solid")
    several = [look for cell, look in looks.items() if "," in cell]
    assert several and all(len({look.colour[1:3], look.colour[3:5], look.colour[5:]}) == 1 for look in several)  # grey


def test_the_colour_stays_when_a_study_grows_or_cells_come_in_another_order() -> None:
    small = cell_styles(study_of("ab", epochs=0).plan)
    large = cell_styles(study_of("abc", design="factorial", epochs=0).plan)
    assert small["w/o a"] == large["w/o a"] and small["w/o b"] == large["w/o b"]


def test_levels_of_one_factor_are_shades_with_lines_and_markers_of_their_own() -> None:
    rate = Factor("rate", (Level("1"), Level("2"), Level("3"), Level("4")), "1")
    looks = cell_styles(study_of([rate], design="factorial", epochs=0).plan)
    others = [looks[f"rate={level}"] for level in "234"]
    assert len({look.colour for look in others}) == len({look.line for look in others}) == 3
    assert others[0].colour == "#D55E00"


def test_a_cell_styles_the_same_on_every_data_set() -> None:
    looks = cell_styles(study_of([DATA, "a"], epochs=0).plan)
    assert looks["data=telugu, w/o a"] == looks["w/o a"] and looks["data=telugu"] == looks["full"]


def test_looks_of_a_large_grid_differ_in_line_marker_or_colour() -> None:
    plan = make_plan(Study("demo", "factorial", (0,), "score"), [switch(name) for name in "abcdefg"])
    looks = list(cell_styles(plan).values())
    assert all(one != two for one, two in itertools.pairwise(looks))
    assert len(set(looks)) >= 75
