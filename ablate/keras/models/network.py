"""What is declared of a network that a configuration can name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ablate.keras.models.signature import InputForm, ModelSignature
from ablate.study.setting import Rule, Setting, list_of, number, whole

Values = Mapping[str, Any]
"""The keys of a network with their values."""


@dataclass(frozen=True)
class Network:
    """A network that a configuration can name.

    Args:
        build: The function that builds it, called with a `ModelSignature` and the keys as keywords.
        rules: What each of its keys may hold.
        takes: What an example may be; empty where that is for the user to know.
        per_place: Whether it predicts for every place of the input; both where it may do either.
        halvings: From its keys and the shape of an image, how often it halves height and width: one pixel must be left.
            None where it takes images of any size.
        misfits: From its keys and what it is to take and to give, a sentence for each thing that is wrong between
            values that are each allowed.
    """

    build: Callable[..., Any]
    rules: Mapping[str, Rule]
    takes: tuple[InputForm, ...] = ()
    per_place: tuple[bool, ...] = (False,)
    halvings: Callable[[Values, tuple[int, ...]], int] | None = None
    misfits: Callable[[Values, ModelSignature], list[str]] = lambda values, signature: []

    def settings(self) -> dict[str, Setting]:
        """The keys with the defaults of the function."""
        parameters = inspect.signature(self.build).parameters
        required = inspect.Parameter.empty
        return {
            key: Setting(None if parameters[key].default is required else parameters[key].default, rule)
            for key, rule in self.rules.items()
        }

    def faults(self, name: str, values: Values, signature: ModelSignature) -> list[str]:
        """What keeps the network from being built, as sentences.

        Args:
            name: Its name, for messages.
            values: Its keys, each of which is allowed.
            signature: What it is to take and to give.
        """
        if self.takes and signature.form not in self.takes:
            forms = " or ".join(form.value for form in self.takes)
            shape = "x".join(map(str, signature.input_shape))
            return [f"Model '{name}' takes {forms}, and examples are {signature.form.value} of {shape} here."]
        if self.takes and signature.per_place not in self.per_place:
            whole, places = "for the whole example", "for each place"
            gives, needed = (whole, places) if signature.per_place else (places, whole)
            return [f"Model '{name}' gives one prediction {gives}, and one {needed} is needed here."]
        return self.misfits(values, signature) or self._too_small(name, values, signature)

    def least_side(self, values: Values, input_shape: tuple[int, ...]) -> int:
        """The least height and width of images that it takes.

        Args:
            values: Its keys.
            input_shape: Height, width, channels of the images at hand.
        """
        return 1 if self.halvings is None else 2 ** self.halvings(values, input_shape)

    def _too_small(self, name: str, values: Values, signature: ModelSignature) -> list[str]:
        if self.halvings is None or signature.form is not InputForm.IMAGES:
            return []
        least, sides = self.least_side(values, signature.input_shape), signature.input_shape[:2]
        if min(sides) >= least:
            return []
        size, times = "x".join(map(str, sides)), self.halvings(values, signature.input_shape)
        return [
            f"Images of {size} pixels are too small for {name}, which halves them {times} times: at least "
            f"{least}x{least} are needed. Use larger images or fewer entries in model.filters."
        ]


def integers(empty: bool = False, length: int | None = None) -> Rule:
    """A list of whole numbers."""
    description = f"a list of {'' if length is None else f'{length} '}whole numbers of at least 1"
    ending = "" if empty or length is not None else ", not empty"
    return list_of(whole(1), f"{description}{ending}", length=length, empty=empty)


DROPOUT = number(0, 1, open_high=True)
"""The share of features that are dropped."""
MOMENTUM = number(0, 1, open_low=True, open_high=True)
"""The momentum of moving averages."""


def unequal_lengths(values: Values, *keys: str) -> list[str]:
    """A sentence if lists with an entry for each block have different lengths.

    Args:
        values: The keys of a network.
        keys: Those that hold the lists.
    """
    lengths = {key: len(values[key]) for key in keys}
    if len(set(lengths.values())) == 1:
        return []
    counts = " and ".join(f"model.{key} has {length}" for key, length in lengths.items())
    return [f"Lists of one length are needed, one entry a block: {counts}."]
