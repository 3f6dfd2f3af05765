"""Networks built from the `model` node of a configuration."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from pathlib import Path  # noqa: E402

from omegaconf import OmegaConf  # noqa: E402

from ablate.errors import AblateError  # noqa: E402
from ablate.keras.fresh_names import with_fresh_names  # noqa: E402
from ablate.keras.models import NETWORKS, InputForm, ModelSignature, build, resolve_name  # noqa: E402
from ablate.keras.models.mini_xception import default_filters, mini_xception  # noqa: E402
from ablate.keras.rewrites import INGREDIENTS, present  # noqa: E402
from ablate.study.setting import written  # noqa: E402

pytestmark = pytest.mark.keras

CONF = Path(__file__).resolve().parents[3] / "conf" / "model"


def message(config, input_shape=(16, 16, 1), classes=10):
    with pytest.raises(AblateError) as caught:
        build(config, ModelSignature(input_shape, classes))
    return str(caught.value)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_the_configuration_files_name_every_key_with_the_default_of_the_function(name):
    config = resolve_name(OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml")))
    assert config.pop("name") == name
    assert ("input_shape" in config) == (not NETWORKS[name].takes or InputForm.IMAGES in NETWORKS[name].takes)
    assert config.pop("input_shape", None) is None
    options = NETWORKS[name].settings()
    assert set(config) == set(options)
    required = {"network", "builder", "path", "args"}
    as_list = {key: list(value) if isinstance(value, list) else value for key, value in config.items()}
    for key in options.keys() - required:
        default = options[key].default
        assert as_list[key] == (list(default) if isinstance(default, tuple) else default)


@pytest.mark.parametrize("name", ["mini_xception", "vgg", "resnet", "application"])
def test_outputs_are_probabilities_in_float32(name):
    size = 32 if name == "application" else 16
    config = OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml"))
    outputs = build(config, ModelSignature((size, size, 3), 4))(np.zeros((2, size, size, 3), "float32"))
    assert outputs.dtype == "float32"
    np.testing.assert_allclose(np.sum(outputs, axis=-1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("config", "contents"),
    [
        ({"name": "mini_xception"}, (3, 6, 6, 6, 1, 10)),
        ({"name": "vgg"}, (0, 7, 7, 0, 1, 7)),
        ({"name": "resnet"}, (3, 9, 4, 0, 1, 9)),
        ({"name": "resnet", "pre_activation": True}, (3, 7, 7, 0, 1, 9)),
        ({"name": "resnet", "blocks": [3, 3, 3]}, (9, 21, 10, 0, 1, 21)),
    ],
)
def test_contents(config, contents):
    six = ("residual", "batch_norm", "bn_placement", "separable", "head", "bias")
    found = present(build(config, ModelSignature((16, 16, 1), 10)), {name: INGREDIENTS[name] for name in six})
    assert found == dict(zip(six, contents, strict=True))


def test_weights_of_mini_xception_as_counted_by_hand():
    """The lecture's example of a separable convolution: 3*3*64 + 64*64 = 4,672 weights."""
    model = build({"name": "mini_xception", "filters": [64], "stem": [64, 5]}, ModelSignature((32, 32, 3), 10))
    separable = 3 * 3 * 64 + 64 * 64
    assert separable == 4672
    assert model.count_params() == 5 * 5 * 3 * 64 + 2 * 4 * 64 + 2 * separable + 64 * 64 + 64 * 10 + 10


def test_resnet_20_has_the_weights_of_the_paper():
    """0.27 million (He et al. 2016, table 6); with identity shortcuts alone 269,722 trainable ones of which ours
    has two more projections with batch norm."""
    model = build({"name": "resnet", "blocks": [3, 3, 3]}, ModelSignature((32, 32, 3), 10))
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert trainable == 269_722 + (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)


@pytest.mark.parametrize(
    ("size", "filters"),
    [(8, (16, 32)), (16, (16, 32, 64)), (32, (32, 64, 128)), (64, (32, 64, 128, 256)), (180, (32, 64, 128, 256, 512))],
)
def test_mini_xception_is_sized_to_its_input(size, filters):
    assert default_filters((size, size + 3, 3)) == filters
    model = mini_xception(ModelSignature((size, size, 3), 2))
    adds = [layer.output.shape for layer in model.layers if isinstance(layer, keras.layers.Add)]
    assert tuple(shape[-1] for shape in adds) == filters
    assert all(shape[1] >= 2 for shape in adds)


def test_names_do_not_depend_on_what_was_built_before():
    first = [build({"name": name}, ModelSignature((16, 16, 1), 3)) for name in ("mini_xception", "vgg", "resnet")]
    keras.layers.Dense(2)
    second = [build({"name": name}, ModelSignature((16, 16, 1), 3)) for name in ("mini_xception", "vgg", "resnet")]
    assert [[w.path for w in model.weights] for model in first] == [[w.path for w in model.weights] for model in second]


def test_names_of_a_builder_start_from_the_beginning_and_settings_are_kept():
    keras.layers.Dense(2)

    def make():
        return keras.layers.Dense(2).name, keras.config.dtype_policy().name

    counted = keras.layers.Dense(2).name
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert with_fresh_names(make) == with_fresh_names(make) == ("dense", "mixed_bfloat16")
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.layers.Dense(2).name != counted


def test_unknown_network():
    assert message({"name": "mini_exception"}) == (
        "model.name=mini_exception: there is no such network. "
        "Known: application, builder, convnet_1d, encoder_decoder, lstm, mini_xception, mlp, resnet, saved, "
        "transformer, unet, vgg, vit, and every network of keras.applications. "
        "Did you mean 'mini_xception'?"
    )


def test_all_faults_at_once():
    config = {"name": "vgg", "filters": [16, -1], "convolutions": [], "dropuot": 0.1, "dropout": 1.0, "dense": "64"}
    assert message(config) == (
        "model has no key 'dropuot'. Did you mean 'dropout'?\n"
        "model.filters=[16,-1]: must be a list of whole numbers of at least 1, not empty.\n"
        "model.convolutions=[]: must be a list of whole numbers of at least 1, not empty.\n"
        "model.dense=64: must be a list of whole numbers of at least 1.\n"
        "model.dropout=1.0: must be a number of at least 0 and below 1."
    )


@pytest.mark.parametrize("value", [[1.5], [True], "16", 16, {"a": 1}, [[16]]])
def test_a_wrong_list_is_named(value):
    assert message({"name": "resnet", "filters": value}).startswith(
        f"model.filters={written(value)}: must be a list of whole"
    )


def test_lists_of_different_length():
    assert message({"name": "resnet", "filters": [8, 16], "blocks": [1]}) == (
        "Lists of one length are needed, one entry a block: model.filters has 2 and model.blocks has 1."
    )


def test_too_small_images():
    assert message({"name": "vgg"}, (28, 7, 1)) == (
        "Images of 28x7 pixels are too small for vgg, which halves them 3 times: "
        "at least 8x8 are needed. Use larger images or fewer entries in model.filters."
    )
    assert "at least 4x4 are needed" in message({"name": "mini_xception"}, (3, 3, 1))


@pytest.mark.parametrize("name", ["mini_xception", "vgg", "resnet"])
def test_the_least_size_builds(name):
    network = NETWORKS[name]
    filters = (4, 4, 4)
    size = network.least_side({"filters": filters}, (1, 1, 1))
    assert build({"name": name, "filters": list(filters)}, ModelSignature((size, size, 1), 2)).output_shape == (None, 2)


def test_application_takes_further_arguments_and_resets_names():
    config = {"name": "application", "network": "MobileNet", "args": {"alpha": 0.25}}
    first, second = (build(config, ModelSignature((32, 32, 3), 4)) for _ in range(2))
    assert first.get_layer("conv1").filters == 8
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]


def test_messages_of_applications():
    assert message({"name": "application"}) == "model.network=null: must be a text that is not empty."
    assert message({"name": "application", "network": "ResNet50v2"}, (32, 32, 3)) == (
        "keras.applications has no network 'ResNet50v2'. Did you mean 'ResNet50V2'?"
    )
    assert message({"name": "application", "network": "VGG16", "args": {"alpa": 1, "weights": "imagenet"}}) == (
        "model.args.alpa: keras.applications.VGG16 takes no argument 'alpa'. It takes: name.\n"
        "model.args.weights: keras.applications.VGG16 takes no argument 'weights'. It takes: name."
    )
    told = message({"name": "Xception"}, (32, 48, 3))
    assert told.startswith("keras.applications.Xception cannot be built for images of 32x48x3: ")
    assert "at least 71x71" in told


MODULE = """
import keras

def make(input_shape, classes, depth, width=4):
    x = inputs = keras.Input(input_shape)
    for _ in range(depth):
        x = keras.layers.Dense(width)(x)
    return keras.Model(inputs, keras.layers.Dense(classes)(keras.layers.Flatten()(x)))

def any(**kwargs):
    return make(depth=1, **kwargs)

def fixed():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])

def nothing(classes):
    return classes

def fails():
    raise ZeroDivisionError("by nought")

constant = 3
"""


@pytest.fixture
def nets(tmp_path, monkeypatch):
    (tmp_path / "my_nets.py").write_text(MODULE)
    (tmp_path / "my_broken_nets.py").write_text("import no_such_module_at_all")
    (tmp_path / "my_faulty_nets.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("nets")
def test_a_builder_is_given_what_it_takes():
    make = {"name": "builder", "builder": "my_nets.make", "args": {"depth": 2}}
    signature = ModelSignature((4, 4, 1), 3)
    names = [[layer.name for layer in build(make, signature).layers] for _ in range(2)]
    assert names[0] == names[1] == ["input_layer", "dense", "dense_1", "flatten", "dense_2"]
    assert build({"builder": "my_nets.any"}, signature).output_shape == (None, 3)
    wider = {"builder": "my_nets.any", "args": {"classes": 5, "width": 2}}
    assert build(wider, signature).output_shape == (None, 5)
    assert build({"builder": "my_nets.fixed", "args": None}, signature).output_shape == (None, 2)


@pytest.mark.usefixtures("nets")
@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            {"builder": "make"},
            "model.builder=make: must be a dotted path, such as my_package.nets.make.",
        ),
        (
            {"builder": "my_netz.make"},
            "model.builder=my_netz.make: module 'my_netz' cannot be imported: No module named 'my_netz'.",
        ),
        (
            {"builder": "my_broken_nets.make"},
            "model.builder=my_broken_nets.make: module 'my_broken_nets' cannot be imported: "
            "No module named 'no_such_module_at_all'.",
        ),
        (
            {"builder": "my_faulty_nets.make"},
            "model.builder=my_faulty_nets.make: module 'my_faulty_nets' cannot be imported: "
            "ZeroDivisionError: division by zero.",
        ),
        (
            {"builder": "my_nets.mak"},
            "model.builder=my_nets.mak: module 'my_nets' has no 'mak'. Did you mean 'make'?",
        ),
        (
            {"builder": "my_nets.constant"},
            "model.builder=my_nets.constant: must be a function, not int.",
        ),
        (
            {"builder": "my_nets.make", "args": {"dept": 2}},
            "model.args.dept: my_nets.make takes no argument 'dept'. It takes: input_shape, classes, depth, width. "
            "Did you mean 'depth'?\nmy_nets.make needs an argument 'depth': give model.args.depth.",
        ),
        ({"builder": "my_nets.nothing"}, "model.builder=my_nets.nothing must return a Keras model, not int."),
        ({"builder": "my_nets.fails"}, "model.builder=my_nets.fails failed: ZeroDivisionError: by nought"),
        ({"builder": None}, "model.builder=null: must be a text that is not empty."),
        ({"builder": "my_nets.fixed", "args": [1]}, "model.args=[1]: must be a mapping, or null."),
    ],
)
def test_messages_of_builders(config, expected):
    assert message(config) == expected


def test_a_network_of_keras_applications_by_its_name():
    model = build({"name": "MobileNet", "args": {"alpha": 0.25}}, ModelSignature((32, 32, 3), 4))
    assert model.output_shape == (None, 4)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras with NumPy 2
def test_a_saved_network(tmp_path):
    model = build({"name": "vgg", "filters": [4], "convolutions": [1]}, ModelSignature((8, 8, 1), 3))
    path = tmp_path / "net.keras"
    model.save(path)
    again = build({"path": str(path)}, ModelSignature((8, 8, 1), 3))
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert message({"name": "saved", "path": str(tmp_path / "no.keras")}) == (
        f"model.path={tmp_path / 'no.keras'}: there is no such file."
    )
    (tmp_path / "bad.keras").write_text("no")
    assert message({"path": str(tmp_path / "bad.keras")}).startswith(
        f"model.path={tmp_path / 'bad.keras'}: Keras cannot read it: "
    )


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_code_in_a_saved_network_is_not_executed(ending, tmp_path):
    executed = tmp_path / "executed"
    inputs = keras.Input((16, 16, 1))
    outputs = keras.layers.Dense(10, activation="softmax")(keras.layers.Flatten()(inputs))
    code = eval(f"lambda x: (open({str(executed)!r}, 'w').close(), x)[1]")
    model = keras.Model(inputs, keras.layers.Lambda(code, output_shape=(10,))(outputs))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("absl.logging.warning", lambda *_, **__: None)
        model.save(tmp_path / f"net.{ending}")
    executed.unlink(missing_ok=True)
    assert "Lambda" in message({"name": "saved", "path": str(tmp_path / f"net.{ending}")})
    assert not executed.exists()
