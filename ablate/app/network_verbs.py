"""Verbs about networks and data: what they are made of, before any training, and what a trained one predicts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from json import dumps
from pathlib import Path
from typing import Any

from ablate.app.study_verbs import find_run
from ablate.app.verb import Option, Verb
from ablate.errors import AblateError, ConfigError
from ablate.objects import load_object
from ablate.sweep.console import say


def _ingredients(overrides: Sequence[str], json: bool = False) -> int:
    rows = load_object("ablate.keras.survey.main")(_checked_config(overrides))
    if json:
        say(dumps(rows, indent=1))
        return 0
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 160).print(load_object("ablate.keras.survey.survey_table")(rows))
    return 0


def _data(overrides: Sequence[str]) -> int:
    faults = []
    for lines in _each_set(overrides):
        try:
            values = _checked_config(lines)
            data = values["data"]
            name = str(data.get("name") or Path(str(data.get("path") or data.get("source"))).name).replace("/", "-")
            folder = Path("outputs") / "single" / f"data-{name}"
            say("\n".join(load_object("ablate.keras.data.report.main")(values, folder)))
        except AblateError as error:
            faults.append(str(error))
    if faults:
        raise ConfigError("\n".join(faults))
    return 0


def _each_set(overrides: Sequence[str]) -> list[Sequence[str]]:
    """The overrides for each of several data sets, or those that were given."""
    if not any(line.startswith("data.sets=") for line in overrides):
        return [overrides]
    from ablate.app.schema import compose_config

    sets = load_object("ablate.keras.settings.data_sets")(compose_config(overrides)["data"])
    if not sets:
        return [overrides]
    if any(line.startswith("data=") for line in overrides):
        raise ConfigError("data=... and data.sets=... exclude one another: leave one of them out.")
    return [[*overrides, *lines] for lines in sets.values()]


def _predict(arguments: Sequence[str]) -> int:
    study, run = find_run(*arguments[:2])
    say("\n".join(load_object("ablate.keras.predict.main")(study.run(run).path, arguments[2:])))
    return 0


def _checked_config(overrides: Sequence[str]) -> dict[str, Any]:
    from ablate.app.schema import check_values, compose_config

    values = compose_config(overrides)
    check_values(values)
    return values


_OVERRIDES = "[key=value ...]"

VERBS = (
    Verb(
        "ingredients",
        _ingredients,
        _OVERRIDES,
        "what the network is made of, and its size without each part",
        example="model=vgg",
        options=(Option("--json", "", "prints the rows as JSON"),),
        keys=("model", "ingredients", "data"),
    ),
    Verb("data", _data, _OVERRIDES, "classes, counts, sizes, a picture of samples", "data=telugu", keys=("data",)),
    Verb(
        "predict",
        _predict,
        "STUDY RUN IMAGE ...",
        "what a network that a run kept (train.save=best) says of images",
        example="outputs/ingredients full/0 photo.png",
    ),
)
