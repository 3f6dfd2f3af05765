"""What the names of files and folders say of runs: ``key=value``, a seed, a variant."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.foreign.reader import ForeignRun, ForeignRuns
from ablate.logs.files import SourceFolder
from ablate.logs.number_table import NumberTable
from ablate.logs.plain_values import flatten
from ablate.logs.printing import short_line

if TYPE_CHECKING:
    from ablate.foreign.request import AdoptSettings

_GENERIC = frozenset(
    "csv events history log logs metrics results scalars tensorboard test train training val validation".split()
)
_SEED = re.compile(r"(?:^|[_\-. ])seed[_\-. ]?(\d+)(?=$|[_\-. ])", re.IGNORECASE)
_CONFIG_FILES = ("config.yaml", "hparams.yaml", "config.json", "params.json")
_NUMBER_AT_END = re.compile(r"(.*?)[_\-. ]*(\d+)")


def runs_by_name(
    folder: SourceFolder,
    files_by_run: Mapping[str, Sequence[str]],
    tables: Mapping[str, Mapping[str, NumberTable]],
    settings: AdoptSettings,
) -> ForeignRuns:
    """Runs whose names, and a configuration file next to their results, say what they are.

    Args:
        folder: The folder that is adopted.
        files_by_run: The files of results by the run's location: its folder, or its only file.
        tables: What was read of them.
        settings: A number at the end of all names may be the seed, unless the settings say that there is none.
    """
    locations = list(files_by_run)
    named, notes = config_from_names(locations, settings.seed is not None)
    files_in = Counter(str(Path(location).parent) for location in locations)
    runs = []
    for location, config in zip(locations, named, strict=True):
        path = Path(location)
        is_folder = (folder.root / path).is_dir()
        # One configuration cannot tell several runs apart: neither all of them, nor several files in one folder.
        shares_config = len(locations) == 1 or (not is_folder and files_in[str(path.parent)] > 1)
        own = {} if shares_config else _config_file(folder, path if is_folder else path.parent)
        fault = "" if tables[location] else "no numbers in its files"
        modified = max(map(folder.modified, files_by_run[location]))
        declared = levels_in_path(location)
        runs.append(ForeignRun(location, {**own, **config}, declared, tables[location], modified, fault))
    return ForeignRuns(tuple(runs), tuple(notes))


def _config_file(folder: SourceFolder, path: Path) -> dict[str, Any]:
    for file in (str(path / name) for name in _CONFIG_FILES):
        if folder.has(file):
            with folder.noting_faults(file):
                config = folder.read_yaml(file)  # JSON is YAML as well
                if isinstance(config, dict):
                    return {short_line(key): value for key, value in flatten(config).items()}
    return {}


def levels_in_path(path: str) -> dict[str, str]:
    """The levels in a path: every ``key=value`` in it, in nested names or joined by commas.

    Example:
        >>> levels_in_path("sweep/model=cnn/lr=0.1,layers=[8,4]")
        {'model': 'cnn', 'lr': '0.1', 'layers': '[8,4]'}
    """
    pieces = (piece.partition("=") for name in path.split("/") for piece in _pieces(name))
    return {key.lstrip("+"): unquoted(value) for key, sign, value in pieces if sign and key}


def _pieces(name: str) -> list[str]:
    """What commas separate in the name of a file or folder.

    A comma within brackets belongs to a value, and one that no key follows does too.
    """
    return re.split(r",(?![^\[{(]*[\]})])(?=[^,=]+=)", name)


def unquoted(text: str) -> str:
    """A text without the quotes around it."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def config_from_names(locations: Sequence[str], numbered: bool = True) -> tuple[list[dict[str, Any]], list[str]]:
    """What the names of runs say of their levels and seeds.

    Pieces ``key=value`` are levels; ``seed3``, ``seed_3`` is a seed; the rest is the level of a factor ``variant``.
    Where every name ends with a number, and names differ in nothing else in groups of equal size, that is the seed.

    Args:
        locations: The names, with the folders above them.
        numbered: Whether a number at the end may be the seed.

    Returns:
        The configuration of each run by key, and what a user should know about how it was read.

    Example:
        >>> config_from_names(["full_seed0.csv", "full_seed1.csv", "lr=0.1/log.csv"])[0]
        [{'variant': 'full', 'seed': 0}, {'variant': 'full', 'seed': 1}, {'lr': 0.1, 'variant': 'log'}]
    """
    configs, variants = [], []
    for location in locations:
        stem = re.sub(r"\.[ct]sv$", "", location, flags=re.IGNORECASE)
        config: dict[str, Any] = {key: _number_or_text(value) for key, value in levels_in_path(stem).items()}
        rest = []
        for name in stem.split("/"):
            text = ",".join(piece for piece in _pieces(name) if "=" not in piece)
            if (seed := _SEED.search(text)) is not None:
                config["seed"] = int(seed.group(1))
                text = _SEED.sub("", text).strip("_-. ")
            rest += [text] if text and text != "." else []
        configs.append(config)
        variants.append("/".join([text for text in rest if text.lower() not in _GENERIC] or rest[-1:]))
    notes = []
    if numbered and not any("seed" in config for config in configs) and (split := _split_numbers(variants)) is not None:
        variants = [stem for stem, _ in split]
        configs = [{**config, "seed": number} for config, (_, number) in zip(configs, split, strict=True)]
        notes.append("The number at the end of each name is taken for its seed; seed=null takes names as they are.")
    if len(set(variants)) > 1:
        configs = [{**config, "variant": variant or "none"} for config, variant in zip(configs, variants, strict=True)]
    # Factors come in the order of the keys, and the seed is none.
    return [{key: config[key] for key in sorted(config, key=lambda key: key == "seed")} for config in configs], notes


def _number_or_text(text: str) -> Any:
    try:
        return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)
    except ValueError:
        return text


def _split_numbers(variants: Sequence[str]) -> list[tuple[str, int]] | None:
    matches = [_NUMBER_AT_END.fullmatch(variant) for variant in variants]
    split = [(match[1], int(match[2])) for match in matches if match]
    sizes = Counter(stem for stem, _ in split)
    distinct = len(split) == len(variants) and len(set(split)) == len(split) and len(sizes) > 1
    return split if distinct and min(sizes.values()) > 1 and len(set(sizes.values())) == 1 else None
