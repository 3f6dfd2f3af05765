"""Layer names that do not depend on what was built before in the process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras


def with_fresh_names(build: Callable[[], Any]) -> Any:
    """Calls a function that builds a model, with the numbers of layer names starting anew.

    Keras numbers layers without a name by a counter (``conv2d``, ``conv2d_1``, ...) that goes on from model to model,
    whereas initial weights are drawn by layer name. `keras.utils.clear_session` would set the counter back, but also
    drops the caller's number format and TensorFlow's compiled kernels. The counter belongs to a thread, so the function
    runs in a new one, with the caller's number format and distribution.

    Args:
        build: A function without arguments.

    Returns:
        The result of the function; its exceptions are raised here.
    """
    policy, distribution = keras.config.dtype_policy(), keras.distribution.distribution()

    def run() -> Any:
        keras.config.set_dtype_policy(policy)
        if distribution is not None:
            keras.distribution.set_distribution(distribution)
        return build()

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="build") as pool:
        return pool.submit(run).result()
