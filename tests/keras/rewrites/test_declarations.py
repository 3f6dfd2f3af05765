"""What ingredients say about themselves, without Keras."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ablate.keras.graph import Graph
from ablate.keras.rewrites import INGREDIENTS, Ingredient, Stage
from ablate.keras.rewrites.rewriting import rewriting_order
from ablate.objects import load_object


def test_declarations_load_neither_keras_nor_numpy():
    program = (
        "import json, sys\n"
        "from ablate.objects import load_object\n"
        "known = load_object('ablate.keras.rewrites.catalogue')()\n"
        "import ablate.keras\n"
        "heavy = [name for name in ('keras', 'tensorflow', 'numpy', 'pandas', 'matplotlib') if name in sys.modules]\n"
        "print(json.dumps([list(known), [known['head'].allows('flat'), known['head'].allowed()], heavy]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    names, head, heavy = json.loads(done.stdout)
    assert names[:6] == ["residual", "batch_norm", "bn_placement", "separable", "head", "bias"]
    assert head == [False, ["gap", "gmp", "flatten"]]
    assert heavy == []


def test_the_order_of_rewriting():
    assert " ".join(rewriting_order(INGREDIENTS)) == (
        "augmentation flip rotation zoom contrast without_block mlp attention residual position norm_placement "
        "squeeze_excite spatial_attention dense_connections skip separable groups pooling upsampling bidirectional "
        "bn_placement activation bias batch_norm norm dropout head"
    )


def test_what_each_says_about_itself():
    for name, ingredient in INGREDIENTS.items():
        assert ingredient.name == name
        assert ingredient.label
        assert ingredient.description
        assert ingredient.absence
        assert ingredient.allows(ingredient.levels[0])
        assert ingredient.removed is None or ingredient.allows(ingredient.removed)
        assert ingredient.removed != ingredient.levels[0]
        assert all(
            INGREDIENTS[other].allows(level) for other in ingredient.requires for level in ingredient.requires[other]
        )
    assert {name for name, one in INGREDIENTS.items() if one.requires} == {"bn_placement", "bias"}
    assert {name for name, one in INGREDIENTS.items() if not one.limited} == {
        "augmentation",
        "flip",
        "rotation",
        "zoom",
        "contrast",
    }


class Toy(Ingredient):
    """Never there; its levels are not those of most ingredients."""

    name = "toy"
    description = "a toy"
    absence = "no toy"
    levels = ("built", "small", "none")

    def find(self, graph: Graph):
        return ()

    def rewrite(self, graph: Graph, sites, level):
        return graph


class Early(Toy):
    name = "early"
    label = "early toys"
    removed = "small"
    stage = Stage.BLOCKS


def test_what_a_class_leaves_out_follows_from_the_rest():
    assert (Toy.label, Toy.removed, Toy.stage, dict(Toy.requires), Toy.limited) == ("toy", "none", Stage.LAST, {}, True)
    assert (Early.label, Early.removed) == ("early toys", "small")
    order = rewriting_order({**INGREDIENTS, "toy": Toy(), "early": Early()})
    assert order[-1] == "toy"
    assert order.index("early") == order.index("attention") + 1


def test_an_ingredient_is_registered_by_its_dotted_path(tmp_path, monkeypatch):
    (tmp_path / "toys.py").write_text(
        "from ablate.keras import Ingredient\n"
        "class Toy(Ingredient):\n"
        "    name, description, absence = 'toy', 'a toy', 'no toy'\n"
        "    def find(self, graph): return ()\n"
        "    def rewrite(self, graph, sites, level): return graph\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    catalogue = load_object("ablate.keras.rewrites.catalogue")
    assert list(catalogue({"toy": "toys.Toy"})) == [*INGREDIENTS, "toy"]
    assert "toy" not in catalogue()


@pytest.mark.keras
def test_classes_of_layers_are_named_as_keras_names_them():
    layers = pytest.importorskip("keras").layers
    from ablate.keras import kinds

    constants = {name: value for name, value in vars(kinds).items() if name.isupper() and isinstance(value, tuple)}
    groups = {name: value for name, value in constants.items() if "OPERATIONS" not in name}
    assert len(groups) >= 6
    for names in groups.values():
        for name in names:
            assert getattr(layers, name).__name__ == name
