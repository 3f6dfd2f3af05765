"""What networks for texts and series begin with."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from ablate.keras.models.signature import InputForm, ModelSignature


def sequence_input(signature: ModelSignature, width: int, masked: bool) -> tuple[Any, Any]:
    """The input of a network, and the numbers of each of its places.

    Args:
        signature: What the network is to take and to give.
        width: Channels of an embedded token.
        masked: Whether places that only fill a text up are to be left out by what follows.

    Returns:
        The input, and (examples, places, channels): tokens are embedded, a series is as it comes.
    """
    if signature.form is InputForm.SERIES:
        series = keras.Input(signature.input_shape, name="series")
        return series, series
    tokens = keras.Input(signature.input_shape, dtype="int32", name="tokens")
    embedding = layers.Embedding(signature.vocabulary_size, width, mask_zero=masked, name="token_embedding")
    return tokens, embedding(tokens)
