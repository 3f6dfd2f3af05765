from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("keras")
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.errors import NetworkError
from ablate.keras.data.dataset import Pool
from ablate.keras.data.split import split

pytestmark = pytest.mark.keras


def pool(counts, official=()):
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = labels[np.random.default_rng(0).permutation(len(labels))]
    parts = {"train": np.arange(len(labels))}
    for name in official:
        parts[name], parts["train"] = parts["train"][:20], parts["train"][20:]
    names = tuple(f"c{label}" for label in range(len(counts)))
    return Pool("made", np.zeros((len(labels), 1, 1, 1), np.uint8), labels, names, parts, np.ones((len(labels), 2)))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    counts=st.lists(st.integers(20, 60), min_size=2, max_size=5),
    official=st.sampled_from([(), ("test",), ("test", "validation")]),
    limits=st.lists(st.integers(30, 400), min_size=2, max_size=2),
)
def test_parts_share_no_image_keep_the_classes_shares_and_nest_under_limits(seed, counts, official, limits):
    made = pool(counts, official)
    small, large = sorted(limits)
    parts = {limit: split(made, seed, validation=0.2, test=0.2, limit=limit) for limit in (small, large, None)}
    for limit, own in parts.items():
        together = np.concatenate(list(own.values()))
        assert len(set(together.tolist())) == len(together)
        learning = len(own["train"]) + len(own["validation"])
        assert limit is None or learning == min(limit, len(parts[None]["train"]) + len(parts[None]["validation"]))
        for name in official:
            if name == "test" or limit is None:
                assert set(own[name]) == set(made.official[name])
    assert len(np.concatenate(list(parts[None].values()))) == sum(counts)
    for name in ("train", "validation", "test"):
        assert set(parts[small][name]) <= set(parts[large][name]) <= set(parts[None][name])
    if not official:
        for own in parts.values():
            for index in own.values():
                got = np.bincount(made.labels[index], minlength=len(counts)) / len(index)
                # Three cuts, each off by one image of a class at most.
                assert np.abs(got - np.array(counts) / sum(counts)).max() <= 3 / len(index)


def test_a_seed_draws_its_own_split_and_always_the_same():
    made = pool([40, 40])
    first, again, other = (split(made, seed, validation=0.2, test=0.2) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert set(first["test"]) != set(other["test"])
    assert {name: len(index) for name, index in first.items()} == {"test": 16, "validation": 16, "train": 48}


def test_a_part_without_images_or_a_class_without_training_image_is_refused():
    with pytest.raises(NetworkError) as caught:
        split(pool([3, 3]), 0, validation=0.01, test=0.3)
    assert str(caught.value) == (
        "Data set 'made' leaves no image for validation (test 2, train 4, validation 0): "
        "raise data.limit, or change data.validation and data.test."
    )
    with pytest.raises(NetworkError) as caught:
        split(pool([20, 1, 20]), 0, validation=0.2, test=0.2, limit=4)
    assert str(caught.value) == (
        "Data set 'made' has no training image of c1 among 3: "
        "raise data.limit, lower data.validation and data.test, or add images."
    )
