"""What a network is to take and to give, as far as data and task decide it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class InputForm(Enum):
    """What an example is, by the shape in which a network takes it."""

    IMAGES = "images (height, width, channels)"
    SERIES = "series (steps, channels)"
    TEXT = "text (numbers of tokens)"
    TABLE = "rows of a table (columns)"
    OTHER = "arrays of another shape"


_FORMS = {3: InputForm.IMAGES, 2: InputForm.SERIES, 1: InputForm.TABLE}


@dataclass(frozen=True)
class ModelSignature:
    """What a network is to take and to give.

    Args:
        input_shape: Shape of one example: (height, width, channels) of an image, (steps, channels) of a series,
            (tokens,) of a text, (columns,) of a row of a table.
        outputs: How many numbers are predicted: classes, labels or targets.
        activation: What the last layer applies to them, by its name in `keras.activations`; None for nothing.
        per_place: Whether there is a prediction for every place of the input, pixel or step, instead of one an example.
        vocabulary_size: Where examples are texts, how many tokens there are: their numbers are below it, and 0 fills
            texts up to one length. None for all other examples.

    Example:
        >>> ModelSignature((32, 32, 3), 4, per_place=True).output_shape
        (32, 32, 4)
    """

    input_shape: tuple[int, ...]
    outputs: int
    activation: str | None = "softmax"
    per_place: bool = False
    vocabulary_size: int | None = None

    @property
    def form(self) -> InputForm:
        """What an example is."""
        if self.vocabulary_size is not None:
            return InputForm.TEXT if len(self.input_shape) == 1 else InputForm.OTHER
        return _FORMS.get(len(self.input_shape), InputForm.OTHER)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of one prediction."""
        if not self.per_place:
            return (self.outputs,)
        places = self.input_shape if self.form is InputForm.TEXT else self.input_shape[:-1]
        return (*places, self.outputs)

    @property
    def last_layer(self) -> dict[str, Any]:
        """The arguments that the last layer of every network of ours has in common; it works in 32 bits."""
        name = "regressor" if self.activation is None else "classifier"
        return {"activation": self.activation, "dtype": "float32", "name": name}
