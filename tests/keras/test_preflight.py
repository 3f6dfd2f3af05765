from __future__ import annotations

import pytest

keras = pytest.importorskip("keras")

from ablate.errors import ConfigError  # noqa: E402
from ablate.keras.preflight import check  # noqa: E402
from ablate.keras.run_config import validate  # noqa: E402

pytestmark = pytest.mark.keras


def test_cells_are_built_once_and_described(tiny):
    full, again, flat = check([tiny(), tiny(seed=1), tiny(head="flatten")])
    assert full == again
    assert full["error"] is None and flat["error"] is None
    assert not {"residual", "batch_norm", "bn_placement", "separable", "head", "bias"} & set(full["absent"])
    assert full["notes"] == []
    assert full["input_shape"] == (8, 8, 1)
    assert full["classes"] == 10
    # 2 x 2 pixels after two blocks: the dense layer has 8 x 10 weights for each of three more of them.
    assert flat["weights"] - full["weights"] == 3 * 8 * 10


def test_an_ingredient_that_is_not_there_is_told_with_what_is(tiny):
    vgg = {"name": "vgg", "filters": [4], "convolutions": [1], "dense": []}
    plain, without = ({**tiny(**change), "model": vgg} for change in ({}, {"residual": False}))
    first, second = check([plain, without])
    assert first["error"] is None
    assert {"residual", "separable"} <= set(first["absent"])
    assert second["error"].startswith("`residual` is not present in model 'vgg'")
    assert "Present: batch_norm (" in second["error"]


def test_a_toggle_that_changes_nothing_is_a_fault(tiny):
    # Without batch norm the convolutions have a bias anyway.
    first, second = check([tiny(batch_norm=False), tiny(batch_norm=False, bias=True)])
    assert first["error"] is None
    assert second["error"] == "bias=true changes nothing: the network is the same as with bias=false."


def test_what_only_data_or_network_can_tell_is_told_for_each_cell(tiny):
    large, wrong, good = check([tiny(train={"batch_size": 4000}), tiny(model={"filters": [-1]}), tiny()])
    assert large["error"] == (
        "train.batch_size=4000: data set 'digits' has 123 training images; a batch must not be larger."
    )
    assert wrong["error"].startswith("model.filters=[-1]: must be a list of whole numbers")
    assert good["error"] is None


def test_all_faults_that_need_no_network_are_told_at_once(tiny):
    config = tiny(seed=-1, residual="maybe", head="flat", data={"validation": 2, "sizes": 3}, train={"epochs": 0})
    with pytest.raises(ConfigError) as caught:
        validate(config)
    assert str(caught.value).splitlines() == [
        "seed=-1: must be a whole number of at least 0.",
        "residual=maybe: allowed are true, false.",
        "head=flat: allowed are gap, gmp, flatten. Did you mean 'flatten'?",
        "data has no key 'sizes'. Did you mean 'size'?",
        "data.validation=2: must be a number above 0 and below 1.",
        "train.epochs=0: must be a whole number of at least 1.",
    ]
    validate(tiny())


def test_a_block_that_cannot_go_is_told_with_the_blocks_that_can(tiny, tmp_path, monkeypatch):
    (tmp_path / "grouped_net.py").write_text(
        "import keras\n"
        "from keras import layers\n\n\n"
        "def make(input_shape, classes):\n"
        "    x = inputs = keras.Input(input_shape)\n"
        "    for name, groups in (('first', 1), ('grouped', 3), ('last', 1)):\n"
        "        x = layers.Conv2D(6, 3, padding='same', groups=groups, name=name)(x)\n"
        "    x = layers.GlobalAveragePooling2D()(x)\n"
        "    return keras.Model(inputs, layers.Dense(classes, activation='softmax')(x), name='net')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    config = tiny() | {"model": {"name": "builder", "builder": "grouped_net.make"}, "blocks": {"first": False}}
    (found,) = check([config])
    assert found["error"].startswith("Model 'net' cannot be built again at layer 'grouped' (Conv2D): ")
    assert found["error"].endswith(" Blocks that can be left out: 'only.without_block=[grouped,last]'.")


NETS = """
import keras
from keras import layers

@keras.saving.register_keras_serializable("tests_preflight")
class Unit(layers.Layer):
    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(filters, 3, padding="same", use_bias=False)
        self.norm = layers.BatchNormalization(name="norm")
        self.filters = filters

    def call(self, x, training=None):
        return x + layers.ReLU()(self.norm(self.conv(x), training=training))

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}

def make(input_shape, classes):
    inputs = keras.Input(input_shape)
    x = layers.BatchNormalization(name="bn")(layers.Conv2D(4, 3, use_bias=False, name="conv")(inputs))
    x = layers.GlobalAveragePooling2D()(Unit(4, name="two")(Unit(4, name="one")(x)))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax", name="classifier")(x), name="units")
"""


def test_a_removal_in_part_is_refused_unless_it_is_declared(tiny, tmp_path, monkeypatch):
    (tmp_path / "nets_of_units.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    configs = [
        {**tiny(**change), "model": {"name": "builder", "builder": "nets_of_units.make"}}
        for change in ({}, {"batch_norm": False}, {"batch_norm": False, "partial": True}, {"residual": False})
    ]
    full, refused, _, unreachable = check(configs)
    assert full["error"] is None
    assert "2 are inside `Unit` (custom layer): one/norm, two/norm" in full["inaccessible"]["batch_norm"]
    assert "1 of 3 places" in refused["error"]
    assert "`residual` cannot be removed" in unreachable["error"]
    assert "residual" in full["absent"]
    assert any(note.startswith("`residual` is in this model and cannot be removed") for note in full["notes"])
    partial = check(configs[2:3])[0]
    assert partial["error"] is None
    assert any("1 of 3 places" in note for note in partial["notes"])


def test_partial_is_true_or_false(tiny):
    with pytest.raises(ConfigError, match="partial=some"):
        validate(tiny(partial="some"))
