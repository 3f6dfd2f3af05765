"""Blocks of a network, each a factor of its own."""

from __future__ import annotations

import pytest

keras = pytest.importorskip("keras")

from ablate.errors import NetworkError  # noqa: E402
from ablate.keras.models import ModelSignature, build  # noqa: E402
from ablate.keras.preflight import check  # noqa: E402
from ablate.keras.rewrites import INGREDIENTS, remove  # noqa: E402
from ablate.keras.rewrites.without_block import block_key  # noqa: E402
from ablate.keras.run_config import levels_of, validate  # noqa: E402
from ablate.keras.survey import block_factors  # noqa: E402

pytestmark = pytest.mark.keras

RESNET = {"name": "resnet", "filters": [4, 8], "blocks": [1, 3], "pre_activation": True}


def test_each_block_of_the_network_is_a_factor(tiny):
    config = {**tiny(), "model": RESNET}
    found = block_factors(config)
    assert list(found) == ["stem_conv", "stage1_block1", "stage2_block1", "stage2_block2", "stage2_block3"]
    assert found["stage2_block3"] == {"true": [], "false": ["+blocks.stage2_block3=false"]}
    assert list(block_factors({**config, "only": {"without_block": ["stage1*", "*block[13]"]}})) == [
        "stage1_block1",
        "stage2_block1",
        "stage2_block3",
    ]


def test_a_model_without_blocks_and_patterns_that_fit_none_are_told(tiny):
    config = {**tiny(), "model": RESNET, "only": {"without_block": "stage3*"}}
    with pytest.raises(NetworkError) as caught:
        block_factors(config)
    assert str(caught.value) == (
        "Model 'resnet': no block fits only.without_block=stage3*. Blocks: stem_conv, stage1_block1, stage2_block1, "
        "stage2_block2, stage2_block3."
    )


def test_several_blocks_can_be_left_out_at_once():
    full = build(RESNET, ModelSignature((8, 8, 1), 10))
    without = remove(full, without_block="stage2_block2,stage2_block3")
    smaller = build({**RESNET, "blocks": [1, 1]}, ModelSignature((8, 8, 1), 10))
    assert without.count_params() == smaller.count_params()
    with pytest.raises(NetworkError, match=r"^without_block=stage9_block1: model 'resnet' has no such block\. "):
        remove(full, without_block="stage2_block2,stage9_block1")


def test_blocks_of_a_config_are_levels_of_the_ingredient():
    config = {"residual": True, "without_block": "a", "blocks": {"b": False, "c": True, "d": False}}
    assert levels_of(config, INGREDIENTS) == {"residual": True, "without_block": "a,b,d"}
    assert levels_of({"without_block": "none", "blocks": {"c": True}}, INGREDIENTS) == {"without_block": "none"}
    assert [block_key(name) for name in ("conv2_block1", "stage.0-a", "2nd")] == ["conv2_block1", "stage_0_a", "_2nd"]


def test_equal_blocks_of_a_row_leave_the_same_network_which_is_told_and_no_fault(tiny):
    gone = [{**tiny(), "model": RESNET, "blocks": {f"stage2_block{number}": False}} for number in (2, 3)]
    full, second, third = check([{**tiny(), "model": RESNET}, *gone])
    assert [one["error"] for one in (full, second, third)] == [None] * 3
    assert second["weights"] == third["weights"] < full["weights"]
    assert third["notes"] == [
        "Without stage2_block3 and without stage2_block2 the network is the same: these cells differ in their initial "
        "weights alone."
    ]


def test_blocks_are_true_or_false(tiny):
    with pytest.raises(Exception, match=r"^blocks\.stem_conv=no: must be true or false\.$"):
        validate({**tiny(), "blocks": {"stem_conv": "no"}})
