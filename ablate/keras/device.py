"""The machine under TensorFlow and other back ends: chatter, threads, GPU memory, reproducible kernels, set early."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ablate.errors import ConfigError

__all__ = ["prepare"]


_WORKERS = int(os.environ.get("ABLATE_WORKERS", "1"))
"""How many workers share the machine."""

_GPU_MEMORY = float(os.environ["ABLATE_GPU_MEMORY"]) if "ABLATE_GPU_MEMORY" in os.environ else None
"""GiB that this process may take of a GPU that it shares, or None: it grows as it needs."""


@contextmanager
def _silence() -> Iterator[None]:
    """Sends the process's standard error nowhere: TensorFlow's library writes to it before any setting counts."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


# From 2 on only errors are told; TensorFlow reads it when its library loads.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with _silence():
    import tensorflow as tf

    _GPUS = tf.config.list_physical_devices("GPU")
if os.environ.get("KERAS_BACKEND") == "jax":
    if _GPU_MEMORY is not None:
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # else it takes most of the GPU at once
    # Sums shared among threads would differ from run to run; XLA reads this when it starts.
    os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen=false {os.environ.get('XLA_FLAGS', '')}".strip()
# A process that trains several cells traces several steps, and need not be warned of it.
tf.get_logger().setLevel("ERROR")


def prepare(threads: int) -> None:
    """Fixes the number of threads within an operation; with a GPU, also its memory and its kernels.

    The sum of floating-point numbers depends on how it is shared among threads, so that the number of threads
    belongs to the result.

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
                # Operations side by side do not change the bits, but workers would take the cores from each other.
                tf.config.threading.set_inter_op_parallelism_threads(max(1, (os.cpu_count() or 1) // _WORKERS))
        except RuntimeError as error:
            running = tf.config.threading.get_intra_op_parallelism_threads()
            told = f"train.threads={running}" if running else "as many threads as it chose"
            raise ConfigError(
                f"train.threads={threads}: TensorFlow already runs in this process with {told}, and other threads give "
                "other bits. Start a new process for it."
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
