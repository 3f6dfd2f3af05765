"""The page behind ``--help``: how to use it, and every key with its default and its comment from the YAML files."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from ablate.config import conf_dir

__all__ = ["guide"]

_HEAD = """\
ablate: does each ingredient of a network earn its place?

One network:
  python -m ablate                            trains the full network and prints its test accuracy
  python -m ablate residual=false             the same without its skip connections

A study (-m) trains with and without, several seeds each, and writes figures and tables to outputs/<study>/:
  python -m ablate -m                         the full network against the network without each ingredient
  python -m ablate -m residual=true,false     one ingredient
  python -m ablate -m residual=true,false head=gap,flatten      the grid of two
  python -m ablate -m layers=leave_one_out    every block of the network left out in turn
  python -m ablate -m residual=true,false 'residual.only=block[3-5]*'    only in layers whose names fit a pattern
  python -m ablate -m study.seeds=5           with five seeds instead of three
  python -m ablate -m seed=0,7,9              with these seeds
  python -m ablate -m train.epochs=20 study.name=longer         any key can be set beside it

Look at a network and at data, before any training:
  python -m ablate ingredients model=vgg      what the network is made of, and its size without each part
  python -m ablate data data=telugu           classes, counts, sizes, a sheet of samples

Look at a study:
  python -m ablate plan ...                   what the same words after -m would train
  python -m ablate status outputs/NAME        what is done, running, failed, waiting
  python -m ablate report outputs/NAME        collect again (--figures forest,curves --width icml: only those)
  python -m ablate show outputs/NAME full/0   configuration, error and log of a run (cell/seed)
  python -m ablate rerun outputs/NAME full/0  run it again, and say whether the result is bit-identical
  python -m ablate confirm outputs/NAME       train it without all that was found dispensable, on fresh seeds
  python -m ablate predict outputs/NAME full/0 photo.png        with a network kept by train.save=best

Several studies, and results of other tools:
  python -m ablate merge A B --into NAME      parts of one study, from several machines, as one
  python -m ablate report A B                 several studies in one table, or side by side
  python -m ablate adopt PATH metric=...      make a study of a Hydra multirun folder, CSV logs, event files, a table
"""

_FOOT = """\
Any key can be set with key=value, and compared with -m key=a,b.
--cfg job prints the whole configuration as it would be used; -sc install=bash (or zsh, fish) gives tab completion
to `ablate`; --hydra-help says what Hydra itself offers.
Exit codes: 0 all finished, 1 some run failed, 2 bad input, 130 interrupted.
"""

_WIDTH = 118
_GROUPS = {"model": "The network", "data": "The data set"}
_NODES = {"train": "train/default.yaml", "study": "study/ingredients.yaml", "report": "report/default.yaml"}


def guide() -> str:
    """The whole page.

    Example:
        >>> "residual=true" in guide()
        True
    """
    conf = Path(conf_dir())
    parts = [_HEAD]
    for group, title in _GROUPS.items():
        options = {path.stem: _first_comment(path) for path in sorted((conf / group).glob("*.yaml"))}
        lines = _lines([(f"{group}={name}", words) for name, words in options.items()])
        parts.append("\n".join([f"{title} ({group}=..., its keys are {group}.<key>):", *lines, ""]))
    parts.append("\n".join(["Ingredients and seed:", *_keys(conf / "config.yaml", ""), ""]))
    for node, file in _NODES.items():
        parts.append("\n".join([_first_comment(conf / file), *_keys(conf / file, f"{node}."), ""]))
    return "\n".join([*parts, _FOOT])


def _first_comment(path: Path) -> str:
    first = path.read_text().splitlines()[0]
    return first.lstrip("# ")


def _default(value: str) -> str:
    """A value for reading: of ``${oc.select:data.epochs,10}``, which a data set may override, the default."""
    return re.sub(r"^\$\{oc\.select:[^,]+,(.*)\}$", r"\1", value)


def _keys(path: Path, prefix: str) -> list[str]:
    pattern = re.compile(r"^(?P<key>[a-z_]+): *(?P<value>\S.*?) +# (?P<words>.+)$")
    found = [match for line in path.read_text().splitlines() if (match := pattern.match(line))]
    pairs = [(f"{prefix}{match['key']}={_default(match['value'])}", match["words"]) for match in found]
    return _lines(pairs)


def _lines(pairs: list[tuple[str, str]]) -> list[str]:
    """Two columns, the right one wrapped."""
    indent = max(len(left) for left, _ in pairs) + 4
    lines = []
    for left, right in pairs:
        first, *rest = textwrap.wrap(right, _WIDTH - indent)
        lines += [f"  {left:{indent - 2}}{first}", *(" " * indent + line for line in rest)]
    return lines
