"""Every network of keras.applications without each of its ingredients; writes docs/applications.md.

    python benchmarks/applications.py            form alone, all members
    python benchmarks/applications.py --train    with a training step, saving and loading

It goes on where it stopped: each result is a line of the file. For each pair it checks that nothing of the ingredient
is found afterwards, that the output keeps its shape, and counts weights; with --train also what `ablate.testing` does.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from ablate.keras import device

device.prepare(1)

import keras  # noqa: E402

from ablate.errors import NetworkError  # noqa: E402
from ablate.keras.graph_reader import graph_of  # noqa: E402
from ablate.keras.graph_writer import sketch  # noqa: E402
from ablate.keras.models import ModelSignature, build  # noqa: E402
from ablate.keras.models.application import applications, least_size  # noqa: E402
from ablate.keras.rewrites import INGREDIENTS, ablated_graph, sites_of  # noqa: E402
from ablate.testing import check_ingredient  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
DOCS, RESULTS = ROOT / "docs" / "applications.md", ROOT / "benchmarks" / "applications.jsonl"
LEVELS = {name: one.removed for name, one in INGREDIENTS.items() if one.removed is not None and not one.adds}
ADAM = 10**9
"""Networks of more weights train their step with plain gradient descent, which needs half of the memory."""
BYTES = 16
"""A weight, its gradient and the two moments of Adam."""
EVERYWHERE = ("batch_norm", "norm", "head")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--results", type=Path, default=RESULTS)
    options.add_argument("--members", nargs="*", help="names in keras.applications; by default all")
    options.add_argument("--train", action="store_true", help="train a step, save and load as well")
    options.add_argument("--minutes", type=float, default=float("inf"), help="begin no further pair after so long")
    options.add_argument("--most", type=float, default=float("inf"), help="train no network of more million weights")
    given = options.parse_args()
    end = time.monotonic() + 60 * given.minutes
    given.results.parent.mkdir(parents=True, exist_ok=True)
    members = given.members or list(applications())
    for member, names in missing(members, read(given.results), given.train, given.most):
        for row in look(member, names, given.train):
            with given.results.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)
            gc.collect()
            if time.monotonic() > end:
                break
        keras.utils.clear_session()
        if time.monotonic() > end:
            break
    DOCS.parent.mkdir(exist_ok=True)
    DOCS.write_text(page(read(given.results)))


def missing(members: list[str], rows: list[dict], train: bool, most: float) -> list[tuple[str, list[str]]]:
    """What is not done yet: members, each with its ingredients, those that leave few weights first."""
    done = {(row["member"], row["ingredient"]) for row in rows if row["trained"] or not train or not row["sites"]}
    size = {(row["member"], row["ingredient"]): max(row["weights"], row["without"] or 0) for row in rows}
    found = []
    for member in members:
        names = [one for one in LEVELS if (member, one) not in done and size.get((member, one), 0) <= most * 1e6]
        if names:
            found.append((member, sorted(names, key=lambda one: size.get((member, one), 0))))
    return found


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def look(member: str, names: list[str], train: bool):
    size = max(64, least_size(member))
    model = build({"name": member}, ModelSignature((size, size, 3), 4))
    graph = graph_of(model)
    for name in names:
        row = {"member": member, "size": size, "ingredient": name, "trained": train, "fault": None}
        row |= {"sites": len(sites_of(INGREDIENTS[name], graph)), "weights": model.count_params(), "without": None}
        if row["sites"]:
            begin = time.perf_counter()
            try:
                if train:
                    row["optimizer"] = "adam" if form(model, name) <= ADAM else "sgd"
                    seen = check_ingredient(
                        INGREDIENTS[name],
                        model,
                        LEVELS[name],
                        changes_elsewhere=name in EVERYWHERE,
                        optimizer=row["optimizer"],
                    )
                    row["without"] = seen.weights_without
                else:
                    row["without"] = form(model, name)
            except (NetworkError, AssertionError) as error:
                row["fault"] = str(error)
            row["seconds"] = round(time.perf_counter() - begin, 1)
        yield row


def form(model: keras.Model, name: str) -> int:
    without = sketch(ablated_graph(model, {name: LEVELS[name]}))
    left = len(sites_of(INGREDIENTS[name], graph_of(without)))
    if left or without.output_shape != model.output_shape:
        raise AssertionError(f"{left} places left, output {without.output_shape}")
    return without.count_params()


def page(rows: list[dict]) -> str:
    best = {}
    for row in rows:
        key = (row["member"], row["ingredient"])
        if key not in best or row["trained"]:
            best[key] = row
    members = sorted({member for member, _ in best})
    found = [row for row in best.values() if row["sites"]]
    good, trained = [row for row in found if not row["fault"]], [row for row in found if row["trained"]]
    descent = [f"{row['member']} without {row['ingredient']}" for row in trained if row.get("optimizer") == "sgd"]
    amount = "all of them" if len(trained) == len(found) else f"{len(trained)} pairs"
    lines = [
        "# Networks that nobody adapted",
        "",
        f"{len(members)} networks of `keras.applications` (Keras {keras.__version__}, random weights, images of 64 "
        f"pixels or the least that a network takes), {len(found)} pairs of a network and an ingredient that it "
        "contains. After the ingredient is taken away, none of it is found, the output keeps its shape, and the "
        f"network is built: {len(good)} of {len(found)} pairs. For {amount}, marked *, also: shared layers "
        "start from the same numbers, a training step (batch of 8, learning rate 1e-4) gives finite numbers and moves "
        "the weights, and the network survives saving and loading."
        + (f" The step is Adam's, and plain gradient descent for {', '.join(descent)}." if descent else ""),
        "",
        *extent(members, found),
        "",
        "A cell says in how many places the ingredient is found and how many times the weights of the full network are "
        "left without it. Made by `python benchmarks/applications.py`, then `--train`.",
        "",
        "| network | weights | " + " | ".join(LEVELS) + " |",
        "|---|---:|" + "---:|" * len(LEVELS),
    ]
    for member in members:
        own = {name: best.get((member, name)) for name in LEVELS}
        total = next(row["weights"] for row in own.values() if row)
        lines.append(f"| {member} | {total:,} | " + " | ".join(map(cell, own.values())) + " |")
    faults = [f"- {row['member']} without {row['ingredient']}: {row['fault']}" for row in found if row["fault"]]
    return "\n".join([*lines, "", *(["## Not possible", "", *faults] if faults else [])]) + "\n"


def extent(members: list[str], found: list[dict]) -> list[str]:
    """Which networks were trained with how many of their ingredients."""
    groups: dict[str, list[str]] = {"all": [], "some": [], "none": []}
    for member in members:
        trained = [row["trained"] for row in found if row["member"] == member]
        groups["all" if all(trained) else "some" if any(trained) else "none"].append(member)
    words = {
        "all": "Trained without each of their ingredients",
        "some": "Trained without some of them",
        "none": "Built, but not trained",
    }
    lines = [f"- {words[group]}: {', '.join(names)}." for group, names in groups.items() if names]
    left = [
        f"{row['member']} without {row['ingredient']} ({row['without'] / 1e6:,.0f} million, "
        f"{row['without'] * BYTES / 2**30:.0f} GiB)"
        for row in found
        if not row["trained"] and row["without"]
    ]
    if left:
        lines.append(
            "- Pairs that were built but not trained, with the weights of the network without the ingredient and the "
            f"least memory that a step takes with Adam (a study refuses what does not fit): {'; '.join(left)}."
        )
    return lines


def cell(row: dict | None) -> str:
    if row is None:
        return "?"
    if not row["sites"]:
        return ""
    if row["fault"]:
        return f"{row['sites']}: no"
    return f"{row['sites']}: {row['without'] / row['weights']:.3g}{'*' if row['trained'] else ''}"


if __name__ == "__main__":
    main()
