"""A vision transformer (Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929)."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from ablate.keras.models.network import Network
from ablate.keras.models.signature import InputForm, ModelSignature
from ablate.keras.models.transformer_blocks import RULES, TransformerBlocks, head_faults, with_positions
from ablate.study.setting import whole


def vit(
    signature: ModelSignature,
    *,
    patch: int = 4,
    width: int = 32,
    blocks: int = 2,
    heads: int = 2,
    mlp_width: int = 64,
    dropout: float = 0.1,
) -> Any:
    """Patches of an image as the places of a transformer's encoder, and a mean over them in front of the classifier.

    A half of a block normalises what it gets, and the last block is followed by a normalisation. At the lower and right
    edge a patch that is not full is filled with zeros.

    Args:
        signature: What it is to take and to give: images whose values are scaled to about 0 to 1.
        patch: Height and width of a patch in pixels.
        width: Channels of what passes from block to block.
        blocks: Number of blocks.
        heads: Heads of attention, which share the width.
        mlp_width: Units of the first of a block's two dense layers.
        dropout: Share of numbers dropped behind the embeddings, in attention, and of what each half of a block adds.

    Returns:
        A functional model.
    """
    inputs = keras.Input(signature.input_shape, name="image")
    x = layers.Conv2D(width, patch, strides=patch, padding="same", name="patch_embedding")(inputs)
    x = layers.Reshape((-1, width), name="patches")(x)
    x = layers.Dropout(dropout, name="embedding_dropout")(with_positions(x))
    body = TransformerBlocks(width, heads, mlp_width, dropout, "gelu", pre_norm=True)
    for number in range(1, blocks + 1):
        x = body.block(x, f"block{number}")
    x = layers.LayerNormalization(epsilon=1e-6, name="head_norm")(x)
    x = layers.GlobalAveragePooling1D(name="head_pool")(x)
    outputs = layers.Dense(signature.outputs, **signature.last_layer)(x)
    return keras.Model(inputs, outputs, name="vit")


NETWORK = Network(
    vit,
    {"patch": whole(1), **RULES},
    takes=(InputForm.IMAGES,),
    misfits=lambda values, signature: head_faults(values),
)
