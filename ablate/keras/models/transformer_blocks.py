"""The blocks of a transformer's encoder (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keras import layers

from ablate.keras.models.network import DROPOUT
from ablate.keras.models.position_embedding import PositionEmbedding
from ablate.study.setting import Rule, whole

RULES: Mapping[str, Rule] = {
    "width": whole(1),
    "blocks": whole(1),
    "heads": whole(1),
    "mlp_width": whole(1),
    "dropout": DROPOUT,
}
"""What the keys of a transformer may hold."""


@dataclass(frozen=True)
class TransformerBlocks:
    """Blocks of self-attention and two dense layers, each half with a residual connection around it.

    Args:
        width: Channels of what passes from block to block.
        heads: Heads of attention, which share the width.
        mlp_width: Units of the first dense layer of a block; the second has the width.
        dropout: Share dropped of the weights of attention, and of what each half adds.
        activation: That of the first dense layer.
        pre_norm: Whether a half normalises what it gets (Xiong et al. 2020, https://arxiv.org/abs/2002.04745), instead
            of the sum that it leads to.
        attends: (examples, 1, positions), which positions attention may look at; None for all.
    """

    width: int
    heads: int
    mlp_width: int
    dropout: float
    activation: str
    pre_norm: bool
    attends: Any = None

    def block(self, x: Any, name: str) -> Any:
        """One block.

        Args:
            x: (examples, positions, width).
            name: What the names of its layers begin with.
        """
        x = self._half(x, f"{name}_attention", self._attention)
        return self._half(x, f"{name}_mlp", self._mlp)

    def _half(self, x: Any, name: str, branch: Any) -> Any:
        y = self._norm(x, name) if self.pre_norm else x
        y = layers.Dropout(self.dropout, name=f"{name}_dropout")(branch(y, name))
        x = layers.Add(name=f"{name}_add")([x, y])
        return x if self.pre_norm else self._norm(x, name)

    def _norm(self, x: Any, name: str) -> Any:
        return layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(x)

    def _attention(self, x: Any, name: str) -> Any:
        attention = layers.MultiHeadAttention(self.heads, self.width // self.heads, dropout=self.dropout, name=name)
        return attention(x, x) if self.attends is None else attention(x, x, attention_mask=self.attends)

    def _mlp(self, x: Any, name: str) -> Any:
        x = layers.Dense(self.mlp_width, activation=self.activation, name=f"{name}_dense1")(x)
        return layers.Dense(self.width, name=f"{name}_dense2")(x)


def with_positions(x: Any) -> Any:
    """The sum of what is embedded in each place and of an embedding of the place.

    Args:
        x: (examples, positions, width).
    """
    return layers.Add(name="embedding_add")([x, PositionEmbedding(name="position_embedding")(x)])


def head_faults(values: Mapping[str, Any]) -> list[str]:
    """A sentence if heads of attention cannot share the width.

    Args:
        values: The keys of a transformer.
    """
    if values["width"] % values["heads"] == 0:
        return []
    return [f"model.width={values['width']}: must be a multiple of model.heads={values['heads']}, which share it."]
