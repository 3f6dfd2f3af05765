"""The machine and Keras's back end: log output, threads, GPU memory and reproducible kernels, set before all else.

``KERAS_BACKEND`` chooses the back end. With TensorFlow the steps are traced together by `ablate.keras.loop`; JAX and
PyTorch train by Keras's own ``fit``. The random streams are the same, but each back end sums and draws in its own way,
so that its numbers are its own. TensorFlow reads the data and must be installed with all of them.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ablate.errors import ConfigError

_WORKERS = int(os.environ.get("ABLATE_WORKERS", "1"))
"""How many workers share the machine."""

_GPU_MEMORY = float(os.environ["ABLATE_GPU_MEMORY"]) if "ABLATE_GPU_MEMORY" in os.environ else None
"""GiB that this process may take of a GPU that it shares, or None: it grows as it needs."""


@contextmanager
def _silence() -> Iterator[None]:
    """Discards the standard error of the process: TensorFlow's library writes to it before any setting applies."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with Path(os.devnull).open("w") as null:
            os.dup2(null.fileno(), 2)
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


# From 2 on only errors are logged; TensorFlow reads it when its library loads.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with _silence():
    import tensorflow as tf

    _GPUS = tf.config.list_physical_devices("GPU")
if os.environ.get("KERAS_BACKEND") == "jax":
    if _GPU_MEMORY is not None:
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # else it takes most of the GPU at once
    # Sums shared among threads would differ from run to run; XLA reads this when it starts.
    os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen=false {os.environ.get('XLA_FLAGS', '')}".strip()
# TensorFlow warns of repeated tracing, which a process that trains several cells does on purpose.
tf.get_logger().setLevel("ERROR")

import keras  # noqa: E402  (after the settings of its back end)


def prepare(threads: int) -> None:
    """Fixes the number of threads within an operation; with a GPU, also its memory and its kernels.

    The sum of floating-point numbers depends on how it is divided among threads, so that the number of threads belongs
    to the result.

    Args:
        threads: Threads within one operation on the CPU.

    Raises:
        ConfigError: TensorFlow already runs in this process with another number.
    """
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(threads)
    if tf.config.threading.get_intra_op_parallelism_threads() != threads:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            if _WORKERS > 1 and not _GPUS:
                # Parallel operations do not change the bits, but workers would compete for the cores.
                tf.config.threading.set_inter_op_parallelism_threads(max(1, (os.cpu_count() or 1) // _WORKERS))
        except RuntimeError as error:
            running = tf.config.threading.get_intra_op_parallelism_threads()
            current = f"train.threads={running}" if running else "as many threads as it chose"
            raise ConfigError(
                f"train.threads={threads}: TensorFlow already runs in this process with {current}, and other threads "
                "give other bits. Start a new process for it."
            ) from error
    for gpu in _GPUS:
        if _GPU_MEMORY is not None:
            if tf.config.get_logical_device_configuration(gpu) is None:
                share = tf.config.LogicalDeviceConfiguration(memory_limit=int(_GPU_MEMORY * 1024))
                tf.config.set_logical_device_configuration(gpu, [share])
        elif not tf.config.experimental.get_memory_growth(gpu):
            tf.config.experimental.set_memory_growth(gpu, True)
    if _GPUS:
        tf.config.experimental.enable_op_determinism()


def backend_name() -> str:
    """``tensorflow``, ``jax`` or ``torch``."""
    return str(keras.backend.backend())


def backend_version() -> str:
    """Name and version of the back end; another one gives other bits."""
    return f"{backend_name()} {importlib.import_module(backend_name()).__version__}"


def compiles(jit: bool) -> bool:
    """Whether the train step is compiled by XLA: with JAX always, as it has no other way.

    Args:
        jit: The value of ``train.jit``.
    """
    return jit or backend_name() == "jax"
