"""The parts of a diagram, and the files."""

from __future__ import annotations

import pytest

keras = pytest.importorskip("keras")

from keras import layers  # noqa: E402

from ablate.keras.diagram_blocks import Branches, LayerLabel, LayerRow, Repeat, diagram_blocks  # noqa: E402
from ablate.keras.drawing import draw, write_cells  # noqa: E402
from ablate.keras.graph_reader import graph_of  # noqa: E402
from ablate.keras.models import ModelSignature, build  # noqa: E402
from ablate.keras.rewrites import remove  # noqa: E402

pytestmark = pytest.mark.keras


def plain(items):
    """Blocks as plain text: rows as labels, repetitions as (number, blocks), branches as their paths in a list."""
    found = []
    for item in items:
        if isinstance(item, LayerRow):
            found.append(" ".join(label.text for label in item.labels))
        elif isinstance(item, Repeat):
            found.append((item.title or item.times, plain(item.blocks)))
        else:
            found.append([plain(item.main), [plain(side) for side in item.sides], plain([item.join])])
    return found


def states(items):
    """All labels and paths that a cell changes."""
    found = []
    for item in items:
        if isinstance(item, LayerRow):
            found += [(label.text, label.state) for label in item.labels if label.state != "unchanged"]
        elif isinstance(item, Repeat):
            found += states(item.blocks)
        else:
            found += states(item.main)
            for side in item.sides:
                found += [("path", "removed")] if item.is_removed(side) else []
                found += states(side)
            found += states([item.join])
    return found


@pytest.fixture(scope="module")
def mini():
    return build({"name": "mini_xception", "filters": [4, 8]}, ModelSignature((8, 8, 1), 3))


def block(size):
    row = f"BN ReLU SepConv 3×3, {size}"
    return [[(2, [row]), "MaxPool 3×3 /2"], [[f"Conv 1×1, {size} /2"]], ["+"]]


def test_parts_of_mini_xception(mini):
    assert plain(diagram_blocks(graph_of(mini))) == [
        "Input 8×8×1",
        "Conv 3×3, 4",
        block(4),
        block(8),
        "GAP",
        "Dropout 0.25",
        "Dense 3 softmax",
    ]


def test_equal_blocks_are_folded():
    model = build({"name": "resnet", "filters": [4], "blocks": [4]}, ModelSignature((8, 8, 1), 3))
    assert plain(diagram_blocks(graph_of(model)))[2:-3] == [
        (4, [[["Conv 3×3, 4 BN ReLU", "Conv 3×3, 4 BN"], [[]], ["+ ReLU"]]]),
    ]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ({"residual": False}, [("path", "removed"), ("Conv 1×1, 4 /2", "removed"), ("+", "removed")]),
        ({"bn_placement": "after"}, [("BN moved", "changed")]),
        ({"separable": False}, [("SepConv → Conv 3×3, 4", "changed")]),
        ({"bias": True}, [("SepConv 3×3, 4 + bias", "changed"), ("Conv 1×1, 4 /2 + bias", "changed")]),
        ({"without_block": "block1"}, [("BN", "removed"), ("ReLU", "removed"), ("SepConv 3×3, 4", "removed")]),
    ],
)
def test_what_a_cell_lacks_is_marked(mini, levels, expected):
    items = diagram_blocks(graph_of(mini), graph_of(remove(mini, **levels)))
    first = next(item for item in items if isinstance(item, Branches))
    assert states([first])[: len(expected)] == expected


def test_added_layers_are_marked(mini):
    items = diagram_blocks(graph_of(mini), graph_of(remove(mini, flip=True)))
    assert items[1] == LayerRow((LayerLabel("RandomFlip", "added"),))


def test_a_gate_that_is_gone_leaves_the_way_beside_it():
    inputs = keras.Input((8, 8, 4))
    gate = layers.Dense(4, "sigmoid")(layers.Dense(2)(layers.GlobalAveragePooling2D(keepdims=True)(inputs)))
    x = layers.Conv2D(2, 1)(layers.Multiply()([inputs, gate]))
    model = keras.Model(inputs, x)
    items = diagram_blocks(graph_of(model), graph_of(remove(model, squeeze_excite=False)))
    assert not items[1].is_removed(items[1].sides[0])
    assert ("GAP", "removed") in states(items)


def test_side_by_side_branches_tangles_inputs_and_nested_models():
    left, right = keras.Input((8, 8, 4)), keras.Input((8, 8, 4))
    inner_input = keras.Input((8, 8, 8))
    inner = keras.Model(inner_input, layers.ReLU()(inner_input), name="inner")
    a, b = layers.Conv2D(4, 1)(left), layers.Conv2D(4, 1)(right)
    c, d = layers.Add()([a, b]), layers.Multiply()([a, b])
    model = keras.Model([left, right], inner(layers.Concatenate()([c, d])))
    items = plain(diagram_blocks(graph_of(model)))
    assert items[0].startswith("6 layers: ")
    assert items[1:] == ["Concat", ("inner", ["Input 8×8×8", "ReLU"])]


def test_activations_are_called_by_their_names():
    inputs = keras.Input((8, 8, 4))
    x = layers.Conv2D(3, 3, activation=layers.LeakyReLU(negative_slope=0.1))(inputs)
    x = keras.ops.relu6(layers.LeakyReLU()(layers.PReLU()(layers.Flatten()(x))))
    model = keras.Model(inputs, layers.Dense(2, activation=keras.ops.sin)(x))
    items = diagram_blocks(graph_of(model))
    said = [label.text for item in items for label in item.labels]
    assert said == [
        *("Input 8×8×4", "Conv 3×3, 3 LeakyReLU", "Flatten", "PReLU", "LeakyReLU", "ReLU6", "Dense 2 sin"),
    ]


def test_figures_are_as_wide_as_a_column_and_as_high_as_a_page(mini):
    assert draw(diagram_blocks(graph_of(mini)), "full").get_size_inches()[0] == pytest.approx(3.3)
    long = keras.Sequential([keras.Input((4,)), *(layers.Dense(4 + n % 2 * n) for n in range(90)), layers.Dense(4)])
    width, height = draw(diagram_blocks(graph_of(long))).get_size_inches()
    assert width == pytest.approx(3 * 3.3)
    assert height < 10


def test_every_cell_has_its_diagram_and_what_cannot_be_drawn_is_told(tiny, tmp_path):
    cells = [("full", "full"), ("residual=false", "w/o residual"), ("squeeze_excite=false", "w/o squeeze_excite")]
    configs = [tiny(), tiny(residual=False), tiny(squeeze_excite=False)]
    (fault,) = write_cells(cells, configs, str(tmp_path / "diagrams"))
    assert fault.startswith("w/o squeeze_excite is not drawn: `squeeze_excite` is not present in model 'mini_xception'")
    files = sorted((tmp_path / "diagrams").iterdir())
    assert [file.name for file in files] == ["full.pdf", "full.svg", "residual=false.pdf", "residual=false.svg"]
    assert "taken away" in files[3].read_text()
    assert "taken away" not in files[1].read_text()
    first = [file.read_bytes() for file in files]
    write_cells(cells[:2], configs[:2], str(tmp_path / "diagrams"))
    assert [file.read_bytes() for file in files] == first
