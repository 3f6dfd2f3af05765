"""A whole study, imports included, against the same runs by other means.

    python benchmarks/small_study.py [--cells 7] [--seeds 3] [--epochs 10] [--rounds 3] [--only ablate "plain loop"]
    python benchmarks/small_study.py --cells 2 --seeds 2 --epochs 2 --rounds 1      # a round of everything in minutes

The study is the default one of ``python -m ablate -m`` (two cells: ``residual=true,false``). The others train the same
networks on the same splits with the same initial weights, batch size and optimizer, by ``fit`` on arrays, and report
the same number; ablate also writes its figures and tables. Whoever runs two processes gives each one thread, the
others have all cores. Each round runs all contestants in turn; medians of wall time, and ratios to ablate.

With ``--same-batches`` the others read their batches in ablate's order and have one thread, which is slower, so that
their numbers must be ablate's to the last bit; a difference is an error.

What the others need: pip install keras-tuner 'ray[tune]' hydra-joblib-launcher
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

CELLS: list[dict[str, object]] = [
    {},
    {"residual": False},
    {"batch_norm": False},
    {"bn_placement": "after"},
    {"separable": False},
    {"head": "flatten"},
    {"bias": True},
]
NEEDS = {
    "KerasTuner": "keras_tuner",
    "Ray Tune": "ray",
    "Ray Tune, actors reused": "ray",
    "Hydra joblib": "hydra_plugins.hydra_joblib_launcher",
}
SAME = "ABLATE_SAME_BATCHES"


def once(cell: int, seed: int, epochs: int, threads: int | None = None) -> float:
    """One run as a user of plain Keras would write it; its accuracy goes to ``found.jsonl`` in the study's folder."""
    import keras
    import tensorflow as tf

    from ablate.keras.data.loading import load_run_data
    from ablate.keras.networks import build_model
    from ablate.keras.streams import generator, reseed

    same = SAME in os.environ
    threads = 1 if same else threads
    if threads and tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    config = json.loads(os.environ["CONFIG"]) | CELLS[cell] | {"seed": seed}
    data, _ = load_run_data(config)
    model = build_model(config, data)
    reseed(model, seed)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    images = {name: part.images * data.factor for name, part in data.subsets.items()}
    labels = {name: part.labels for name, part in data.subsets.items()}
    watched = (images["validation"], labels["validation"])
    if same:
        for epoch in range(epochs):
            order = generator(seed, "order", epoch + 1).permutation(len(data.train))
            own = (images["train"][order], labels["train"][order])
            model.fit(*own, batch_size=32, validation_data=watched, shuffle=False, verbose=0)
    else:
        own = (images["train"], labels["train"])
        model.fit(*own, batch_size=32, epochs=epochs, validation_data=watched, verbose=0)
    tested = model.evaluate(images["test"], labels["test"], verbose=0, return_dict=True)
    keras.backend.clear_session()
    with Path(os.environ["FOUND"]).open("a") as file:
        file.write(json.dumps([cell, seed, tested["accuracy"]]) + "\n")
    return float(tested["accuracy"])


def plain(cells: int, seeds: int, epochs: int) -> None:
    for cell in range(cells):
        for seed in range(seeds):
            once(cell, seed, epochs)


def tuner(cells: int, seeds: int, epochs: int) -> None:
    import keras_tuner

    class Study(keras_tuner.GridSearch):
        def run_trial(self, trial, *_, **__):  # type: ignore[no-untyped-def]
            found = trial.hyperparameters
            cell = found.Choice("cell", list(range(cells)))
            return once(cell, found.Choice("seed", list(range(seeds))), epochs)

    def build(found):  # type: ignore[no-untyped-def]
        found.Choice("cell", list(range(cells)))
        found.Choice("seed", list(range(seeds)))

    goal = keras_tuner.Objective("default_objective", "max")
    Study(build, objective=goal, max_trials=cells * seeds, directory="tuner", overwrite=True).search(verbose=0)


def ray_tune(cells: int, seeds: int, epochs: int, reuse: bool) -> None:
    import ray
    from ray import tune

    class Run(tune.Trainable):
        def setup(self, config):  # type: ignore[no-untyped-def]
            self.own = config

        def reset_config(self, config):  # type: ignore[no-untyped-def]
            self.own = config
            return True

        def step(self):  # type: ignore[no-untyped-def]
            accuracy = once(self.own["cell"], self.own["seed"], epochs, threads=1)
            return {"accuracy": accuracy, "done": True}

    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    environment = {"PYTHONPATH": paths, "FOUND": os.environ["FOUND"], "CONFIG": os.environ["CONFIG"]}
    environment |= {SAME: "1"} if SAME in os.environ else {}
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": environment})
    space = {"cell": tune.grid_search(list(range(cells))), "seed": tune.grid_search(list(range(seeds)))}
    settings = tune.TuneConfig(metric="accuracy", mode="max", max_concurrent_trials=2, reuse_actors=reuse)
    tune.Tuner(Run, param_space=space, tune_config=settings).fit()


HYDRA = """
import sys
sys.path.insert(0, {here!r})
import hydra
from small_study import once

@hydra.main(config_path=".", config_name="config", version_base="1.3")
def main(config):
    return once(config.cell, config.seed, config.epochs, config.threads)

if __name__ == "__main__":
    main()
"""


def commands(asked: argparse.Namespace) -> dict[str, list[str]]:
    """The command line of each contestant."""
    sizes = ["--cells", str(asked.cells), "--seeds", str(asked.seeds), "--epochs", str(asked.epochs)]
    swept = ["residual=true,false"] if asked.cells == 2 else []
    grid = [f"cell=range({asked.cells})", f"seed=range({asked.seeds})", f"epochs={asked.epochs}"]
    python, here = sys.executable, __file__
    joblib = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "threads=1"]
    ours = ["-m", "ablate", "-m", *swept, f"study.seeds={asked.seeds}", f"train.epochs={asked.epochs}", "study.name=s"]
    return {
        "ablate": [python, *ours, "study.workers=2"],
        "plain loop": [python, here, "--here", "plain", *sizes],
        "KerasTuner": [python, here, "--here", "tuner", *sizes],
        "Ray Tune": [python, here, "--here", "ray", *sizes],
        "Ray Tune, actors reused": [python, here, "--here", "ray-reused", *sizes],
        "Hydra basic": [python, "app.py", "-m", *grid],
        "Hydra joblib": [python, "app.py", "-m", *grid, *joblib],
    }


def measured(who: str, command: list[str], same: bool) -> tuple[float, dict[tuple[int, int], float]]:
    """Seconds of one contestant, and its accuracies by cell and seed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "app.py").write_text(HYDRA.format(here=str(Path(__file__).parent)))
        (folder / "config.yaml").write_text("cell: 0\nseed: 0\nepochs: 1\nthreads: null\n")
        found = folder / "found.jsonl"
        environment = {**os.environ, "FOUND": str(found), "CONFIG": _config(), "TF_CPP_MIN_LOG_LEVEL": "2"}
        environment |= {SAME: "1"} if same else {}
        begin = time.perf_counter()
        ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - begin
        if ended.returncode:
            raise SystemExit(f"{who}: {ended.stdout[-1000:]}\n{ended.stderr[-2000:]}")
        if who == "ablate":
            return seconds, _ours(folder / "outputs" / "s")
        rows = map(json.loads, found.read_text().splitlines())
        return seconds, {(cell, seed): accuracy for cell, seed, accuracy in rows}


@functools.cache
def _config() -> str:
    """The configuration of the full network."""
    from ablate.app.schema import compose_config, register

    register()
    return json.dumps(compose_config([]))


def _ours(folder: Path) -> dict[tuple[int, int], float]:
    from ablate.store import StudyFolder

    study = StudyFolder(folder)
    places = {cell.name: place for place, cell in enumerate(study.existing_record().plan.cells)}
    found = {}
    for run in study.existing_record().runs:
        result = study.run(run).result()
        if result is not None:
            found[places[run.cell], run.seed] = result.metrics["test_accuracy"]
    shutil.rmtree(folder)
    return found


def difference(found: Mapping[tuple[int, int], float], other: Mapping[tuple[int, int], float]) -> float:
    """The greatest difference of a run's accuracy."""
    if found.keys() != other.keys():
        raise SystemExit(f"Not the same runs: {sorted(found)} and {sorted(other)}")
    return max(abs(found[key] - other[key]) for key in found)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=7, choices=(2, 7))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--same-batches", action="store_true")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    sizes = (asked.cells, asked.seeds, asked.epochs)
    if asked.here:
        {
            "plain": lambda: plain(*sizes),
            "tuner": lambda: tuner(*sizes),
            "ray": lambda: ray_tune(*sizes, reuse=False),
            "ray-reused": lambda: ray_tune(*sizes, reuse=True),
        }[asked.here]()
        return
    chosen = {who: words for who, words in commands(asked).items() if not asked.only or who in {"ablate", *asked.only}}
    for who, module in NEEDS.items():
        if who in chosen and importlib.util.find_spec(module) is None:
            print(f"{who} is left out: {module} is not installed.")
            del chosen[who]
    times: dict[str, list[float]] = {who: [] for who in chosen}
    apart: dict[str, float] = {}
    for number in range(asked.rounds):
        numbers: dict[tuple[int, int], float] = {}
        for who, words in chosen.items():
            seconds, found = measured(who, words, asked.same_batches)
            numbers = numbers or found
            times[who].append(seconds)
            print(f"round {number + 1}: {who} {seconds:.1f} s", flush=True)
            apart[who] = max(apart.get(who, 0.0), difference(found, numbers))
    base = statistics.median(times["ablate"])
    print(f"{asked.cells} cells, {asked.seeds} seeds, {asked.epochs} epochs, {asked.rounds} rounds")
    print(f"{'':24} {'seconds':>8} {'ratio':>6} {'greatest difference of an accuracy':>36}")
    for who, values in times.items():
        middle = statistics.median(values)
        print(f"{who:24} {middle:8.1f} {middle / base:6.2f} {apart[who]:36.6f}")
    if asked.same_batches and max(apart.values()):
        raise SystemExit("With the same batches all numbers should be the same.")


if __name__ == "__main__":
    main()
