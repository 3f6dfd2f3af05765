"""Folders of results as strangers leave them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ablate.foreign.request import parse_settings
from ablate.foreign.study import adopt_folder
from ablate.report import summary_of
from ablate.store import StudyFolder


def hydra_run(
    folder: Path,
    config: Mapping[str, Any] | str,
    *,
    overrides: list[str] | None = None,
    choices: Mapping[str, str] | None = None,
    age: float | None = None,
    **files: str,
) -> Path:
    """A run folder as Hydra leaves it; files by name with two underscores for the dot."""
    hidden = folder / ".hydra"
    hidden.mkdir(parents=True, exist_ok=True)
    text = config if isinstance(config, str) else yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
    (hidden / "config.yaml").write_text(text)
    (hidden / "overrides.yaml").write_text(yaml.safe_dump(overrides or [], allow_unicode=True))
    plain = {"hydra": {"runtime": {"choices": dict(choices or {})}, "job": {"num": "???"}}}
    (hidden / "hydra.yaml").write_text(yaml.safe_dump(plain))
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.write_text(content)
        if age is not None:
            os.utime(path, (age, age))
    if age is not None:
        os.utime(hidden, (age, age))
    return folder


def result(**metrics: float) -> str:
    """A JSON file of results."""
    return json.dumps(metrics)


def adopted(path: Path, *words: str, outputs: Path | None = None) -> StudyFolder:
    """The study that is made of a path, beside it."""
    return adopt_folder(path, parse_settings(words), outputs or path.parent / "outputs")


def cells(study: StudyFolder) -> pd.DataFrame:
    """The cells of a study with mean and n."""
    return summary_of(study).cells


def means(study: StudyFolder) -> dict[str, float]:
    """The mean of each cell that has one, by its label; the reference, whatever its levels, is ``full`` here."""
    frame = cells(study).dropna(subset=["mean"])
    reference = summary_of(study).plan.cells[0].label
    return {
        "full" if cell == reference else cell: round(mean, 6)
        for cell, mean in zip(frame["cell"], frame["mean"], strict=True)
    }


def notes(study: StudyFolder) -> str:
    """All that is said below the table."""
    return "\n".join(summary_of(study).notes)
