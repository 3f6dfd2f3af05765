"""Every block of a network as a factor of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ablate.keras import device  # noqa: F401  isort: skip  (it must come before everything that imports TensorFlow)

from ablate.errors import NetworkError
from ablate.keras.graph_reader import graph_of
from ablate.keras.ingredients.without_block import WithoutBlock, block_key, block_names
from ablate.keras.networks import full_model
from ablate.keras.run_config import prepare_process
from ablate.keras.run_data import load_run_data

__all__ = ["factors"]


def factors(config: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
    """The blocks of the network of a config, as declared factors of a study.

    Args:
        config: The resolved config of a run as plain values. ``only.without_block`` limits the blocks by patterns of
            their names.

    Returns:
        By the name of each block its levels: ``true`` for the block in its place, ``false`` with the override that
        leaves it out.

    Raises:
        ConfigError: If a key or value is wrong.
        NetworkError: If the network cannot be built, or has no such block.
    """
    values = prepare_process(config)
    graph = graph_of(full_model(config, load_run_data(config)[0], values["mixed_precision"]))
    limit = (config.get("only") or {}).get(WithoutBlock.name)
    names = block_names(graph, limit)
    if not names:
        known = block_names(graph)
        why = (
            f"no block fits only.without_block={limit}. Blocks: {', '.join(known)}." if known else WithoutBlock.absence
        )
        raise NetworkError(f"Model '{graph.name}': {why}")
    return {name: {"true": [], "false": [f"+blocks.{block_key(name)}=false"]} for name in names}
