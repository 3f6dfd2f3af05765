"""What a study costs beside its training steps: wall time of a study against the pure steps of the same runs.

    python benchmarks/floor.py [--epochs 100] [--seeds 2] [--workers 2] [--rounds 3] [--data digits]
    python benchmarks/floor.py --data fashion_mnist --epochs 12 --seeds 1 --rounds 1     # runs of minutes

The study is ``residual=true,false``, from the start of its process to its tables and figures. The floor is the same
runs in as many processes, one thread each, all steps of a run in a loop over tensors that are loaded already, with a
step that is traced already: no validation, no test, no curves, no backups, no imports count. Choose the epochs so that
a run takes as long as is asked for; the table says how long it took. Medians over rounds that run both in turn.
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

CELLS = ({}, {"residual": False})


def composed_config(data: str, epochs: int) -> dict[str, object]:
    """The configuration of the full network."""
    from ablate.config import register
    from ablate.sweep.composer import composed

    register()
    return composed([f"data={data}", f"train.epochs={epochs}"])


def steps_alone(cell: int, seeds: int, data: str, epochs: int) -> list[float]:
    """Seconds of the steps of each run of a cell."""
    from ablate.keras import device

    device.prepare(1)
    import tensorflow as tf

    from ablate.keras.compiled import compiled
    from ablate.keras.fitting import fitting_data
    from ablate.keras.preflight import checked
    from ablate.keras.streams import generator

    config = composed_config(data, epochs) | CELLS[cell]
    taken = []
    for seed in range(seeds):
        own = config | {"seed": seed}
        values = checked(own)
        dataset, _ = fitting_data(own)
        ready = compiled(own, dataset, values)
        model, batch = ready.model, values["batch_size"]
        if not seed:
            images = tf.constant(dataset.pool.images)
            labels = tf.constant(dataset.pool.labels)
            factor = tf.constant(dataset.factor)

            @tf.function(autograph=False, reduce_retracing=True)
            def epoch(order, count, model=model, batch=batch, images=images, labels=labels, factor=factor):
                def body(step):
                    rows = order[step * batch : (step + 1) * batch]
                    model.train_step((tf.cast(tf.gather(images, rows), tf.float32) * factor, tf.gather(labels, rows)))
                    return (step + 1,)

                tf.while_loop(lambda step: step < count, body, [tf.constant(0)])
                return model.get_metrics_result()

        index = dataset.train.index
        count = tf.constant(-(-len(index) // batch))
        epoch(tf.constant(index), tf.constant(1))
        ready.restart(seed)
        begin = time.perf_counter()
        for number in range(epochs):
            model.reset_metrics()
            order = index[generator(seed, "order", number + 1).permutation(len(index))]
            float(epoch(tf.constant(order), count)["loss"])
        taken.append(time.perf_counter() - begin)
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


def floor(asked: argparse.Namespace) -> list[float]:
    """Seconds of each run's steps, one process a cell, as many at a time as the study has workers."""
    words = ["--data", asked.data, "--epochs", str(asked.epochs), "--seeds", str(asked.seeds)]
    waiting = [[sys.executable, __file__, "--here", str(cell), *words] for cell in range(len(CELLS))]
    taken: list[float] = []
    environment = {**os.environ, "ABLATE_WORKERS": str(asked.workers)}
    while waiting:
        some, waiting = waiting[: asked.workers], waiting[asked.workers :]
        together = [subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) for command in some]
        for process in together:
            told, _ = process.communicate()
            if process.returncode:
                raise SystemExit("The steps alone failed.")
            taken += json.loads(told.decode().splitlines()[-1])
    return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2, choices=(1, 2))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--here", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.here is not None:
        print(json.dumps(steps_alone(asked.here, asked.seeds, asked.data, asked.epochs)))
        return
    studies, floors, runs = [], [], []
    for _ in range(asked.rounds):
        studies.append(study(asked))
        taken = floor(asked)
        floors.append(sum(taken) / asked.workers)
        runs.append(statistics.median(taken))
    ratio = statistics.median(whole / least for whole, least in zip(studies, floors, strict=True))
    print(f"{'data':15} {'epochs':>6} {'steps of a run':>15} {'steps of all':>13} {'study':>8} {'ratio':>6}")
    print(
        f"{asked.data:15} {asked.epochs:6} {statistics.median(runs):13.1f} s {statistics.median(floors):11.1f} s "
        f"{statistics.median(studies):6.1f} s {ratio:6.2f}"
    )


if __name__ == "__main__":
    main()
