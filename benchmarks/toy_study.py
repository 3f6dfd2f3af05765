"""The small study of the batteries, and the commands that they give: a Hydra application without training.

Three cells, four seeds, one failed run, with costs, a confirmation and diagrams; and a study ``part`` of other seeds.
"""

from __future__ import annotations

import contextlib
import io
import os
import runpy
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from battery import call_forked

APPLICATION = """
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig

ConfigStore.instance().store("toy", {"norm": "batch", "skip": True, "seed": 0})


@hydra.main(version_base="1.3", config_path=None, config_name="toy")
def train(config):
    if config.norm == "none" and config.seed == 3:
        raise ValueError("out of luck")
    noise = (37 * config.seed + 11 * config.skip + 5 * (config.norm == "none")) % 7 / 1000
    score = 0.9 - 0.1 * (config.norm == "none") + noise
    name = "history.csv" if config.seed == 2 else "curves.csv"
    lines = [f"{epoch},{score - 0.1 / epoch:.6f}" for epoch in range(1, 6)]
    folder = Path(HydraConfig.get().runtime.output_dir)
    (folder / name).write_text("\\n".join(["epoch,val_score", *lines]) + "\\n")
    return {"score": score, "loss": 1 - score}


if __name__ == "__main__":
    train()
"""
"""The application: it writes curves, by a seed in a file of its own, and one of its runs fails."""

TRAIN = (
    *("-m", "hydra/sweeper=ablation", "norm=batch,none", "skip=true,false"),
    *("hydra.sweeper.design=one_factor_at_a_time", "hydra.sweeper.metric=score", "hydra.sweeper.margin=0.05"),
)
STUDY = "hydra.sweeper.name=toy", "hydra.sweeper.seeds=4"
PART = "hydra.sweeper.name=part", "hydra.sweeper.seeds=[4,5]"


RUNS: Mapping[str, tuple[str, int]] = {"RUN": ("skip=false", 1), "OWN": ("skip=false", 2), "FAILED": ("norm=none", 3)}
OTHER = "norm=none", 1
FAILING = "norm=none/3"  # run again it raises, as its task does


def ablate(*arguments: str) -> None:
    """The command ``ablate`` in this process."""
    from ablate.app.main import main

    sys.argv = ["ablate", *arguments]
    main()


def application(*arguments: str) -> None:
    """The application in this process."""
    script = str(Path("app.py").absolute())
    sys.argv = [script, *TRAIN, *STUDY, *arguments]
    sys.path.insert(0, str(Path.cwd()))
    runpy.run_path(script, run_name="__main__")


def read_in_python(run: str) -> None:
    """What a notebook shows of a study."""
    from ablate.api import load, table
    from ablate.errors import AblateError

    try:
        summary = load("outputs/toy")
        for frame in (summary.runs, summary.cells, summary.effects, summary.pairs, summary.curves):
            print(frame.drop(columns=[name for name in frame if str(name).startswith("seconds")]).to_csv(index=False))
        print(table(summary), *summary.notes, sep="\n")
    except AblateError as error:
        sys.exit(str(error))


@dataclass(frozen=True)
class Command:
    """A command on the damaged study.

    Args:
        call: Does it, given a run as ``cell/seed``.
        writes: The folder, below the output folder, whose files are its results; empty if it only prints.
    """

    call: Callable[[str], object]
    writes: str = ""


COMMANDS: Mapping[str, Command] = {
    "status": Command(lambda run: ablate("status", "outputs/toy")),
    "show": Command(lambda run: ablate("show", "outputs/toy", run)),
    "report": Command(lambda run: ablate("report", "outputs/toy"), "toy"),
    "report of two": Command(lambda run: ablate("report", "outputs/toy", "outputs/part", "--into", "both"), "both"),
    "merge": Command(lambda run: ablate("merge", "outputs/toy", "outputs/part", "--into", "merged"), "merged"),
    "merge into": Command(lambda run: ablate("merge", "outputs/part", "--into", "toy"), "toy"),
    "again": Command(lambda run: application(), "toy"),
    "plan": Command(lambda run: application("hydra.sweeper.dry_run=true")),
    "python": Command(read_in_python),
    "confirm": Command(lambda run: ablate("confirm", "outputs/toy")),
    "rerun": Command(lambda run: ablate("rerun", "outputs/toy", "skip=false/1" if run == FAILING else run)),
}


def cell_seed(run: tuple[str, int]) -> str:
    """A run as the command line names it."""
    return f"{run[0]}/{run[1]}"


def copy_study(source: Path, target: Path) -> None:
    """A copy of a study that has the times of the files, so that what a cache remembers of them holds."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def make_study(root: Path) -> None:
    """Carry out the small study, its part with other seeds and its confirmation, and write the rest of its files."""
    from ablate.store import StudyFolder

    root.mkdir()
    (root / "app.py").write_text(APPLICATION)
    for settings in (STUDY, PART):
        _must_succeed(lambda settings=settings: application(*settings), root)
    for name in ("toy", "part"):
        study = StudyFolder(root / "outputs" / name)
        factor = 1 + (name == "part")
        costs = {"weights": 1000, "flops": 2000, "activations": 300, "latency": 0.001, "step": 0.002, "batch": 64}
        cells = study.existing_record().plan.cells
        costs |= {f"{key}_ratio": 1.0 for key in costs if key != "batch"}
        study.write_costs({cell.name: {**costs, "weights": 1000 * factor} for cell in cells})
        study.diagrams.mkdir()
        for cell in cells:
            (study.diagrams / f"{cell.name}.svg").write_text(
                f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>{factor}</text></svg>\n'
            )
        _must_succeed(lambda name=name: ablate("confirm", f"outputs/{name}"), root)
        _must_succeed(lambda name=name: ablate("report", f"outputs/{name}"), root)


def _must_succeed(function: Callable[[], object], root: Path) -> None:
    ended = call_forked(function, root, 120)
    if ended.fault:
        raise SystemExit(f"The study could not be made:\n{ended.output[-3000:]}")


def prepare_process() -> None:
    """Import what the cases need, let small studies be cached, and draw one figure for all."""
    import ablate.app.application
    import ablate.app.main
    import ablate.figures
    import ablate.figures.files
    import ablate.merging
    import ablate.report.cache
    import ablate.report.page
    import ablate.report.study_report
    import ablate.sweep.confirm
    import ablate.sweep.rerun
    import ablate.sweep.sweeper
    import ablate.tables

    ablate.report.cache._MIN_RUNS = 0
    formats = ablate.figures.files.FORMATS
    ablate.figures.files.FORMATS = {name: formats[name] for name in formats if name != "pdf"}  # takes the most time
    write = ablate.figures.write_figures

    def write_forest(summary: object, folder: object, names: object = None, *rest: object) -> object:
        return write(summary, folder, ["forest"], *rest)

    ablate.figures.write_figures = write_forest


def warm_up(root: Path) -> None:
    """Carry commands out in this process, so that forked ones find modules and fonts loaded."""
    import scipy.stats  # noqa: F401

    here = Path.cwd()
    os.chdir(root)
    try:
        for command in COMMANDS.values():
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                with contextlib.suppress(SystemExit):
                    command.call(cell_seed(RUNS["RUN"]))
    finally:
        os.chdir(here)
