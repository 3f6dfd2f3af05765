"""Runs of which only the names of files and folders say what they are: logs of Keras' CSVLogger, of TensorBoard."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ablate.adopt.event_files import read_events
from ablate.adopt.files import Unreadable, log_table, read_yaml
from ablate.adopt.hydra_folder import words_in_path, words_of_name
from ablate.adopt.material import ForeignRun, Material, NumberTable, Unread
from ablate.adopt.tree import Tree
from ablate.sweep.identity import flatten

__all__ = ["find_event_runs", "find_logged_runs", "values_of_names"]

_SAYS_NOTHING = frozenset(
    "csv events history log logs metrics results scalars tensorboard test train training val validation".split()
)
_SEED = re.compile(r"(?:^|[_\-. ])seed[_\-. ]?(\d+)(?=$|[_\-. ])", re.IGNORECASE)
_BESIDE = ("config.yaml", "hparams.yaml", "config.json", "params.json")
_ENDING = re.compile(r"^(.*\D)[_\-. ]?(\d+)$|^()(\d+)$")


def find_logged_runs(tree: Tree, numbered: bool = True) -> Material:
    """A run a CSV file; where folders hold files of the same names, a run a folder.

    Args:
        tree: The names of the files.
        numbered: Whether a number at the end of all names may be the seed.
    """
    folders: dict[str, list[str]] = {}
    names = Counter(Path(file).name for file in tree.tables)
    for file in tree.tables:
        path = Path(file)
        place = str(path.parent) if names[path.name] > 1 else file
        folders.setdefault(place, []).append(file)
    unread = list(tree.unread)
    read = {}
    ages = {}
    for place, files in folders.items():
        tables: dict[str, NumberTable] = {}
        for file in files:
            try:
                table, said = log_table(tree.root / file)
            except Unreadable as error:
                unread.append(Unread(file, str(error)))
                continue
            unread.extend(Unread(file, *remark) for remark in said)
            if table is not None:
                tables[Path(file).name if len(files) > 1 or names[Path(file).name] > 1 else "log"] = table
        read[place] = tables
        ages[place] = max((tree.root / file).stat().st_mtime for file in files)
    return _material("csv_logger", tree, read, ages, unread, numbered)


def find_event_runs(tree: Tree, numbered: bool = True) -> Material:
    """A run a folder with event files; Keras' folders ``train`` and ``validation`` belong to the one above them."""
    folders: dict[str, list[str]] = {}
    for file in tree.events:
        parent = Path(file).parent
        above = parent.parent if parent.name in ("train", "validation") else parent
        folders.setdefault(str(above), []).append(file)
    unread = list(tree.unread)
    read = {}
    ages = {}
    for place, files in folders.items():
        read[place], failed = read_events(tree.root, place, files)
        unread.extend(failed)
        ages[place] = max((tree.root / file).stat().st_mtime for file in files)
    return _material("tensorboard", tree, read, ages, unread, numbered)


def _material(
    source: str,
    tree: Tree,
    read: dict[str, dict[str, NumberTable]],
    ages: dict[str, float],
    unread: list[Unread],
    numbered: bool,
) -> Material:
    places = list(read)
    values, notes = values_of_names(places, numbered)
    runs = []
    for place, own in zip(places, values, strict=True):
        folder = tree.root / place
        beside = _beside(folder if folder.is_dir() else folder.parent, unread, tree.root) if len(places) > 1 else {}
        if not folder.is_dir() and sum(Path(other).parent == Path(place).parent for other in places) > 1:
            beside = {}  # one configuration cannot tell several files apart
        trouble = "" if read[place] else "no numbers in its files"
        runs.append(ForeignRun(place, {**beside, **own}, words_in_path(place), read[place], ages[place], trouble))
    return Material(source, tuple(runs), tuple(unread), tuple(notes))


def _beside(folder: Path, unread: list[Unread], root: Path) -> dict[str, Any]:
    for name in _BESIDE:
        path = folder / name
        if not path.is_file():
            continue
        try:
            plain = read_yaml(path)  # JSON is YAML as well
        except Unreadable as error:
            unread.append(Unread(str(path.relative_to(root)), str(error)))
            continue
        if isinstance(plain, dict):
            return flatten({str(key): value for key, value in plain.items()})
    return {}


def values_of_names(places: Sequence[str], numbered: bool = True) -> tuple[list[dict[str, Any]], list[str]]:
    """What the names of runs say of their levels and seeds.

    Words ``key=value`` are levels; ``seed3``, ``seed_3`` is a seed; what is left is the level of a factor ``variant``.
    Where every name ends with a number, and names differ in nothing else in groups of equal size, that is the seed.

    Args:
        places: Their names.
        numbered: Whether a number at the end may be the seed.

    Returns:
        The values of each place by key, and what a user should know about how they were read.

    Example:
        >>> values_of_names(["full_seed0.csv", "full_seed1.csv", "lr=0.1/log.csv"])[0]
        [{'variant': 'full', 'seed': 0}, {'variant': 'full', 'seed': 1}, {'lr': 0.1, 'variant': 'log'}]
    """
    found, rests = [], []
    for place in places:
        values: dict[str, Any] = {key: _plain(word) for key, word in words_in_path(_stem(place)).items()}
        rest = []
        for part in _stem(place).split("/"):
            word = ",".join(piece for piece in words_of_name(part) if "=" not in piece)
            if (seed := _SEED.search(word)) is not None:
                values["seed"] = int(seed.group(1))
                word = _SEED.sub("", word).strip("_-. ")
            rest.append(word)
        found.append(values)
        rests.append([word for word in rest if word and word != "."])
    notes = []
    telling = [[word for word in rest if word.lower() not in _SAYS_NOTHING] or rest[-1:] for rest in rests]
    variants = ["/".join(rest) for rest in telling]
    if numbered and not any("seed" in values for values in found) and (ended := _numbered(variants)) is not None:
        variants = [stem for stem, _ in ended]
        for values, (_, number) in zip(found, ended, strict=True):
            values["seed"] = number
        notes.append("The number at the end of each name is taken for its seed; seed=null takes names as they are.")
    for values, variant in zip(found, variants, strict=True):
        if len(set(variants)) > 1:
            values["variant"] = variant or "none"
    return [_seed_last(values) for values in found], notes


def _seed_last(values: dict[str, Any]) -> dict[str, Any]:
    return {key: values[key] for key in sorted(values, key=lambda key: key == "seed")}


def _stem(place: str) -> str:
    return place[: -len(suffix)] if (suffix := Path(place).suffix).lower() in (".csv", ".tsv") else place


def _plain(word: str) -> Any:
    try:
        return int(word) if re.fullmatch(r"[-+]?\d+", word) else float(word)
    except ValueError:
        return word


def _numbered(variants: Sequence[str]) -> list[tuple[str, int]] | None:
    matches = [_ENDING.match(variant) for variant in variants]
    ended = [((match[1] or "").rstrip("_-. "), int(match[2] or match[4])) for match in matches if match]
    groups = Counter(stem for stem, _ in ended)
    whole = len(ended) == len(variants) and len(set(ended)) == len(ended) and len(groups) > 1
    return ended if whole and min(groups.values()) > 1 and len(set(groups.values())) == 1 else None
