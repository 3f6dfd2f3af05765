"""The back end of Keras: which ones train, and what is peculiar to each."""

from __future__ import annotations

import importlib

from ablate.keras import device  # noqa: F401  isort: skip  (it must come before everything that imports TensorFlow)

import keras

__all__ = ["compiles", "name", "version"]


def name() -> str:
    """``tensorflow``, ``jax`` or ``torch``."""
    return str(keras.backend.backend())


def version() -> str:
    """Name and version of the back end; another one gives other bits."""
    return f"{name()} {importlib.import_module(name()).__version__}"


def compiles(asked: bool) -> bool:
    """Whether the train step is compiled by XLA: with JAX always, as it has no other way.

    Args:
        asked: What ``train.jit`` says.
    """
    return asked or name() == "jax"
