"""What a network is made of, and the network without it.

An ingredient is a rewrite of the graph of a built model, not a switch in the code that builds it; so the same words
take apart our networks, those of `keras.applications` and any functional model of a user:

```python
model = keras.applications.MobileNetV2(weights=None)
present(model)                                 # {"residual": 10, "batch_norm": 52, ...}
smaller = remove(model, residual=False)
```

Importing this package loads no Keras: configuration and help page read the declarations of the ingredients.
"""

from __future__ import annotations

from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage
from ablate.keras.rewrites.places import inaccessible_places, present, sites_of
from ablate.keras.rewrites.registry import INGREDIENTS, catalogue
from ablate.keras.rewrites.rewriting import ablated_graph, partial_removals, remove

__all__ = [
    "INGREDIENTS",
    "Ingredient",
    "Level",
    "Site",
    "Stage",
    "ablated_graph",
    "catalogue",
    "inaccessible_places",
    "partial_removals",
    "present",
    "remove",
    "sites_of",
]
