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
    "train", "", "=", "résidu", "a.b.c", "model@net", "study.metric", "study.forbidden", "task", "trainer",
    "a" * 300, "b" * 5000, "hydra.sweeper.seeds",
]
VALUES = [
    "true,false", "../..", "/etc/passwd", "'", '"', "{", "}", "[", "]", "${now:%Y}", "${oc.env:HOME}", "${", "$(ls)",
    "`id`", "é,ü", "名前", "a" * 300, "a=b", "a\nb", "", "null", "null,true", "1e400", "nan", "inf,-inf", "-1", "0",
    "range(3)", "range(0)", "choice(a,b)", "interval(0,1)", "glob(*)", "{a:1}", "[1,2]", "[true,false]", "1,1", "x" * 9,
    ".", "..", "...", "-rf", "outputs/../../x", "<script>", "%s", "\\", "\t", "true", "gap,flatten", "leave_one_out",
    "optimal", "fractional", "auto", "3", "{a: [1,2]}", "{residual: 3}", "\x01", "🙂",
    "w" * 300, "w" * 5000, "range(1,1000000000)", "shuffle(range(0,1000000000))", "sort(range(0,1e9,0.5))",
    "range(0,9,0)", "range(0,1e300,1e-300)", "[" * 400 + "]" * 400,
    "float(range(0,1,1e-12))", "range(0,inf)", "range(-1e400,3)", f"range(0,{10**40})", "1000000000", f"{10**400}",
    "\x1b[2J", "a\u202eb", "=cmd()", "ResNet,resnet", "[1000000000]",
]
LONG = ["a" * 300, "a" * 5000, "a/" * 3000, "a/" + "b" * 300]
VERBS = [
    "report WORD", "status WORD", "show WORD full/0", "show outputs WORD", "merge WORD --into x", "merge x --into WORD",
    "adopt WORD", "adopt WORD.csv", "adopt . WORD=1", "rerun WORD x", "confirm WORD", "predict WORD x y", "WORD",
    "help WORD",
    "ingredients WORD=1", "data data=folder data.path=WORD", "report x --figures WORD", "--config-name=WORD", "--WORD",
    "--config-path=WORD", "report x y --into WORD",
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
    for number in range(int(os.environ.get("FUZZ", "25"))):
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


@pytest.mark.parametrize("word", LONG, ids=lambda word: f"{word[:3]}-{len(word)}")
def test_long_words_end_in_a_message(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    for verb in VERBS:
        ended = call(main, *verb.replace("WORD", word).split())
        assert ended.code == 2, f"{verb}\n{ended.out[-300:]}\n{ended.err[-600:]}"
        assert "Traceback" not in ended.err + ended.out, verb
        assert 0 < len(ended.err) < 3000, verb
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "number", "limit"),
    [
        (["residual=range(1,1000000000)"], "999,999,999", "10,000"),
        (["x=range(1,1000000000)"], "999,999,999", "10,000"),
        (["train.epochs=shuffle(range(0,1000000000))"], "1,000,000,000", "10,000"),
        (["train.epochs=range(0,1,1e-12)"], "1,000,000,000,000", "10,000"),
        (["residual=true,false", "seed=range(0,1000000000)"], "1,000,000,000", "100,000"),
        (["residual=true,false", "study.seeds=1000000000"], "1000000000", "100000"),
        (["residual=true,false", "study.seeds=60000"], "120,000", "100,000"),
        ([*(f"+model.args.x{n}=1,2" for n in range(40)), "model=builder"], "1,099,511,627,776", "100,000"),
    ],
)
def test_what_would_fill_the_memory_is_refused_with_both_numbers(
    words: list[str],
    number: str,
    limit: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[..., Any],
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = call(main, "plan", *words)
    assert ended.code == 2
    assert number in ended.err and limit in ended.err


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
        added = ["trainer=quick.train", "study.preflight=null", "hydra/launcher=basic", "study.seeds=1"]
        ended = call(main, "-m", "residual=true,false", f"study.name={name}", *added)
        told = f"{value!r}\n{ended.out[-300:]}\n{ended.err[-600:]}"
        assert ended.code in (0, 1, 2), told
        assert "Traceback" not in ended.err + ended.out, told
        assert sorted(path.name for path in tmp_path.iterdir()) == ["work"], told
        assert {path.name for path in work.iterdir()} <= {"outputs", "quick.py", "__pycache__"}, told
        if ended.code == 0:
            assert len(list((work / "outputs").glob("*/plan.json"))) >= 1
