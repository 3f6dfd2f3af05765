"""What a study costs beside its training steps: wall time of a study against the pure steps of the same runs.

    python benchmarks/floor.py [--epochs 120] [--seeds 6] [--workers 2] [--rounds 3] [--data digits]
    python benchmarks/floor.py --data fashion_mnist --epochs 12 --seeds 3 --rounds 1     # runs of five minutes

The study is ``residual=true,false``, from the start of its process to its tables and figures. The floor is the same
runs in as many processes, one thread each, all steps of a run over tensors that are loaded already, with a step that
is traced already: no validation, no test, no curves, no backups, no imports count. There are two: a Python loop that
calls the step, and a loop that is traced as well, an epoch a call. A run's steps do not depend on its seed, so that two
seeds of each cell stand for all. Choose the epochs so that a run takes as long as is asked for; the table says how long
it took. Medians over rounds that run all in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

CELLS = ({}, {"residual": False})


def composed_config(data: str, epochs: int) -> dict[str, object]:
    """The configuration of the full network."""
    from ablate.app.schema import compose_config, register

    register()
    return compose_config([f"data={data}", f"train.epochs={epochs}"])


def steps_alone(cell: int, seeds: int, data: str, epochs: int, loops: Sequence[str]) -> dict[str, list[float]]:
    """Seconds of the steps of each run of a cell, by the kind of loop."""
    from ablate.keras import device

    device.prepare(1)
    import tensorflow as tf

    from ablate.keras.compiled import compiled_model
    from ablate.keras.data.loading import load_run_data
    from ablate.keras.run_config import check_config
    from ablate.keras.streams import generator

    config = composed_config(data, epochs) | CELLS[cell] | {"seed": 0}
    values = check_config(config)
    dataset, _ = load_run_data(config)
    compiled = compiled_model(config, dataset, values)
    model, batch = compiled.model, values["batch_size"]
    images = tf.constant(dataset.pool.images)
    labels = tf.constant(dataset.pool.labels)
    factor = tf.constant(dataset.factor)
    index = dataset.train.index
    steps = -(-len(index) // batch)

    @tf.function(autograph=False, reduce_retracing=True)
    def step(rows):
        model.train_step((tf.cast(tf.gather(images, rows), tf.float32) * factor, tf.gather(labels, rows)))
        return model.get_metrics_result()

    @tf.function(autograph=False, reduce_retracing=True)
    def epoch(order, count):
        def body(place):
            rows = order[place * batch : (place + 1) * batch]
            model.train_step((tf.cast(tf.gather(images, rows), tf.float32) * factor, tf.gather(labels, rows)))
            return (place + 1,)

        tf.while_loop(lambda place: place < count, body, [tf.constant(0)])
        return model.get_metrics_result()

    def by_python(order):
        for place in range(steps):
            logs = step(tf.constant(order[place * batch : (place + 1) * batch]))
        return logs

    def by_trace(order):
        return epoch(tf.constant(order), tf.constant(steps))

    for size in (batch, len(index) % batch or batch):
        step(tf.constant(index[:size]))
    step(tf.constant(index[: batch // 2]))
    epoch(tf.constant(index), tf.constant(1))
    passes = {"python": by_python, "traced": by_trace}
    taken: dict[str, list[float]] = {loop: [] for loop in loops}
    for seed in range(seeds):
        for loop in loops:
            compiled.reset(seed, dataset)
            begin = time.perf_counter()
            for number in range(epochs):
                model.reset_metrics()
                order = index[generator(seed, "order", number + 1).permutation(len(index))]
                float(passes[loop](order)["loss"])
            taken[loop].append(time.perf_counter() - begin)
    return taken


def study(asked: argparse.Namespace) -> float:
    """Seconds of the study."""
    words = ["-m", "residual=true,false", f"data={asked.data}", f"train.epochs={asked.epochs}"]
    words += [f"study.seeds={asked.seeds}", f"study.workers={asked.workers}"]
    with tempfile.TemporaryDirectory() as name:
        begin = time.perf_counter()
        ended = subprocess.run(
            [sys.executable, "-m", "ablate", *words], cwd=name, capture_output=True, text=True, check=False
        )
        if ended.returncode:
            raise SystemExit(ended.stderr[-2000:])
        return time.perf_counter() - begin


def floor(asked: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of each run's steps by the kind of loop, one process a cell, as many as the study has workers."""
    words = ["--data", asked.data, "--epochs", str(asked.epochs), "--seeds", str(min(asked.seeds, 2))]
    words += ["--loops", *asked.loops]
    waiting = [[sys.executable, __file__, "--here", str(cell), *words] for cell in range(len(CELLS))]
    taken: dict[str, list[float]] = {}
    environment = {**os.environ, "ABLATE_WORKERS": str(asked.workers)}
    while waiting:
        some, waiting = waiting[: asked.workers], waiting[asked.workers :]
        together = [subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) for command in some]
        for process in together:
            told, _ = process.communicate()
            if process.returncode:
                raise SystemExit("The steps alone failed.")
            for loop, seconds in json.loads(told.decode().splitlines()[-1]).items():
                taken.setdefault(loop, []).extend(seconds)
    return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2, choices=(1, 2))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--loops", nargs="+", default=["python", "traced"], choices=("python", "traced"))
    parser.add_argument("--here", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.here is not None:
        print(json.dumps(steps_alone(asked.here, asked.seeds, asked.data, asked.epochs, asked.loops)))
        return
    studies: list[float] = []
    runs: dict[str, list[float]] = {loop: [] for loop in asked.loops}
    for number in range(asked.rounds):
        studies.append(study(asked))
        for loop, taken in floor(asked).items():
            runs[loop].append(statistics.mean(taken))
        told = ", ".join(f"steps of a run in a {loop} loop {values[-1]:.1f} s" for loop, values in runs.items())
        print(f"round {number + 1}: study {studies[-1]:.1f} s, {told}", flush=True)
    together = asked.seeds * len(CELLS) / asked.workers
    print(f"{asked.data}, {asked.epochs} epochs, {asked.seeds} seeds of 2 cells, {asked.workers} workers")
    print(f"{'loop':8} {'steps of a run':>15} {'steps of all':>13} {'study':>8} {'ratio':>6}")
    for loop, values in runs.items():
        ratio = statistics.median(whole / (run * together) for whole, run in zip(studies, values, strict=True))
        run = statistics.median(values)
        print(f"{loop:8} {run:13.1f} s {run * together:11.1f} s {statistics.median(studies):6.1f} s {ratio:6.2f}")


if __name__ == "__main__":
    main()
