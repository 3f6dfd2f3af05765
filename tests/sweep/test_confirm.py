"""The network without all that was found dispensable, trained against the full one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ablate import verbs
from ablate.errors import AblateError, StoreError
from ablate.store import StudyFolder

STUDY = ("model=small,large", "rate=0.1,0.2", "depth=2,3", "hydra.sweeper.design=leave_one_out")


@pytest.fixture
def redundant(toy_here: Any) -> Any:
    """The application with a score in which rate and note do nothing alone, and much together."""
    path = toy_here.folder / "toy_application.py"
    start = path.read_text().index('    return {"score"')
    lines = [
        "    rng = __import__('random').Random(f'{config.seed}-{config.rate}-{config.note}-{config.depth}')",
        "    lost = 0.3 * (config.rate != 0.1 and config.note != 'a' and TOGETHER) + 0.2 * (config.depth != 2)",
        "    return {'score': 0.9 - lost + 0.001 * rng.random(), 'epochs': 3}",
        "",
        "",
        "if __name__ == '__main__':",
        "    main()",
    ]
    path.write_text(path.read_text()[:start] + "\n".join(lines).replace("TOGETHER", "(here / 'together').exists()"))
    return toy_here


COMMAND = (
    "rate=0.1,0.2", "note=a,b", "depth=2,3",
    "hydra.sweeper.design=leave_one_out", "hydra.sweeper.seeds=6", "hydra.sweeper.margin=0.05",
)  # fmt: skip


def confirm(toy: Any, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    capsys.readouterr()
    code = verbs.confirm([str(toy.study("rate-note-depth").path), *words])
    return code, capsys.readouterr().out


def test_redundant_parts_are_refuted_together(
    redundant: Any, call: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (redundant.folder / "together").touch()
    assert redundant.call(*COMMAND).code == 0
    before = len(redundant.trained())
    code, out = confirm(redundant, capsys)
    print(out)
    assert code == 0
    assert len(redundant.trained()) == before + 10
