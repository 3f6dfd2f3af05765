"""The back end of Keras, which ``KERAS_BACKEND`` chooses: what of a run depends on it.

With TensorFlow the steps are traced together by `ablate.keras.loop`; JAX and PyTorch train by Keras's own ``fit``. The
streams of chance are the same, but each back end sums and draws in its own way, so that its numbers are its own.
TensorFlow reads the data and must be installed with all of them.
"""

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
