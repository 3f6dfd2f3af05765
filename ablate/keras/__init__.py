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

Importing this package loads neither Keras nor TensorFlow; using one of the names does.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablate.keras.ingredients.rewriting import remove
    from ablate.keras.interface import Curves, Diagram, NetworkCost, ShuffledBatches, cost, diagram
    from ablate.keras.streams import seed_streams
    from ablate.keras.survey import IngredientReport, Survey, ingredients

__all__ = [
    "Curves",
    "Diagram",
    "IngredientReport",
    "NetworkCost",
    "ShuffledBatches",
    "Survey",
    "cost",
    "diagram",
    "ingredients",
    "remove",
    "seed_streams",
]

_MODULES = {
    "IngredientReport": "survey",
    "Survey": "survey",
    "ingredients": "survey",
    "remove": "ingredients.rewriting",
    "seed_streams": "streams",
}
"""The submodules of those names that are not in `interface`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES.get(name, 'interface')}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


class _Interface(ModuleType):
    """This package: a submodule that has the name of one of the functions can be called as that function.

    An imported submodule becomes an attribute of its package, in the place of what `__getattr__` would have returned.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in __all__ and type(value) is ModuleType:
            value.__class__ = _CallableModule
        super().__setattr__(name, value)


class _CallableModule(ModuleType):
    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return __getattr__(self.__name__.rpartition(".")[2])(*args, **keywords)


sys.modules[__name__].__class__ = _Interface
