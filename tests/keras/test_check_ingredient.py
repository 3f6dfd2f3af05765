"""The ready-made check of an ingredient."""

from __future__ import annotations

import pytest

keras = pytest.importorskip("keras")

from keras import layers  # noqa: E402

from ablate.keras.models import ModelSignature, build  # noqa: E402
from ablate.keras.rewrites import INGREDIENTS, Ingredient, Site  # noqa: E402
from ablate.testing import check_ingredient  # noqa: E402

pytestmark = pytest.mark.keras


@pytest.fixture(scope="module")
def mini():
    return build({"name": "mini_xception", "filters": [4, 8]}, ModelSignature((8, 8, 1), 3))


def test_what_it_sees(mini, tmp_path):
    seen = check_ingredient(INGREDIENTS["residual"], mini, folder=tmp_path)
    assert (seen.sites, seen.weights - seen.weights_without) == (2, 4 * 4 + 4 * 8)
    assert sorted(seen.removed) == ["block1_add", "block1_projection", "block2_add", "block2_projection"]
    assert seen.changed == seen.added == ()
    flip = check_ingredient(INGREDIENTS["flip"], mini, True, leaves_none=False, train=False)
    assert (flip.sites, flip.added) == (0, ("augmentation_flip",))


class Broken(Ingredient):
    name = "broken"
    description = "an ingredient with all faults"
    absence = "no separable convolution"

    def find(self, graph):
        return tuple(Site((node.key,)) for node in graph.find(layers.SeparableConv2D))

    def rewrite(self, graph, sites, level):
        classifier = graph.layers["classifier"]
        return graph.edited(layers=[classifier.configured(units=5)])


def test_all_faults_at_once(mini):
    with pytest.raises(AssertionError) as caught:
        check_ingredient(Broken(), mini, train=False)
    assert str(caught.value) == (
        "broken=False in model 'mini_xception':\n"
        "4 of 4 places are still found in the network without it.\n"
        "The output has the shape (None, 5) instead of (None, 3).\n"
        "Layers that are not next to a place have other arguments: classifier."
    )


def test_an_ingredient_that_is_not_there(mini):
    with pytest.raises(AssertionError, match=r"^`squeeze_excite` is not found in model 'mini_xception'\.$"):
        check_ingredient(INGREDIENTS["squeeze_excite"], mini)


def test_a_nested_sequential_model_away_from_the_places_counts_as_unchanged():
    inputs = keras.Input((8, 8, 3))
    stem = keras.Sequential([keras.layers.Conv2D(4, 3), keras.layers.LayerNormalization()], name="stem")
    x = keras.layers.Conv2D(4, 3)(stem(inputs))
    x = keras.layers.Flatten()(keras.layers.ReLU(name="relu")(x))
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    assert check_ingredient(INGREDIENTS["activation"], model, "linear", train=False).removed == ("relu",)
