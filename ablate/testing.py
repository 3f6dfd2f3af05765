"""A ready-made check for an ingredient of your own; needs the ``keras`` extra.

```python
from ablate.testing import check_ingredient

def test_my_ingredient(tmp_path):
    check_ingredient(MyIngredient(), make_a_model_that_has_it(), folder=tmp_path)
```
"""

from __future__ import annotations

import gc
import hashlib
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablate.keras.rewrites import Ingredient, Level

_SEED = 1


@dataclass(frozen=True)
class IngredientCheck:
    """What the check of an ingredient found.

    Args:
        sites: Number of places where it was found.
        weights: Number of weights with it.
        weights_without: Number of weights without it.
        removed: Names of layers that the network without it lacks.
        changed: Names of layers that both have, with other arguments.
        added: Names of layers that only the network without it has.
    """

    sites: int
    weights: int
    weights_without: int
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    added: tuple[str, ...]


def check_ingredient(
    ingredient: Ingredient,
    model: Any,
    level: Level | None = None,
    *,
    leaves_none: bool = True,
    changes_elsewhere: bool = False,
    train: bool = True,
    optimizer: str = "adam",
    folder: Path | None = None,
) -> IngredientCheck:
    """Takes an ingredient out of a model and checks everything that a study relies on.

    It is found; the rewrite leaves none of it; the outputs keep their shape; layers away from its places keep their
    arguments, and all layers of the same shape and initialiser their initial weights; a training step gives finite
    numbers and moves the weights; the network survives saving and loading. Only a model with one input and one output
    is trained.

    Args:
        ingredient: The ingredient.
        model: A functional or Sequential model that contains it.
        level: The level to check, by default the second.
        leaves_none: Whether none of it may be left; false for a level that exchanges and does not remove.
        changes_elsewhere: Whether layers that are not next to a place may change too.
        train: Whether to train a step, save and load.
        optimizer: Keras's name of what trains the step, at a learning rate of 1e-4. ``"sgd"`` needs half of the
            memory of Adam, which keeps two numbers for each weight.
        folder: Where to save; by default a temporary folder.

    Returns:
        What was found, for checks of your own.

    Raises:
        AssertionError: With every fault that was found, a line each.
    """
    from ablate.keras.graph_reader import graph_of
    from ablate.keras.rewrites import INGREDIENTS, remove, sites_of

    chosen = ingredient.levels[1] if level is None else level
    faults: list[str] = []
    before = graph_of(model)
    sites = len(sites_of(ingredient, before))
    if not sites and chosen not in ingredient.adds:
        raise AssertionError(f"`{ingredient.name}` is not found in model '{model.name}'.")
    known = {**INGREDIENTS, ingredient.name: ingredient}
    levels: dict[str, Any] = {ingredient.name: chosen}
    without = remove(model, ingredients=known, **levels)
    after = graph_of(without)
    left = len(sites_of(ingredient, after))
    if leaves_none and left:
        faults.append(f"{left} of {sites} places are still found in the network without it.")
    if without.output_shape != model.output_shape:
        faults.append(f"The output has the shape {without.output_shape} instead of {model.output_shape}.")
    changed = tuple(
        name
        for name in after.layers
        if name in before.layers and _arguments(after.layers[name]) != _arguments(before.layers[name])
    )
    neighbours = _next_to(ingredient, before)
    distant = [name for name in changed if name not in neighbours]
    if distant and not changes_elsewhere:
        faults.append(f"Layers that are not next to a place have other arguments: {', '.join(distant)}.")
    faults += _different_starts(model, without, _restarted(before, after))
    gc.collect()  # models hold reference cycles: memory of a large one must be free before the next copy
    if train and len(model.inputs) == len(model.outputs) == 1:
        faults += _training_faults(without, optimizer, folder)
    if faults:
        raise AssertionError("\n".join([f"{ingredient.name}={chosen} in model '{model.name}':", *faults]))
    return IngredientCheck(
        sites=sites,
        weights=model.count_params(),
        weights_without=without.count_params(),
        removed=tuple(name for name in before.layers if name not in after.layers),
        changed=changed,
        added=tuple(name for name in after.layers if name not in before.layers),
    )


def _arguments(layer: Any) -> Any:
    from ablate.keras.graph_equality import fingerprint

    # A nested Sequential model is functional after a rewrite, of the same layers.
    return (layer.kind, dict(layer.config)) if layer.inner is None else fingerprint(layer.inner)


def _next_to(ingredient: Ingredient, graph: Any) -> set[str]:
    """The layers of its places and those that feed them or are fed by them."""
    layers: set[str] = set()
    for site in ingredient.find(graph):
        for key in site.nodes:
            if key in graph.nodes:
                node = graph.nodes[key]
                layers |= {one.layer for one in (node, *graph.producers(node), *graph.consumers(node))}
    return layers


def _restarted(before: Any, after: Any, prefix: str = "") -> set[str]:
    """The layers that another initialiser starts."""
    restarted: set[str] = set()
    for name, layer in after.layers.items():
        old = before.layers.get(name)
        if old is not None and layer.inner is not None and old.inner is not None:
            restarted |= _restarted(old.inner, layer.inner, f"{prefix}{name}/")
        elif old is not None and any(
            key.endswith("_initializer") and key in old.config and old.config[key] != value
            for key, value in layer.config.items()
        ):
            restarted.add(prefix + name)
    return restarted


def _different_starts(model: Any, without: Any, restarted: set[str]) -> list[str]:
    """Layers of the same shapes whose weights do not start alike, although the same initialisers start them."""
    from ablate.keras.networks import named_weights
    from ablate.keras.streams import reseed, seeded

    full = {path: (weight.shape, _digest(weight)) for path, weight in named_weights(seeded(model, _SEED))}
    reseed(without, _SEED)
    differing = [
        path
        for path, weight in named_weights(without)
        if path in full
        and full[path][0] == weight.shape
        and path.rsplit("/", 2)[0] not in restarted
        and full[path][1] != _digest(weight)
    ]
    return [f"Weights that both networks have start from other values: {', '.join(differing)}."] if differing else []


def _training_faults(model: Any, optimizer: str, folder: Path | None) -> list[str]:
    import keras
    import numpy as np

    rng = np.random.default_rng(_SEED)
    shape = [8, *(side or 32 for side in model.inputs[0].shape[1:])]
    x = rng.uniform(size=shape).astype("float32")
    target = rng.uniform(size=(8, *(side or 32 for side in model.outputs[0].shape[1:]))).astype("float32")
    loss = "mse"
    if getattr(model.outputs[0]._keras_history.operation, "activation", None) is keras.activations.softmax:
        # A saturated softmax has no gradient of squared errors.
        target, loss = (target == target.max(axis=-1, keepdims=True)).astype("float32"), "categorical_crossentropy"
    model.compile(keras.optimizers.get(optimizer), loss, run_eagerly=True)
    model.optimizer.learning_rate = 1e-4
    start = [_digest(weight) for weight in model.trainable_weights]
    faults = []
    if not np.isfinite(model.train_on_batch(x, target)):
        faults.append("The loss of a training step is not finite.")
    output = np.asarray(model(x, training=False))
    if not np.isfinite(output).all():
        faults.append("After a training step the output is not finite.")
    if start and start == [_digest(weight) for weight in model.trainable_weights]:
        faults.append("A training step leaves all weights as they are.")
    model.compile()  # without the optimizer, whose state is not to be saved
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        path = Path(temporary) / "model.keras"
        with warnings.catch_warnings():
            # Keras with NumPy 2
            warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)
            model.save(path)
        # A Lambda without a name is Python code in a file; this file was written a moment ago.
        loaded = keras.models.load_model(path, compile=False, safe_mode=False)
        if not np.array_equal(np.asarray(loaded(x, training=False)), output):
            faults.append("Saved and loaded, the network gives other numbers.")
    return faults


def _digest(weight: Any) -> str:
    """A hash of a weight: a copy of all weights, to compare them later, may not fit into memory."""
    import numpy as np

    return hashlib.blake2b(np.ascontiguousarray(np.asarray(weight)).view(np.uint8).data).hexdigest()
