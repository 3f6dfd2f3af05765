"""Hostile command lines end in a message or a study, never in a traceback or outside the output folder.

``FUZZ=500 python -m pytest tests/test_fuzz.py`` tries more of them.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ablate.app.main import main

# fmt: off
KEYS = [
    "residual", "head", "seed", "study.name", "study.seeds", "study.design", "study.factors", "train.epochs", "x",
    "model", "data", "study.requires", "study.margin", "hydra.launcher.workers", "study", "+y", "~residual", "++z",
    "train", "", "=", "résidu", "a.b.c", "model@net", "study.metric", "study.forbidden", "task",
]
VALUES = [
    "true,false", "../..", "/etc/passwd", "'", '"', "{", "}", "[", "]", "${now:%Y}", "${oc.env:HOME}", "${", "$(ls)",
    "`id`", "é,ü", "名前", "a" * 300, "a=b", "a\nb", "", "null", "null,true", "1e400", "nan", "inf,-inf", "-1", "0",
    "range(3)", "range(0)", "choice(a,b)", "interval(0,1)", "glob(*)", "{a:1}", "[1,2]", "[true,false]", "1,1", "x" * 9,
    ".", "..", "...", "-rf", "outputs/../../x", "<script>", "%s", "\\", "\t", "true", "gap,flatten", "leave_one_out",
    "optimal", "fractional", "auto", "3", "{a: [1,2]}", "{residual: 3}", "\x01", "🙂",
]
# fmt: on


def hostile(rng: random.Random) -> list[str]:
    words = []
    for _ in range(rng.randint(1, 3)):
        word = f"{rng.choice(KEYS)}{rng.choice(['=', '=', '=', '', '=='])}{rng.choice(VALUES)}"
        if rng.random() < 0.2:
            letters = list(word)
            rng.shuffle(letters)
            word = "".join(letters)
        words.append(word)
    # A leading dash would be an option of the program, not an override.
    return [word if not word.startswith("-") else f"x{word}" for word in words if word]


@pytest.mark.slow
def test_hostile_words_end_in_a_message_or_a_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any]
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    rng = random.Random(20261123)
    faults = []
    for number in range(int(os.environ.get("FUZZ", "60"))):
        words = hostile(rng)
        ended = call(main, "plan", *words, "hydra/launcher=basic")
        told = f"{number}: {words}\n{ended.out[-300:]}\n{ended.err[-600:]}"
        good = (
            ended.code in (0, 2)
            and "Traceback" not in ended.err + ended.out
            and (ended.code == 0 or 0 < len(ended.err) < 3000)
            and [path.name for path in tmp_path.iterdir()] == ["work"]
            and not [path for path in work.iterdir() if path.name != "outputs"]
        )
        if not good:
            faults.append(told)
    assert not faults, f"{len(faults)} faults:\n" + "\n".join(faults[:20])


@pytest.mark.slow
@pytest.mark.usefixtures("no_figures")
def test_hostile_names_stay_within_the_output_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any]
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    (work / "quick.py").write_text("def train(values, folder, progress=None):\n    return {'test_accuracy': 0.5}\n")
    monkeypatch.syspath_prepend(str(work))
    for value in VALUES:
        name = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        added = ["task=quick.train", "study.preflight=null", "hydra/launcher=basic", "study.seeds=1"]
        ended = call(main, "-m", "residual=true,false", f"study.name={name}", *added)
        told = f"{value!r}\n{ended.out[-300:]}\n{ended.err[-600:]}"
        assert ended.code in (0, 1, 2), told
        assert "Traceback" not in ended.err + ended.out, told
        assert sorted(path.name for path in tmp_path.iterdir()) == ["work"], told
        assert {path.name for path in work.iterdir()} <= {"outputs", "quick.py", "__pycache__"}, told
        if ended.code == 0:
            assert len(list((work / "outputs").glob("*/plan.json"))) >= 1
