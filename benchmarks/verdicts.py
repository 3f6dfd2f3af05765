"""How often verdicts are wrong, what they find, and how often intervals cover: a quarter of an hour on two cores.

Studies with lost runs or a margin are judged by the functions of the product, one by one, the others many at once by
``verdict_twin``, of which a test shows that it decides alike. What is done is kept in a file, so that the command given
again goes on where it stopped. Coverage counts an interval that is withheld as the whole line.

Usage: python benchmarks/verdicts.py [studies, default 10000] [--file verdicts.jsonl] [--seconds 600] [--workers 2]
"""

from __future__ import annotations

import argparse
import json
import math
import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from verdict_scenarios import CELLS, DATA_SETS, POOLED, POWER, SCENARIOS, SEEDS_EACH, Scenario
from verdict_studies import trajectories
from verdict_twin import Batch, auto, before, fixed, likely_seeds, pooled

from ablate.analysis.boundary import FIRST_LOOK, SequentialRule
from ablate.analysis.decisions import Decision, Trajectory, decide
from ablate.analysis.growth import levels_of
from ablate.analysis.moderation import FEW_SEEDS
from ablate.analysis.sequential import follow
from ablate.analysis.verdicts import adjust, direction_of, evidence, verdict

RULE = SequentialRule(20)
CHUNK = 1000
SEED = 20261130


def plain(study: dict[str, Trajectory], margin: float | None) -> list[Decision]:
    """The rule of version 0.1: paired t tests with Holm, each question in a family of its own."""
    means = [trajectory.mean() for trajectory in study.values()]
    raw = [evidence(mean, margin) for mean in means]
    return [
        Decision(mean.n, mean, p, adjusted, verdict(mean, adjusted, margin))
        for mean, p, adjusted in zip(means, raw, adjust(raw), strict=True)
    ]


def measures(found: Sequence[Decision], scenario: Scenario) -> NDArray[np.float64]:
    """Of one study: any false helps or hurts, any false claim at all, share of true effects found, covered, seeds."""
    difference = claim = False
    detected, covered = [], []
    for decision, truth in zip(found, scenario.truth, strict=True):
        said, mean = direction_of(decision.verdict), decision.contribution
        difference |= (said == "helps" and truth <= 1e-12) or (said == "hurts" and truth >= -1e-12)
        margin = scenario.margin or math.inf
        claim |= (said == "no effect" or said != decision.verdict) and abs(truth) >= margin
        claim |= said == "dispensable" and truth >= margin
        if truth:
            detected.append(said == ("helps" if truth > 0 else "hurts"))
        covered.append(not (mean.low > truth or truth > mean.high))
    shares = [float(np.mean(values)) if values else math.nan for values in (detected, covered)]
    return np.array([difference, difference or claim, *shares, np.mean([d.read for d in found])])


def batch_measures(found: Batch, scenario: Scenario) -> list[float]:
    """The mean of :func:`measures` over many studies without a margin."""
    truth = np.array(scenario.truth)
    wrong = ((found.sign > 0) & (truth <= 1e-12)) | ((found.sign < 0) & (truth >= -1e-12))
    error = float(wrong.any(axis=1).mean())
    effects = np.abs(truth) > 1e-12
    detected = float((found.sign == np.sign(truth))[:, effects].mean()) if effects.any() else math.nan
    covered = ~((found.low > truth) | (truth > found.high))
    return [error, error, detected, float(covered.mean()), float(found.read.mean())]


def simulate(name: str, n: int, rule: str, chunk: int) -> list[float]:
    """The mean measures of :data:`CHUNK` studies."""
    scenario = {**SCENARIOS, **POWER}[name]
    rng = np.random.default_rng([SEED, zlib.crc32(name.encode()), n, chunk])
    shape = (CHUNK, len(scenario.truth), n or RULE.max_seeds)
    reference, cells = scenario.law(rng, shape)
    if scenario.margin is None and not np.isnan(cells - reference).any():
        twin = before if rule == "plain" else fixed if n else lambda a, b: auto(a, b, RULE)
        return batch_measures(twin(reference, cells), scenario)
    rows = []
    for runs_of_reference, runs_of_cells in zip(reference, cells, strict=True):
        study = trajectories(runs_of_reference[0], runs_of_cells)
        if rule == "plain":
            found = plain(study, scenario.margin)
        elif n:
            found = list(decide(study, scenario.margin).values())
        else:
            found = list(follow(study, RULE, scenario.margin).decisions.values())
        rows.append(measures(found, scenario))
    table = np.array(rows)
    return [float(np.nanmean(column)) if not np.isnan(column).all() else math.nan for column in table.T]


def grown(cells: int, advised: bool, chunk: int) -> list[float]:
    """Studies without effects that stop at three seeds if all is decided, and else grow: to 10, or as advised."""
    rng = np.random.default_rng([SEED, cells, advised, chunk])
    wrong = []
    for _ in range(CHUNK):
        runs = rng.standard_normal((cells + 1, 100))
        looks: list[int] = []
        n = FIRST_LOOK
        said: list[str] = []
        while True:
            study = trajectories(runs[0, :n], runs[1:, :n])
            found = list(decide(study, None, levels_of(looks, n)).values())
            said += [decision.verdict for decision in found]
            undecided = [decision for decision in found if not decision.is_decided]
            if not undecided or len(looks) >= (10 if advised else 1):
                break
            looks.append(n)
            if advised:
                means = [decision.contribution for decision in undecided]
                numbers = [likely_seeds(mean.mean, mean.error, mean.n, cells) for mean in means if mean.error > 0]
                more = [number for number in numbers if number is not None and number > n]
                if not more:
                    break
                n = min(more)
            else:
                n = 10
        wrong.append(any(word != "undecided" for word in said))
    return [float(np.mean(wrong))]


def over_data_sets(name: str, sets: int, chunk: int) -> list[float]:
    """The mean measures of studies whose effects are pooled over data sets."""
    rng = np.random.default_rng([SEED, zlib.crc32(name.encode()), sets, chunk])
    found = pooled(POOLED[name].law(rng, (CHUNK, CELLS, sets, SEEDS_EACH)))
    return batch_measures(found, Scenario(lambda *_: (np.zeros(0), np.zeros(0))))


Job = tuple[str, int, str, int]


def run(job: Job) -> tuple[Job, list[float]]:
    name, n, rule, chunk = job
    if name.startswith("grown"):
        return job, grown(n, rule == "advised", chunk)
    if name in POOLED:
        return job, over_data_sets(name, n, chunk)
    return job, simulate(name, n, rule, chunk)


def jobs(studies: int) -> Iterator[Job]:
    for name, scenario in {**SCENARIOS, **POWER}.items():
        for n in scenario.sizes:
            for rule in ("product", "plain") if n else ("product",):
                yield from ((name, n, rule, chunk) for chunk in range(math.ceil(studies / CHUNK)))
    for name in POOLED:
        for sets in DATA_SETS:
            yield from ((name, sets, "product", chunk) for chunk in range(math.ceil(studies / CHUNK)))
    for name, rule in (("grown to 10 if undecided", "fixed"), ("grown as advised", "advised")):
        for cells in (1, 6):
            yield from ((name, cells, rule, chunk) for chunk in range(math.ceil(studies / CHUNK)))


def main() -> None:
    parser = argparse.ArgumentParser(description="How often verdicts are wrong.")
    parser.add_argument("studies", nargs="?", type=int, default=10_000, help="of every scenario")
    parser.add_argument("--file", type=Path, default=Path("verdicts.jsonl"), help="what is done is kept here")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after so many; the next call goes on")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    arguments = parser.parse_args()
    studies, path, limit = arguments.studies, arguments.file, arguments.seconds
    started = time.perf_counter()
    done: dict[Job, list[float]] = {}
    if path.exists():
        for line in path.read_text().splitlines():
            name, n, rule, chunk, *values = json.loads(line)
            done[name, n, rule, chunk] = values
    wanted = list(jobs(studies))
    # What takes seconds comes first, and what is decided one by one last.
    missing = sorted((job for job in wanted if job not in done), key=_order)
    with path.open("a") as file, ProcessPoolExecutor(arguments.workers) as pool:
        for place in range(0, len(missing), 4):
            if time.perf_counter() - started > limit:
                print(f"{len(missing) - place} parts are still to come: give the command again.")
                break
            for job, values in pool.map(run, missing[place : place + 4]):
                done[job] = values
                file.write(json.dumps([*job, *values]) + "\n")
                file.flush()
    report({job: done[job] for job in wanted if job in done})
    print(f"\n{time.perf_counter() - started:.0f} s")


def _order(job: Job) -> tuple[int, int, int]:
    name, n, _, chunk = job
    seeds = n or RULE.max_seeds
    is_slow = name in SCENARIOS and (SCENARIOS[name].margin is not None or "lost" in name)
    if name.startswith("grown"):
        return 5, chunk, seeds
    if is_slow:
        return 3 if n else 4, chunk, seeds
    return (0 if name in POOLED or seeds < FEW_SEEDS else 1 if n else 2), chunk, seeds


def report(done: dict[Job, list[float]]) -> None:
    rows: dict[tuple[str, int, str], list[list[float]]] = {}
    for (name, n, rule, _), values in done.items():
        rows.setdefault((name, n, rule), []).append(values)
    print("Any false helps or hurts; any false claim; coverage; mean seeds. 'before': the paired t test with Holm.")
    print(f"{'scenario':44} {'n':>4} {'before':>7} {'error':>6} {'any':>6} {'cover':>6} {'seeds':>6}  excluded by name")
    worst, least = 0.0, 1.0
    for (name, n, rule), values in rows.items():
        if rule != "product" or name not in SCENARIOS:
            continue
        error, anything, _, cover, seeds = np.mean(np.array(values), axis=0)
        before = np.mean([row[0] for row in rows.get((name, n, "plain"), [])] or [math.nan])
        scenario = SCENARIOS[name]
        reason = scenario.excluded if n in scenario.excluded_at else ""
        if not reason:
            worst, least = max(worst, anything), min(least, cover)
        print(
            f"{name:44} {n or 'auto':>4} {before:7.3f} {error:6.3f} {anything:6.3f} {cover:6.3f} {seeds:6.1f}  {reason}"
        )
    for (name, sets, _), values in rows.items():
        if name in POOLED:
            error, _, _, cover, _ = np.mean(np.array(values), axis=0)
            reason = POOLED[name].excluded if sets in POOLED[name].excluded_at else ""
            if not reason:
                worst, least = max(worst, error), min(least, cover)
            print(f"{name:44} {sets:>4} {'':7} {error:6.3f} {'':6} {cover:6.3f} {'':6}  {reason}")
    for (name, n, _), values in rows.items():
        if name.startswith("grown"):
            error = float(np.mean(values))
            worst = max(worst, error)
            print(f"{name + f', K={n}':44} {'':>4} {'':7} {error:6.3f}")
    print(f"\nNot excluded: error at most {worst:.3f}, coverage at least {least:.3f}.\n")
    sizes = sorted({n for name, n, _ in rows if name in POWER})
    print(f"{'Share found of six equal effects':34}" + "".join(f"{n or 'auto':>7}" for n in sizes))
    for name in POWER:
        for rule in ("plain", "product"):
            cells = [np.mean([row[2] for row in rows.get((name, n, rule), [])] or [math.nan]) for n in sizes]
            print(f"{name + (', before' if rule == 'plain' else ', now'):34}" + "".join(f"{c:7.2f}" for c in cells))
    seeds = {name: rows.get((name, 0, "product")) for name in POWER}
    print("auto takes " + ", ".join(f"{np.mean([row[4] for row in v]):.1f} ({k})" for k, v in seeds.items() if v))


if __name__ == "__main__":
    main()
