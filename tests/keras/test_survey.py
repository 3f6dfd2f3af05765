"""What a network is made of, as rows and as a table."""

from __future__ import annotations

import json

import pytest

keras = pytest.importorskip("keras")

import pandas as pd  # noqa: E402
from rich.console import Console  # noqa: E402
from stranger_networks import inverted  # noqa: E402

from ablate.keras.models import ModelSignature, build  # noqa: E402
from ablate.keras.rewrites import INGREDIENTS  # noqa: E402
from ablate.keras.survey import ingredients, main, survey_table  # noqa: E402

pytestmark = pytest.mark.keras


@pytest.fixture(scope="module")
def mini():
    return build({"name": "mini_xception", "filters": [4, 8]}, ModelSignature((8, 8, 1), 3))


def test_a_row_an_ingredient(mini):
    found = ingredients(mini)
    assert list(found.index) == list(INGREDIENTS)
    residual = found.loc["residual"]
    assert (residual.sites, residual.places, residual.removable) == (2, ["block1_add", "block2_add"], True)
    # the projections: 4 x 4 and 4 x 8 weights
    assert residual.weights - residual.weights_without == 16 + 32
    assert residual.flops_without < residual.flops
    absent = found.loc["squeeze_excite"]
    assert (absent.sites, absent.removable) == (0, False)
    assert absent.remark == "no product of a map with gates computed from its global pooling"
    assert found.places["without_block"] == ["stem_conv", "block1", "block2"]
    assert found.weights_without.isna()[["squeeze_excite", "without_block"]].all()


def test_rows_are_plain_and_readable(tiny):
    rows = main(tiny())
    assert json.loads(json.dumps(rows)) == rows
    console = Console(width=120, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(survey_table(rows))
    text = captured.get()
    assert "residual" in text
    assert "each a level: stem_conv, block1, block2" in text
    assert "not there" in text


def test_the_full_network_of_a_configuration(tiny):
    rows = main(tiny(residual=False))
    assert rows[0]["sites"] == 2


def test_blocks_without_which_a_network_cannot_be_built_are_listed_apart():
    row = ingredients(inverted((8, 8, 1), 10)).loc["without_block"]
    assert (row.sites, row.places) == (2, ["second", "last"])
    assert list(row.left_alone) == ["first_expand", "first_project"]
    assert row.remark.startswith("each a level: second, last; left alone: first_expand, first_project (what follows")


def test_what_cannot_be_taken_away_says_why():
    inputs = keras.Input((None, None, 3))
    x = keras.layers.GlobalAveragePooling2D(name="pool")(keras.layers.Conv2D(4, 3)(inputs))
    head = ingredients(keras.Model(inputs, keras.layers.Dense(2)(x), name="free")).loc["head"]
    assert not head.removable
    assert head.remark.startswith("`head` cannot become flatten in model 'free': layer 'pool' gets maps of no")
    assert pd.isna(head.flops)
