from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("keras")
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.keras.data.dataset import Dataset, Pool, Subset
from ablate.keras.data.loading import clear_pools, load
from ablate.keras.data.quality import Overlap, chance, imbalance, leaks, overlaps, repeats

pytestmark = pytest.mark.keras


def made(shades, labels, train, validation, test):
    images = np.array(shades, np.uint8).reshape(-1, 1, 1, 1)
    pool = Pool("made", images, np.array(labels), ("a", "b"), {}, np.ones((len(images), 2), np.int32))
    parts = (Subset(pool, np.array(index)) for index in (train, validation, test))
    return Dataset(*parts, np.zeros(1), np.ones(1))


def test_equal_images_in_two_parts_are_counted_with_those_of_another_class():
    data = made([1, 1, 2, 3, 1, 2, 9], [0, 0, 1, 0, 0, 0, 1], train=[0, 1, 2], validation=[3], test=[4, 5, 6])
    assert overlaps(data) == (Overlap("train", "test", images=2, contrary=1),)
    assert repeats(data) == {"train": 1}


def test_only_what_leaks_into_the_test_part_is_told_beforehand():
    data = made([1, 1, 2, 2, 1, 2, 2], [0, 0, 1, 1, 0, 1, 1], train=[0, 2], validation=[1, 3], test=[4, 5, 6])
    assert leaks(data) == (
        "3 of the 3 test images of 'made' are in the training part too, pixel by pixel.",
        "3 of the 3 test images of 'made' are in the validation part too, pixel by pixel.",
    )
    assert leaks(made(range(3), [0, 1, 0], train=[0], validation=[1], test=[2])) == ()


def test_balance_and_chance_follow_the_training_part():
    data = made(range(7), [0, 0, 0, 1, 0, 1, 1], train=[0, 1, 2, 3], validation=[4], test=[4, 5, 6])
    assert imbalance(data) == 3
    assert chance(data) == pytest.approx(1 / 3)
    assert imbalance(made(range(3), [0, 0, 1], train=[0], validation=[1], test=[2])) == float("inf")


def digits():
    return {"source": "digits"}


def folder(shared_data):
    return {"source": "folder", "path": str(shared_data / "images/rps"), "size": 8}


def flat_folder(shared_data):
    return {"source": "folder", "path": str(shared_data / "images/rps/train"), "size": 8}


def function():
    return {"source": "builder", "builder": f"{__name__}.noise"}


def noise():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (90, 4, 4, 3), dtype=np.uint8), np.arange(90) % 3


@settings(max_examples=settings.default.max_examples // 2)
@given(
    source=st.sampled_from(["digits", "folder", "flat folder", "function"]),
    seed=st.integers(0, 2**32),
    limits=st.lists(st.integers(30, 2000), min_size=2, max_size=2),
    shares=st.tuples(st.floats(0.1, 0.3), st.floats(0.1, 0.3)),
    resplit=st.booleans(),
)
def test_parts_of_any_source_seed_and_limit_share_no_image(shared_folder, source, seed, limits, shares, resplit):
    own = {
        "digits": digits,
        "folder": lambda: folder(shared_folder),
        "flat folder": lambda: flat_folder(shared_folder),
        "function": function,
    }[source]()
    common = {**own, "validation": shares[0], "test": shares[1], "resplit": resplit}
    small, large = (load({**common, "limit": limit}, seed) for limit in sorted(limits))
    for data in (small, large):
        together = np.concatenate([part.index for part in data.subsets.values()])
        assert len(np.unique(together)) == len(together)
        assert all(len(part) for part in data.subsets.values())
    for name, part in small.subsets.items():
        assert set(part.index) <= set(large.subsets[name].index)


@pytest.fixture(scope="module")
def shared_folder():
    from pathlib import Path

    folder = Path(__file__).resolve().parents[3].parent / "shared/data"
    if not folder.is_dir():
        pytest.skip(f"the test data are not at {folder}")
    clear_pools()
    return folder
