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


def pool(counts, official=(), shades=None):
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = labels[np.random.default_rng(0).permutation(len(labels))]
    parts = {"train": np.arange(len(labels))}
    for name in official:
        parts[name], parts["train"] = parts["train"][:20], parts["train"][20:]
    names = tuple(f"c{label}" for label in range(len(counts)))
    # An image a number, so that none is there twice unless a few shades are all there is.
    shown = np.arange(len(labels)) if shades is None else np.random.default_rng(1).integers(0, shades, len(labels))
    images = shown.astype("<u4").view(np.uint8).reshape(-1, 2, 2, 1)
    return Pool("made", images, labels, names, parts, np.ones((len(labels), 2)))


@settings(max_examples=settings.default.max_examples // 2)
@given(
    seed=st.integers(0, 2**40),
    # Two official parts of 20 images each must leave some to train on.
    counts=st.lists(st.integers(25, 60), min_size=2, max_size=5),
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


@settings(max_examples=settings.default.max_examples // 2)
@given(
    seed=st.integers(0, 2**40),
    counts=st.lists(st.integers(20, 60), min_size=2, max_size=5),
    official=st.booleans(),
    shades=st.integers(15, 300),
    limit=st.none() | st.integers(30, 400),
)
def test_images_that_are_there_twice_are_drawn_into_one_part(seed, counts, official, shades, limit):
    made = pool(counts, ("test",) * official, shades)
    parts = split(made, seed, validation=0.2, test=0.2, limit=limit)
    drawn = ["train", "validation"] if official else ["train", "validation", "test"]
    shown = [set(made.contents[parts[name]].tolist()) for name in drawn]
    assert sum(map(len, shown)) == len(set.union(*shown))
    if limit is None:
        whole = np.concatenate(list(parts.values()))
        assert sorted(whole) == list(range(sum(counts)))
        aims = {name: round(0.2 * len(made.official["train"])) for name in drawn[1:]}
        most = np.unique(made.twins, return_counts=True)[1].max()
        assert all(aim - most < len(parts[name]) <= aim for name, aim in aims.items())


def test_an_image_that_is_half_of_the_set_is_learnt_from():
    made = pool([40, 40])
    made.images[made.labels == 0] = 7
    parts = split(made, 3, validation=0.2, test=0.2)
    assert {name: len(index) for name, index in parts.items()} == {"test": 16, "validation": 16, "train": 48}
    assert set(made.labels[parts["train"]]) == {0, 1}
    assert set(made.labels[parts["test"]]) == {1}


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
        "raise data.limit, or change data.validation and data.test. Equal images stay in one part, and 6 of them "
        "differ."
    )
    same = pool([3, 3])
    same.images[:5] = 9
    with pytest.raises(NetworkError) as caught:
        split(same, 0, validation=0.2, test=0.2)
    assert str(caught.value) == (
        "Data set 'made' leaves no image for validation (test 1, train 5, validation 0): raise data.limit, or change "
        "data.validation and data.test. Equal images stay in one part, and 2 of them differ."
    )
    with pytest.raises(NetworkError) as caught:
        split(pool([20, 1, 20]), 0, validation=0.2, test=0.2, limit=4)
    assert str(caught.value) == (
        "Data set 'made' has no training image of c1 among 3: "
        "raise data.limit, lower data.validation and data.test, or add images."
    )
