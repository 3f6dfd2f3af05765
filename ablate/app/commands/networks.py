"""Verbs about networks and data: what they are made of, before any training, and what a trained one predicts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from json import dumps
from pathlib import Path
from typing import Any

from ablate.app.commands.studies import find_run
from ablate.app.help import data_keys, ingredient_keys, model_keys
from ablate.app.schema import check_values, compose_config
from ablate.app.verb import Key, Option, Verb
from ablate.objects import load_object
from ablate.sweep.console import say

__all__ = ["VERBS"]

_TOPIC = "Look at a network and at data, before any training"


def _ingredients(overrides: Sequence[str], json: bool = False) -> int:
    rows = load_object("ablate.keras.survey.main")(_checked_config(overrides))
    if json:
        say(dumps([row.plain() for row in rows], indent=1))
        return 0
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 160).print(load_object("ablate.keras.survey.rendered")(rows))
    return 0


def _data(overrides: Sequence[str]) -> int:
    values = _checked_config(overrides)
    folder = Path("outputs") / "single" / f"data-{values['data'].get('name') or values['data'].get('source')}"
    for line in load_object("ablate.keras.data.report.main")(values, folder):
        say(line)
    return 0


def _predict(arguments: Sequence[str]) -> int:
    study, run = find_run(*arguments[:2])
    for line in load_object("ablate.keras.predict.main")(study.run(run).path, arguments[2:]):
        say(line)
    return 0


def _checked_config(overrides: Sequence[str]) -> dict[str, Any]:
    values = compose_config(overrides)
    check_values(values)
    return values


def _network_keys() -> list[Key]:
    return [*model_keys(), *ingredient_keys(), *data_keys()]


VERBS = (
    Verb(
        name="ingredients",
        summary="what the network is made of, and its size without each part",
        function=_ingredients,
        topic=_TOPIC,
        arguments="[key=value ...]",
        needs="keys and values",
        example="model=vgg",
        least=0,
        more=True,
        options=(Option("--json", "prints the rows as JSON"),),
        keys=_network_keys,
    ),
    Verb(
        name="data",
        summary="classes, counts, sizes, and a sheet of samples",
        function=_data,
        topic=_TOPIC,
        arguments="[key=value ...]",
        needs="keys and values",
        example="data=telugu",
        least=0,
        more=True,
        keys=data_keys,
    ),
    Verb(
        name="predict",
        summary="what a network that a run kept (train.save=best) says of images",
        function=_predict,
        topic=_TOPIC,
        arguments="STUDY RUN IMAGE ...",
        needs="a study folder, a run such as full/0, and images",
        example="outputs/ingredients full/0 photo.png",
        least=3,
        more=True,
    ),
)
