"""Which runs were made with the same version of a thing, and which were not."""

from __future__ import annotations

from ablate.store.fingerprints import differing, mixed_names, versions


def test_what_only_one_run_has_makes_no_difference() -> None:
    small = {"code/train.py": "1", "code/small.py": "2"}
    large = {"code/train.py": "1", "code/large.py": "3"}
    assert differing(small, large) == []
    assert mixed_names({"small": small, "large": large}) == []
    labels = versions({"small": small, "large": large})
    assert labels["small"] == labels["large"]


def test_a_part_that_changed_makes_another_version_of_its_thing_alone() -> None:
    runs = {
        0: {"code/train.py": "1", "data/digits": "a"},
        1: {"code/train.py": "2", "data/digits": "a"},
        2: {"code/train.py": "1", "data/telugu": "b"},
    }
    assert mixed_names(runs) == ["code/train.py"]
    labels = versions(runs)
    assert labels[0]["code"] == labels[2]["code"] != labels[1]["code"]
    assert labels[0]["data"] == labels[1]["data"] == labels[2]["data"]
    assert "data" not in versions({3: {"code/train.py": "1"}})[3]
