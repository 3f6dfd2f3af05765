"""Learned embeddings of positions (Gehring et al. 2017, https://arxiv.org/abs/1705.03122)."""

from __future__ import annotations

from typing import Any

import keras
from keras import initializers, ops


@keras.saving.register_keras_serializable("ablate")
class PositionEmbedding(keras.layers.Layer):
    """A learned vector for each position, whatever stands there; to be added to what is embedded there.

    Args:
        embeddings_initializer: What the vectors start from.
        **kwargs: Of every layer, such as its name.
    """

    def __init__(self, embeddings_initializer: Any = "uniform", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the vectors: as many as positions, of the length of what they are added to."""
        self.embeddings = self.add_weight(
            name="embeddings", shape=input_shape[1:], initializer=self.embeddings_initializer
        )

    def call(self, inputs: Any) -> Any:
        """The vectors of the positions, for each example the same."""
        return ops.broadcast_to(self.embeddings, ops.shape(inputs))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        start = initializers.serialize(self.embeddings_initializer)
        return {**super().get_config(), "embeddings_initializer": start}
