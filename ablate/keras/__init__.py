"""The Keras layer: networks, their ingredients, data and training.

The core reaches it by name and imports none of it. These functions are for a training script of one's own, with its own
``compile`` and ``fit``:

```python
import ablate
from ablate.keras import Curves, ShuffledBatches, remove, seed_streams

def train(config):
    keras.utils.clear_session()
    model = remove(make_model(), residual=config["residual"])   # your functional model, without its shortcuts
    seed_streams(model, config["seed"])                         # shared layers start alike, batches are the same
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    batches = ShuffledBatches(x, y, config["seed"])
    model.fit(batches, validation_data=(x_val, y_val), epochs=5, callbacks=[Curves()])
    return {"test_accuracy": model.evaluate(x_test, y_test)[1]}

ablate.run(train, {"residual": [True, False]}, metric="test_accuracy")
```

- `remove`: a model without some of its ingredients.
- `ingredients`: what a model is made of.
- `seed_streams`, `ShuffledBatches`: paired initial weights, random layers and order of the examples.
- `Curves`: a callback that writes the curves of a run.
- `cost`, `diagram`: what a network costs, and its picture.
- `Ingredient`, `Site`, `Stage`, `Level`: for an ingredient of one's own.

Importing this package loads neither Keras nor TensorFlow; using one of the names does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablate.keras.drawing import Diagram
    from ablate.keras.interface import Curves, NetworkCost, ShuffledBatches, cost, diagram
    from ablate.keras.rewrites import Ingredient, Level, Site, Stage, remove
    from ablate.keras.streams import seed_streams
    from ablate.keras.survey import ingredients

__all__ = [
    "Curves",
    "Diagram",
    "Ingredient",
    "Level",
    "NetworkCost",
    "ShuffledBatches",
    "Site",
    "Stage",
    "cost",
    "diagram",
    "ingredients",
    "remove",
    "seed_streams",
]

_MODULES = {
    "Diagram": "drawing",
    "Ingredient": "rewrites",
    "Level": "rewrites",
    "Site": "rewrites",
    "Stage": "rewrites",
    "ingredients": "survey",
    "remove": "rewrites",
    "seed_streams": "streams",
}
"""The submodules of those names that are not in `interface`. No submodule has the name of a function: once imported, it
would take the function's place as an attribute of this package."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES.get(name, 'interface')}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
