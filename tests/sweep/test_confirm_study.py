"""The network without all that was found dispensable, trained against the full one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import warm_process

from ablate.app.main import VERBS
from ablate.errors import AblateError

COMMAND = (
    "rate=0.1,0.2",
    "model=small,large",
    "hydra.sweeper.design=leave_one_out",
    "hydra.sweeper.seeds=[0,1,2,3,4,5,6,7,8]",  # fewer runs exclude no collapse
    "hydra.sweeper.margin=0.05",
)
NAME = "rate-model"

# Neither the rate nor the model is needed, unless both are gone and the file `together` is there.
SCORE = """
    rng = __import__("random").Random(f"{config.seed}{config.rate}{config.model}{config.depth}")
    both = config.rate != 0.1 and config.model.bonus > 0 and (here / "together").exists()
    return {"score": 0.9 - 0.3 * both - 0.2 * (config.depth != 2) + 0.001 * rng.random()}


if __name__ == "__main__":
    main()
"""


@pytest.fixture
def redundant(toy_here: Any) -> Any:
    """The application with two parts of which one is enough."""
    path = toy_here.folder / "toy_application.py"
    text = path.read_text()
    path.write_text(text[: text.index('    return {"score"')] + SCORE)
    return toy_here


def confirm(toy: Any, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    capsys.readouterr()
    code = VERBS["confirm"].run([str(toy.study(NAME).path), *words])
    return code, capsys.readouterr().out


def test_parts_that_are_redundant_one_by_one_are_caught(redundant: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (redundant.folder / "together").touch()
    assert redundant.call(*COMMAND).code == 0
    before = len(redundant.trained())
    code, out = confirm(redundant, capsys)
    assert code == 0
    assert out.startswith("Confirmation of 'rate-model': rate=0.2, model=large against the reference.\n5 fresh seeds: ")
    assert "Study 'rate-model-confirm': 2 cells (confirmation), seeds 9, 10, 11, 12, 13; " in out
    assert "Refuted: setting rate to 0.2 instead of 0.1 and setting model to large instead of small changes" in out
    assert len(redundant.trained()) == before + 10
    written = json.loads((redundant.study(NAME).path / "confirmation.json").read_text())
    assert written["confirmed"] is False
    assert written["removed"] == {"rate": "0.2", "model": "large"}
    assert written["seeds"] == [9, 10, 11, 12, 13]
    assert written["results"][0]["difference"] == pytest.approx(-0.3, abs=0.002)
    # The report of the study says so from then on, and the same verb again trains nothing.
    VERBS["report"].run([str(redundant.study(NAME).path)])
    assert f"Confirmation on fresh seeds. {written['text']}" in capsys.readouterr().out
    assert confirm(redundant, capsys)[0] == 0
    assert len(redundant.trained()) == before + 10
    with pytest.raises(AblateError, match="-confirm' is a confirmation itself\\. Name the study that it confirms"):
        VERBS["confirm"].run([f"{redundant.study(NAME).path}-confirm"])


def test_a_confirmation_goes_on_and_counts_its_failures(redundant: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert redundant.call(*COMMAND).code == 0
    redundant.trouble("2-9", "raise")
    code, out = confirm(redundant, capsys, "--seeds", "3")
    assert code == 1
    assert "Confirmed: setting rate to 0.2 instead of 0.1 and setting model to large instead of small" in out
    assert "n = 2 fresh seeds), which excludes a turn for the worse by the margin of 0.05.\n" in out
    assert json.loads((redundant.study(NAME).path / "confirmation.json").read_text())["failed"] == 2
    assert set(redundant.states(f"{NAME}-confirm")) == {
        f"{cell}/{seed}" for cell in ("full", "rate=0.2,model=large") for seed in (9, 10, 11)
    }
    with pytest.raises(AblateError) as caught:
        confirm(redundant, capsys, "--seeds=6")
    assert str(caught.value) == (
        f"'{redundant.study(NAME).path}-confirm' is there already: it was declared with 3 seeds, not 6, and a test has "
        "the seeds it was planned with. Move it away to confirm with fresh seeds."
    )


def test_another_configuration_is_refused(redundant: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert redundant.call(*COMMAND).code == 0
    before = len(redundant.trained())
    path = redundant.folder / "conf" / "config.yaml"
    path.write_text(path.read_text().replace("width: 8", "width: 9"))
    with pytest.raises(SystemExit) as end:
        confirm(redundant, capsys)
    assert end.value.code == 2
    assert capsys.readouterr().err == (
        "The configuration is not the one that the study had:\n  width: 8 -> 9\n"
        "Put it back to confirm what the study found.\n"
    )
    assert len(redundant.trained()) == before


def test_what_cannot_be_confirmed(redundant: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert redundant.call("depth=2,3", "hydra.sweeper.margin=0.05").code == 0
    with pytest.raises(AblateError) as caught:
        VERBS["confirm"].run([str(redundant.study().path)])
    assert str(caught.value) == ("No ingredient of study 'depth' was found dispensable. All are needed or undecided.")
    with pytest.raises(AblateError) as caught:
        VERBS["confirm"].run([str(redundant.study().path), "--seeds", "many"])
    assert str(caught.value) == "--seeds many: write a whole number of at least 1."
    redundant.trouble("2-2", "raise")
    more = ("hydra.sweeper.seeds=[0,1,2,3]", "hydra.sweeper.keep_going=false", "hydra.sweeper.margin=0.05")
    ended = redundant.call("depth=2,3", *more)
    assert ended.code == 1
    with pytest.raises(AblateError) as caught:
        VERBS["confirm"].run([str(redundant.study().path)])
    assert str(caught.value) == (
        f"3 runs of '{redundant.study().path}' have not ended yet, and its verdicts may still change. Let the study "
        "end first; the command that made it goes on."
    )


@pytest.mark.slow
def test_a_script_is_run_again(redundant: Any) -> None:
    assert redundant.run(*COMMAND, "hydra/launcher=workers", "hydra.launcher.workers=2").code == 0
    ended = warm_process.run(
        [sys.executable, "-m", "ablate", "confirm", NAME, "--seeds", "3"],
        cwd=redundant.folder,
        env=redundant._environment,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert "Confirmed: setting rate to 0.2" in ended.stdout
    found = json.loads((Path(redundant.folder) / "outputs" / NAME / "confirmation.json").read_text())
    assert (found["confirmed"], found["seeds"], found["folder"]) == (True, [9, 10, 11], f"{NAME}-confirm")
