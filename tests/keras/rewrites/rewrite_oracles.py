"""A rewritten network compared with the variant that somebody would write by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from weight_copies import copied_weights

from ablate.keras.networks import named_weights
from ablate.keras.streams import reseed


def random_input(model: Any) -> Any:
    """Numbers that a network takes: whole ones below 12 where it takes tokens, else between -1 and 1."""
    rng = np.random.default_rng(1)
    arrays = [
        rng.integers(0, 12, (3, *tensor.shape[1:])).astype("int32")
        if "int" in str(tensor.dtype)
        else rng.uniform(-1, 1, (3, *tensor.shape[1:])).astype("float32")
        for tensor in model.inputs
    ]
    return arrays[0] if len(arrays) == 1 else arrays


def difference(rewritten: Any, by_hand: Any) -> float:
    """The greatest difference of their outputs, after every check that they are the same network.

    Args:
        rewritten: What `remove` made.
        by_hand: The same with layers of the same names.

    Returns:
        With equal weights other than their first ones, in inference.
    """
    kinds = [sorted(type(one).__name__ for one in model.operations) for model in (rewritten, by_hand)]
    assert kinds[0] == kinds[1]
    for model in (rewritten, by_hand):
        reseed(model, 5)
    starts = [{path: np.asarray(weight) for path, weight in named_weights(model)} for model in (rewritten, by_hand)]
    assert starts[0].keys() == starts[1].keys()
    for path, value in starts[0].items():
        np.testing.assert_array_equal(value, starts[1][path], err_msg=path)
    rng = np.random.default_rng(0)
    for weight in rewritten.weights:
        weight.assign(rng.uniform(0.5 if weight.path.endswith("variance") else -0.5, 1.0, weight.shape))
    assert len(copied_weights(rewritten, by_hand)) == len(by_hand.weights)
    x = random_input(rewritten)
    outputs = [np.asarray(model(x, training=False)) for model in (rewritten, by_hand)]
    assert np.ptp(outputs[0]) > 1e-3
    return float(np.abs(outputs[0] - outputs[1]).max())


def shared_start(full: Any, rewritten: Any) -> list[str]:
    """Paths of the weights of one shape that both networks have, all of which must start alike."""
    for model in (full, rewritten):
        reseed(model, 7)
    known = {path: np.asarray(weight) for path, weight in named_weights(full)}
    shared = []
    for path, weight in named_weights(rewritten):
        if path in known and known[path].shape == tuple(weight.shape):
            np.testing.assert_array_equal(np.asarray(weight), known[path], err_msg=path)
            shared.append(path)
    return shared
