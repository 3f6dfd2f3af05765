"""Several data sets of any kind in one study: a block whose levels are the sets."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("keras")

from hydra.core.override_parser.overrides_parser import OverridesParser

from ablate.app.main import with_quotes
from ablate.errors import ConfigError
from ablate.keras.settings import check_data, data_blocks, data_sets

pytestmark = pytest.mark.keras


def levels(sets):
    return {name: list(lines) for name, lines in data_sets({"source": "digits", "sets": sets}).items()}


def refused(sets):
    with pytest.raises(ConfigError) as caught:
        levels(sets)
    return str(caught.value).splitlines()


def test_each_set_is_a_level_that_leaves_nothing_of_the_list_behind():
    assert levels([{"path": "a/photos", "limit": 20}, "telugu", {"source": "tfds", "name": "beans"}]) == {
        "photos": ["data=folder", 'data.path="a/photos"', "data.limit=20", "data.sets=null"],
        "telugu": ["data=telugu", "data.sets=null"],
        "beans": ["data=tfds", 'data.name="beans"', "data.sets=null"],
    }
    assert data_blocks({"data": {"sets": ["digits", "telugu"]}}) == {"data": levels(["digits", "telugu"])}
    assert data_blocks({"data": {"sets": None}}) == {} == data_blocks({})


def test_sets_may_have_names_of_their_own():
    named = levels({"left": {"path": "a/photos"}, "right": {"path": "b/photos", "name": "R"}, "digits": "digits"})
    assert named["left"] == ["data=folder", 'data.path="a/photos"', 'data.name="left"', "data.sets=null"]
    assert named["right"][2] == 'data.name="R"'
    (fault,) = refused([{"path": "a/photos"}, {"path": "b/photos"}])
    assert "2 sets are called 'photos'" in fault
    assert "data.sets={photos_a: ..., photos_b: ...}" in fault


def test_all_faults_of_all_sets_are_said_at_once():
    faults = refused([{"pth": "x"}, {"source": "folder", "size": -1}, {"source": "digits", "path": "x", "sets": []}])
    assert [fault.partition(":")[0].split("=")[0] for fault in faults] == [
        "data.sets[0].source is missing",
        "data.sets[0] has no key 'pth'. Did you mean 'path'?",
        "data.sets[1].size",
        "data.sets[1].path",
        "data.sets[2] has no key 'path'. Keys",
        "data.sets[2].sets",
    ]


@pytest.mark.parametrize("sets", ["digits", ["digits"], [1, 2], {"a": "digits"}, 3])
def test_what_is_no_list_of_sets_is_refused_with_an_example(sets):
    (fault,) = refused(sets)
    assert "[{path: photos}, digits]" in fault


def test_a_single_run_has_one_set():
    faults = check_data({"source": "digits", "sets": ["digits", "telugu"]})[1]
    assert any("python -m ablate -m data.sets=" in fault for fault in faults)


@pytest.mark.parametrize(
    "sets",
    [
        [{"path": "~/my photos (1)", "name": "식물"}, "digits"],
        [{"path": 'a "b" \\', "labels": ["a.csv", "b.csv"], "parts": {"train": "x y"}}, {"source": "digits"}],
        {"a": {"path": "x", "exclude": ["*_mask*"], "white": None, "skip_corrupt": True}, "b": "digits"},
    ],
)
def test_sets_may_be_typed_as_in_yaml(sets):
    """Paths of any letters, which Hydra's grammar has only in quotes."""
    typed = with_quotes(f"data.sets={json.dumps(sets, ensure_ascii=False)}")
    assert OverridesParser.create().parse_override(typed).value() == sets
    # The lines of a level are in Hydra's grammar as well.
    for lines in levels(sets).values():
        values = [OverridesParser.create().parse_override(line) for line in lines]
        assert values[0].key_or_group == "data"
    plain = with_quotes("data.sets=[{path: ~/my photos}, digits]")
    assert OverridesParser.create().parse_override(plain).value() == [{"path": "~/my photos"}, "digits"]


def test_the_source_of_a_path_is_said_by_its_suffix():
    chosen = levels([{"path": "a.npz"}, {"path": "photos"}, {"path": "b.csv", "target": "price"}])
    assert [lines[0] for lines in chosen.values()] == ["data=arrays", "data=folder", "data=table"]
