"""The layers of a graph: what is needed to create each anew, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablate.keras.graph import Graph

Kind = str | type
"""A class of layers: its name in `keras.layers`, so that no ingredient need import Keras, or the class itself."""


@dataclass(frozen=True, eq=False)
class LayerSpec:
    """What is needed to create a layer or an operation anew.

    Args:
        name: Its name, which stays the same through every edit.
        kind: Its class.
        config: The arguments of its class.
        weighted: Whether it has weights.
        inner: The graph of a nested model, otherwise None.
        wrapper: The wrapper that calls it (`TimeDistributed`, `SpectralNormalization`), without its ``layer``; None if
            there is none. All else is that of the wrapped layer, so that it is found as one without a wrapper is.
        origin: The layer of the model it was read from; None once its configuration was edited.
    """

    name: str
    kind: type
    config: Mapping[str, Any]
    weighted: bool
    inner: Graph | None = None
    wrapper: LayerSpec | None = None
    origin: Any = None

    def is_a(self, *kinds: Kind) -> bool:
        """Whether it is of one of the classes, or of a class derived from one."""
        names = _layer_names(self.kind)
        return any(kind in names if isinstance(kind, str) else issubclass(self.kind, kind) for kind in kinds)

    def is_operation(self, *names: str) -> bool:
        """Whether it is one of these operations of Keras on tensors, such as ``x + y`` (``"Add"``), and no layer."""
        return self.kind.__name__ in names and self.is_of_keras() and not self.is_a("Layer")

    def is_of_keras(self) -> bool:
        """Whether its class comes with Keras, or with our own networks, so that it is known what it computes."""
        return self.kind.__module__.split(".")[0] in ("keras", "ablate")

    @property
    def unwrapped_origin(self) -> Any:
        """The layer that was read, without its wrapper."""
        return self.origin if self.wrapper is None or self.origin is None else self.origin.layer

    @property
    def sublayers(self) -> tuple[Any, ...]:
        """The Keras layers that a layer of the user holds and its own code calls, at any depth; of one that was read.

        What Keras's own layers are made of, such as the dense layers of attention, belongs to them.
        """
        return tuple(self.unwrapped_origin._flatten_layers(include_self=False)) if self.is_custom else ()

    @property
    def is_custom(self) -> bool:
        """Whether it is a layer of the user that was read, and no nested model: its own code says what it computes."""
        return not self.is_of_keras() and self.is_a("Layer") and self.inner is None and self.origin is not None

    def configured(self, **config: Any) -> LayerSpec:
        """The same layer with some of its arguments changed."""
        return replace(self, config={**self.config, **config}, origin=None)


@dataclass(frozen=True, eq=False)
class LayerIdentity:
    """A layer wherever it stands in a network, in its own graph and in those of nested models.

    Args:
        spec: The layer as it was read.
    """

    spec: LayerSpec


@lru_cache(1024)
def _layer_names(kind: type) -> frozenset[str]:
    """The names in `keras.layers` of a class and the classes that it is derived from."""
    return frozenset(
        base.__name__ for base in kind.__mro__ if base.__module__.startswith(("keras.layers", "keras.src.layers"))
    )


def layer_class(kind: Kind) -> Any:
    """The class itself, for a name that of `keras.layers`."""
    from keras import layers

    return getattr(layers, kind) if isinstance(kind, str) else kind
