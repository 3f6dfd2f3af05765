"""A transformer's encoder for texts and series (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762)."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from ablate.keras.models.network import Network
from ablate.keras.models.sequence_input import sequence_input
from ablate.keras.models.signature import InputForm, ModelSignature
from ablate.keras.models.transformer_blocks import RULES, TransformerBlocks, head_faults, with_positions


def transformer(
    signature: ModelSignature,
    *,
    width: int = 32,
    blocks: int = 2,
    heads: int = 2,
    mlp_width: int = 64,
    dropout: float = 0.1,
) -> Any:
    """Embedded tokens (or projected steps of a series) with positions, blocks of attention, and a mean over the places.

    A half of a block normalises the sum that it leads to, as in the paper. Where a prediction is asked for at every
    place there is no mean. Places that only fill a text up take no part in attention and mean.

    Args:
        signature: What it is to take and to give: texts or series.
        width: Channels of what passes from block to block.
        blocks: Number of blocks.
        heads: Heads of attention, which share the width.
        mlp_width: Units of the first of a block's two dense layers.
        dropout: Share of numbers dropped behind the embeddings, in attention, and of what each half of a block adds.

    Returns:
        A functional model.
    """
    inputs, x = sequence_input(signature, width, masked=False)
    mask = None
    if signature.form is InputForm.SERIES:
        x = layers.Dense(width, name="step_projection")(x)
    else:
        # Not the mask that an embedding can give: attention takes it off its input, so that what follows has none.
        mask = ops.not_equal(inputs, 0)
    attends = None if mask is None else mask[:, None]
    x = layers.Dropout(dropout, name="embedding_dropout")(with_positions(x))
    body = TransformerBlocks(width, heads, mlp_width, dropout, "relu", pre_norm=False, attends=attends)
    for number in range(1, blocks + 1):
        x = body.block(x, f"block{number}")
    if not signature.per_place:
        x = layers.GlobalAveragePooling1D(name="head_pool")(x, **({} if mask is None else {"mask": mask}))
    outputs = layers.Dense(signature.outputs, **signature.last_layer)(x)
    return keras.Model(inputs, outputs, name="transformer")


NETWORK = Network(
    transformer,
    RULES,
    takes=(InputForm.TEXT, InputForm.SERIES),
    per_place=(False, True),
    misfits=lambda values, signature: head_faults(values),
)
