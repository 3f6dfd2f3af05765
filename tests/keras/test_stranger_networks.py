"""Networks of strangers, from the survey of their ingredients to a trained run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

keras = pytest.importorskip("keras")

import stranger_networks as networks  # noqa: E402

from ablate.errors import NetworkError  # noqa: E402
from ablate.keras.costing import measure  # noqa: E402
from ablate.keras.data.loading import load  # noqa: E402
from ablate.keras.graph_reader import graph_of  # noqa: E402
from ablate.keras.graph_writer import model_of  # noqa: E402
from ablate.keras.networks import build_model  # noqa: E402
from ablate.keras.outputs import OutputKind, output_kind, probabilities  # noqa: E402
from ablate.keras.predict import predict  # noqa: E402
from ablate.keras.preflight import check  # noqa: E402
from ablate.keras.rewrites import remove  # noqa: E402
from ablate.keras.streams import seeded  # noqa: E402
from ablate.keras.survey import block_factors, main  # noqa: E402
from ablate.keras.train import train  # noqa: E402
from ablate.store.run_folder import RunFolder  # noqa: E402

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]


def with_network(config, name, **model):
    """The configuration with one of the networks of `stranger_networks`."""
    return {**config, "model": {"name": "builder", "builder": f"stranger_networks.{name}", **model}}


def test_a_sequential_model_is_surveyed_and_measured(tiny, monkeypatch):
    monkeypatch.setattr("ablate.keras.costing._SECONDS", 0.0)
    config = with_network(tiny(), "sequential")
    rows = {row["ingredient"]: row for row in main(config)}
    # 3 x 3 + 1 weights for each of 4 channels, 4 + 1 for each of 10 classes
    assert rows["head"]["weights"] == 40 + 50
    assert rows["head"]["weights_without"] == 40 + 10 * (6 * 6 * 4 + 1)
    assert rows["head"]["flops"] > 2 * 36 * 36
    full, without = measure([config, {**config, "dropout": False}])
    assert full["weights"] == without["weights"] == 90
    assert full["flops"] == rows["head"]["flops"]
    assert without["latency_ratio"] > 0 < without["step_ratio"]


def test_what_keras_cannot_write_is_the_same_object_in_the_network_without_an_ingredient():
    full = networks.transformer((8, 8, 1), 3)
    for other in (remove(full, residual=False), seeded(full, 0)):
        assert [layer.name for layer in other.layers if layer.weights] == [x.name for x in full.layers if x.weights]
        assert other.count_params() == full.count_params()
        old, new = full.get_layer("second_dense"), other.get_layer("second_dense")
        assert new is not old
        assert new.activation is networks.squared_relu
        for key in ("kernel_regularizer", "kernel_initializer", "kernel_constraint"):
            assert getattr(new, key) is getattr(old, key)
        assert other.get_layer("first_dense").activation is keras.activations.silu  # TensorFlow's is the same
        assert other.get_layer("first_activation").activation is full.get_layer("first_activation").activation
        assert other.get_layer("first_gated").function is networks.squared_relu
        assert other.get_layer("patch_encoder").num_patches == 16
    gelu = remove(full, activation="gelu", partial=True)
    assert gelu.get_layer("second_dense").activation is keras.activations.gelu
    assert gelu.get_layer("second_dense").kernel_constraint is full.get_layer("second_dense").kernel_constraint


def test_a_transformer_of_keras_io_is_trained_with_and_without_residual_connections(tiny, tmp_path):
    cells = [with_network({**tiny(train={"epochs": 1}), "residual": level}, "transformer") for level in (True, False)]
    full, without = check(cells)
    assert (full["error"], without["error"]) == (None, None)
    assert full["sites"]["residual"] == 2
    results = [train(config, RunFolder(tmp_path / str(number))) for number, config in enumerate(cells)]
    assert [result["weights"] for result in results] == [full["weights"]] * 2


def test_a_frozen_layer_without_keywords_in_its_constructor_stays_frozen():
    inputs = keras.Input((16, 4))
    encoder = networks.PatchEncoder(16, 8)
    encoder.trainable = False
    model = keras.Model(inputs, keras.layers.Dense(2)(encoder(inputs)))
    again = seeded(model, 0)
    assert [layer.trainable for layer in again.layers] == [layer.trainable for layer in model.layers]
    assert len(again.trainable_weights) == 2


TWO_CLASSES = {"source": "builder", "builder": "stranger_networks.two_classes", "size": 8, "channels": 1, "limit": None}


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        ("sigmoid", OutputKind.PROBABILITY),
        ("alone", OutputKind.PROBABILITY),
        ("operation", OutputKind.PROBABILITY),
        ("logit", OutputKind.LOGIT),
        ("logits", OutputKind.LOGITS),
        ("softmax", OutputKind.PROBABILITIES),
        ("shared", OutputKind.PROBABILITIES),
    ],
)
def test_what_a_network_ends_in(ending, kind):
    assert output_kind(networks.convolutional((8, 8, 1), ending)) is kind


@pytest.mark.parametrize(
    ("ending", "advice"),
    [
        ("several", 'Dense(10, activation="softmax")'),
        ("several_alone", 'Dense(10, activation="softmax")'),
        ("relu", 'Dense(1, activation="sigmoid")'),
    ],
)
def test_an_ending_that_fits_no_classes_is_refused_with_what_to_write(ending, advice):
    with pytest.raises(NetworkError) as caught:
        output_kind(networks.convolutional((8, 8, 1), ending))
    assert advice in str(caught.value)


def test_several_labels_an_image_are_refused_before_training(tiny):
    (answer,) = check([with_network(tiny(), "convolutional", args={"ending": "several"})])
    assert 'Dense(10, activation="softmax")' in answer["error"]


def test_probabilities_of_two_classes_from_one_number():
    outputs = np.array([[0.25], [0.75]])
    np.testing.assert_allclose(probabilities(outputs, OutputKind.PROBABILITY), [[0.75, 0.25], [0.25, 0.75]])
    np.testing.assert_allclose(probabilities(np.zeros((1, 1)), OutputKind.LOGIT), [[0.5, 0.5]])


@pytest.mark.parametrize(("ending", "smoothing"), [("sigmoid", 0.0), ("logit", 0.1)])
def test_two_classes_in_one_number(tiny, tmp_path, monkeypatch, ending, smoothing):
    monkeypatch.setattr("ablate.keras.costing._SECONDS", 0.0)
    training = {"epochs": 3, "save": "last", "label_smoothing": smoothing}
    full = with_network({**tiny(train=training), "data": TWO_CLASSES}, "convolutional", args={"ending": ending})
    cells = [full, {**full, "batch_norm": False}]
    assert [answer["error"] for answer in check(cells)] == [None, None]
    results = [train(config, RunFolder(tmp_path / str(number))) for number, config in enumerate(cells)]
    assert [result["test_accuracy"] for result in results] == [1.0, 1.0]
    assert all(row["step_ratio"] > 0 for row in measure(cells))
    images, labels = networks.two_classes()
    for number in range(6):
        Image.fromarray((images[number, ..., 0] * 255).astype("uint8")).save(tmp_path / f"{number}.png")
    _, predictions = predict(tmp_path / "0", [tmp_path / f"{number}.png" for number in range(6)])
    assert [next(iter(one.probabilities)) for one in predictions] == [str(label) for label in labels[:6]]
    assert all(sum(one.probabilities.values()) == pytest.approx(1) for one in predictions)


def test_a_class_that_trains_in_its_own_way_does_so_without_an_ingredient(tiny, tmp_path):
    full = networks.of_class((8, 8, 1), 10, "Weighted")
    without = remove(remove(full, residual=False), batch_norm=False)
    assert type(without) is networks.Weighted
    assert (without.alpha, without._exponent, without.name) == (0.0, 2, "own")
    assert without.steps is not full.steps
    config = with_network(tiny(), "of_class", args={"kind": "Weighted"})
    for number, cell in enumerate(({}, {"residual": False})):
        folder = RunFolder(tmp_path / str(number))
        result = train({**config, **cell}, folder)
        assert result["train_loss"] == 0.0  # none of the loss counts


def test_own_arguments_in_front_of_those_of_keras():
    without = remove(networks.of_class((8, 8, 1), 10, "Positional"), residual=False)
    assert (type(without), without.alpha) == (networks.Positional, 0.5)


@pytest.mark.parametrize(
    ("kind", "names"), [("Nameless", ("strength", "train_step")), ("Compiled", ("compile", "metrics"))]
)
def test_a_class_that_cannot_be_carried_into_a_cell_is_refused_before_training(tiny, kind, names):
    config = with_network(tiny(residual=False), "of_class", args={"kind": kind})
    (answer,) = check([config])
    assert all(name in answer["error"] for name in names)


@pytest.mark.parametrize(
    ("kind", "words"), [("Silent", ("accuracy", "super().metrics")), ("Deaf", ("accuracy", "test_step"))]
)
def test_a_class_that_reports_no_accuracy_is_refused_before_training(tiny, tmp_path, kind, words):
    config = with_network(tiny(), "of_class", args={"kind": kind})
    (answer,) = check([config])
    assert all(word in answer["error"] for word in words)
    with pytest.raises(NetworkError, match="accuracy"):
        train(config, RunFolder(tmp_path))


def test_a_class_that_counts_accuracy_itself_is_trained(tiny, tmp_path):
    config = with_network(tiny(), "of_class", args={"kind": "Hearing"})
    assert check([config])[0]["error"] is None
    result = train(config, RunFolder(tmp_path))
    assert result["test_loss"] > 0 < result["test_accuracy"]


@pytest.mark.parametrize("save", ["last", "best"])
def test_a_network_that_cannot_be_read_from_its_file_is_refused_before_training(tiny, tmp_path, save):
    config = with_network(tiny(train={"save": save}), "transformer")
    (answer,) = check([config])
    lines = answer["error"].splitlines()
    assert lines[0].startswith(f"train.save={save}:") and "train.save=null" in lines[-1]
    faults = {line.split("'")[1]: line for line in lines[1:-1]}
    # An activation of TensorFlow's is Keras's own; a function of a module can be given to Keras by its name.
    assert list(faults) == [
        *("patch_encoder", "first_dense", "first_activation", "first_gated"),
        *("second_dense", "second_activation", "second_gated"),
    ]
    assert "lambda" in faults["first_activation"] and "register_keras_serializable" in faults["first_activation"]
    assert "**kwargs" in faults["patch_encoder"]
    with pytest.raises(NetworkError, match=r"train\.save=null"):
        train(config, RunFolder(tmp_path))
    assert check([with_network(tiny(), "transformer")])[0]["error"] is None


def test_what_is_needed_to_read_a_network_from_its_file_is_said(tiny, tmp_path):
    config = with_network(tiny(train={"save": "last", "epochs": 1}), "readable")
    (answer,) = check([config])
    assert answer["error"] is None
    first, second = answer["notes"]
    assert "squared_relu" in first and "custom_objects" in first
    assert "halved" in second and "safe_mode=False" in second
    train(config, RunFolder(tmp_path))
    again = keras.models.load_model(
        tmp_path / "last.keras", custom_objects={"squared_relu": networks.squared_relu}, safe_mode=False
    )
    assert again.get_layer("conv").activation is networks.squared_relu


def test_what_a_builder_compiles_with_is_said_not_to_be_used(tiny):
    cells = [with_network(tiny(), "of_class", args={"kind": "Weighted", "compiles": flag}) for flag in (True, False)]
    (note,), none = (answer["notes"] for answer in check(cells))
    assert "SGD" in note and "mse" in note and "train.optimizer" in note
    assert none == []


@pytest.mark.parametrize(
    "levels", [{"residual": False}, {"activation": "gelu"}, {"batch_norm": False}, {"head": "flatten"}]
)
def test_a_layer_that_nested_models_share_stays_one_layer(levels):
    full = networks.sharing((8, 8, 1), 3)
    again = remove(full, **levels)
    first, second = again.get_layer("first"), again.get_layer("second")
    for name in ("shared", "middle"):
        assert first.get_layer(name) is second.get_layer(name)
    assert again.get_layer("shared") is first.get_layer("shared")
    assert again.get_layer("shared") is not full.get_layer("shared")
    removed = 16 if "batch_norm" in levels else 0
    added = (64 - 1) * 4 * 3 if "head" in levels else 0
    assert again.count_params() == full.count_params() - removed + added
    assert again.get_layer("shared").activation is keras.activations.get(levels.get("activation", "relu"))


def test_a_shared_layer_cannot_become_two():
    graph = graph_of(networks.sharing((8, 8, 1), 3))
    shared = graph.layers["shared"]
    once = graph.edited(layers=[shared.configured(activation="gelu")])
    assert model_of(once).get_layer("second").get_layer("shared").activation is keras.activations.gelu
    inner = graph.layers["first"]
    edited = inner.inner.edited(layers=[shared.configured(activation="tanh")])
    with pytest.raises(NetworkError, match="'shared' is shared"):
        model_of(once.edited(layers=[replace(inner, inner=edited)]))


def test_weights_that_a_wrapped_layer_shares_are_refused():
    with pytest.raises(NetworkError, match="share the weight 'shared/kernel'"):
        remove(networks.sharing((8, 8, 1), 3, wrapped=True), residual=False)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("cell", [{}, {"batch_norm": False}])
def test_mixed_precision_is_the_same_in_every_cell(tiny, nested, cell):
    config = with_network({**tiny(), **cell}, "mixed", args={"nested": nested})
    model = build_model(config, load(config["data"], 0), "float16")
    assert {model.get_layer(name).compute_dtype for name in ("conv", "clip", "inner")} == {"float16"}
    assert model.get_layer("inner").dense.compute_dtype == "float16"
    assert model.outputs[0].dtype == "float32"
    last = model.get_layer("head").get_layer("classifier") if nested else model.get_layer("classifier")
    assert last.compute_dtype == "float32"
    assert model.dtype_policy.name == "mixed_float16"  # by which Keras scales the loss
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize("level", [True, False])
def test_a_policy_that_the_builder_sets_holds_in_every_cell(tiny, tmp_path, level):
    config = with_network(tiny(train={"epochs": 1}), "mixed", args={"policy": "mixed_float16"}) | {"batch_norm": level}
    model = build_model(config, load(config["data"], 0))
    assert (model.dtype_policy.name, model.get_layer("inner").dense.compute_dtype) == ("mixed_float16", "float16")
    assert np.isfinite(train(config, RunFolder(tmp_path))["test_loss"])
    assert keras.config.dtype_policy().name == "float32"


def test_blocks_without_which_a_network_can_be_built(tiny):
    config = with_network(tiny(), "inverted")
    # Without the projection the sum of the second block would add 12 channels and 6; the gates are 12 as well.
    assert list(block_factors(config)) == ["second", "last"]
    cells = [{**config, "blocks": {name: False}} for name in ("second", "last", "first_expand")]
    second, last, expand = check(cells)
    assert (second["error"], last["error"]) == (None, None)
    assert any("first_expand, first_project" in note for note in second["notes"])
    assert expand["error"].endswith("'only.without_block=[second,last]'.")
    assert list(block_factors({**config, "only": {"without_block": ["second", "last"]}})) == ["second", "last"]
    with pytest.raises(NetworkError, match="without_block=first_project"):
        block_factors({**config, "only": {"without_block": ["first_project", "last"]}})
