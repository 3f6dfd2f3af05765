"""What lies in an adopted folder may be anything: it is bounded, never executed, and said where it is left out."""

from __future__ import annotations

import itertools
import json
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from strangers import adopted, cells, hydra_run, means, notes, result

from ablate.errors import AblateError, StoreError
from ablate.logs.files import list_files, natural_order
from ablate.logs.plain_values import parse_json, parse_yaml
from ablate.logs.printing import short_line
from ablate.logs.regular_files import UnreadableFile, read_bytes


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two good runs of depth 2 and 3."""
    for index, depth in enumerate((2, 3)):
        hydra_run(tmp_path / "runs" / str(index), {"depth": depth}, m__json=result(score=depth))
    return tmp_path / "runs"


GOOD = {"full": 2.0, "depth=3": 3.0}


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 * 10**9)


def _link_out(path: Path) -> None:
    adopted_folder = next(parent for parent in path.parents if parent.name == "runs")
    secret = adopted_folder.with_name(f"secret{path.suffix}")
    secret.write_text('{"score": 4711}' if path.suffix == ".json" else "score\n4711\n")
    path.symlink_to(secret)


STRANGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (_pipe, "is a pipe"),
    "socket": (_socket, "is a socket"),
    "10 GB": (_sparse, "has 10,000 MB"),
    "link out": (_link_out, "is a link out of the folder, which is not followed"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is a link out of the folder, which is not followed"),
    "folder": (lambda path: path.mkdir(), ""),
    "dangling": (lambda path: path.symlink_to("nowhere"), "is a link to nowhere"),
    "loop": (lambda path: path.symlink_to(path.name), "is a link to nowhere"),
    "a long line": (lambda path: path.write_text("score," + "x" * 200_000 + "\n1,2\n"), "has a line of 200,006 bytes"),
    "columns": (lambda path: path.write_text("a," * 9_000 + "b\n"), "has 9,001 columns"),
    "NUL": (lambda path: path.write_bytes(b"score\n1\n" + bytes(9)), "is no text"),
}


@pytest.mark.parametrize("kind", [kind for kind, (_, reason) in STRANGE.items() if reason])
def test_what_is_no_plain_table_is_named_and_not_read(kind: str, runs: Path) -> None:
    make, reason = STRANGE[kind]
    make(runs / "0" / "other.csv")
    study = adopted(runs)
    assert means(study) == GOOD
    assert f"0/other.csv: {reason}" in notes(study)


@pytest.mark.parametrize("kind", ["pipe", "10 GB", "link out", "device", "dangling", "folder"])
@pytest.mark.parametrize("name", ["m.json", ".hydra/config.yaml", ".hydra/overrides.yaml"])
def test_a_strange_file_costs_a_run_and_no_more(name: str, kind: str, runs: Path) -> None:
    hydra_run(runs / "2", {"depth": 4}, m__json=result(score=4))
    (runs / "2" / name).unlink()
    STRANGE[kind][0](runs / "2" / name)
    study = adopted(runs)
    expected = {**GOOD, "depth=4": 4.0} if name.endswith("overrides.yaml") else GOOD
    assert means(study) == expected
    assert "2/" in notes(study) or ": 2." in notes(study)
    assert "4711" not in notes(study)


def test_a_file_that_hides_its_size_is_read_no_further_than_allowed(tmp_path: Path) -> None:
    kernel_made = Path("/proc/self/maps")
    if not kernel_made.exists() or kernel_made.stat().st_size:
        pytest.skip("no file here says that it is empty and is not")
    with pytest.raises(UnreadableFile, match="has 0 MB; files of this kind are read up to 0 MB"):
        read_bytes(kernel_made, Path("/proc"), 100)
    assert len(read_bytes(kernel_made, Path("/proc"), 10**7)) > 100


def test_links_within_the_folder_are_followed_and_those_out_of_it_named(runs: Path) -> None:
    (runs / "0" / "m.json").rename(runs / "0" / "numbers.dat")
    (runs / "0" / "m.json").symlink_to("numbers.dat")
    elsewhere = runs.parent / "elsewhere"
    hydra_run(elsewhere / "9", {"depth": 9}, m__json=result(score=9))
    (runs / "linked").symlink_to(elsewhere, target_is_directory=True)
    (runs / "latest").symlink_to("1", target_is_directory=True)
    study = adopted(runs)
    assert means(study) == GOOD
    assert "linked: is a link out of the folder, which is not followed" in notes(study)
    assert "latest" not in notes(study)


def test_a_hidden_folder_that_is_a_link_out_is_not_read(runs: Path) -> None:
    outside = hydra_run(runs.parent / "outside", {"depth": 9, "secret": "xyzzy"})
    (runs / "2").mkdir()
    (runs / "2" / ".hydra").symlink_to(outside / ".hydra", target_is_directory=True)
    (runs / "2" / "m.json").write_text(result(score=9))
    study = adopted(runs)
    assert means(study) == GOOD
    assert ".hydra/config.yaml is a link out of the folder, which is not followed" in notes(study)
    assert "xyzzy" not in (study.path / "plan.json").read_text()


def test_a_link_that_the_user_names_is_followed(runs: Path) -> None:
    (runs.parent / "results.csv").write_text("depth,score\n2,2\n3,3\n")
    (runs.parent / "link.csv").symlink_to("results.csv")
    (runs.parent / "link").symlink_to("runs", target_is_directory=True)
    assert means(adopted(runs.parent / "link.csv", "metric=score", "name=one")) == GOOD
    assert means(adopted(runs.parent / "link", "name=two")) == GOOD


@pytest.mark.parametrize("make", [_pipe, lambda path: path.symlink_to(path.name)])
def test_a_path_that_is_no_file_and_no_folder_is_refused(make: Callable[[Path], object], tmp_path: Path) -> None:
    make(tmp_path / "strange")
    with pytest.raises(StoreError):
        adopted(tmp_path / "strange")


def test_nine_aliases_of_nine_aliases_are_counted_before_they_are_made() -> None:
    letters = "abcdefghi"
    lines = ["a: &a [x, x]"] + [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in itertools.pairwise(letters)
    ]
    with pytest.raises(UnreadableFile, match="once its aliases are written out"):
        parse_yaml("\n".join(lines))
    assert parse_yaml("a: &a [1, 2]\nb: [*a, *a]\nc: {<<: &d {x: 1}, y: *d}") == {
        "a": [1, 2],
        "b": [[1, 2], [1, 2]],
        "c": {"x": 1, "y": {"x": 1}},
    }


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]",
        "[" * 200_000,
        "- " * 200_000 + "x",
        "[" * 500 + "]" * 500,
        "a: !!python/object/apply:os.system ['true']",
        "a: " + "9" * 301,
        "a: " + "0x" + "f" * 290,
        "x: &x [1]\ny: {*x : 1}",
        "a: 2001-99-99",
    ],
    ids=lambda text: text[:20],
)
def test_yaml_that_is_no_plain_and_bounded_value_is_refused_or_a_text(text: str) -> None:
    try:
        value = parse_yaml(text)
    except UnreadableFile:
        return
    assert isinstance(value["a"], str)


def test_numbers_of_a_million_parts_are_texts_and_take_no_time() -> None:
    assert isinstance(parse_yaml("a: 1" + ":1" * 1_000_000)["a"], str)
    assert parse_yaml("a: 1e-3\nb: 17\nc: 0x10") == {"a": 0.001, "b": 17, "c": 16}


@pytest.mark.parametrize("text", ["[" * 200_000 + "]" * 200_000, '{"a":' * 500 + "1" + "}" * 500, "1" * 5000, "[1,"])
def test_json_that_is_too_deep_or_too_long_a_number_is_refused(text: str) -> None:
    with pytest.raises(UnreadableFile):
        parse_json(text)


def test_names_that_cannot_be_shown_are_escaped_and_not_read(runs: Path) -> None:
    for name in ("a\x1b[2Jb.csv", "line\nbreak.csv", "right\u202eleft.csv"):
        (runs / "0" / name).write_text("score\n9\n")
    Path(os.fsdecode(os.fsencode(runs / "0") + b"/\xff.csv")).write_text("score\n9\n")
    hydra_run(runs / "2\n3", {"depth": 9}, m__json=result(score=9))
    study = adopted(runs)
    assert means(study) == GOOD
    table = (study.path / "adopted.csv").read_text()
    assert "\x1b" not in table and "\u202e" not in table
    assert r"0/a\x1b[2Jb.csv" in table and r"0/line\nbreak.csv" in table and r"2\n3" in table
    assert short_line("größe 층") == "größe 층"


def test_levels_keys_and_metrics_are_shown_on_one_line_and_not_a_page_long(tmp_path: Path) -> None:
    texts = ["plain", "a\x1b[2Jb", "line\nbreak", "\udc80", "x" * 5000, "x" * 5001]
    for index, text in enumerate(texts):
        config = json.dumps({"layer": text})
        hydra_run(tmp_path / "runs" / str(index), config, m__json=json.dumps({"score": index, f"m{text}": 1}))
    study = adopted(tmp_path / "runs", "metric=score")
    levels = cells(study)["layer"].tolist()
    assert levels[:3] == ["plain", r"a\x1b[2Jb", r"line\nbreak"]
    # YAML itself refuses the half of a pair of code units.
    assert len(set(levels)) == len(texts) - 1
    assert max(map(len, levels)) < 200
    for file in (study.path / "plan.json", study.path / "adopted.csv", *study.path.rglob("result.json")):
        assert "\x1b" not in file.read_text() and "x" * 1000 not in file.read_text()


def test_a_name_that_is_a_formula_is_none_in_the_table(runs: Path) -> None:
    hydra_run(runs / "=cmd()" / "a", {"depth": 9}, m__json=result(score=9))
    assert "\n./=cmd()/a,adopted," in (adopted(runs).path / "adopted.csv").read_text()


def test_names_of_other_digits_sort_as_texts() -> None:
    assert sorted(["run²", "run10", "run9"], key=natural_order) == ["run9", "run10", "run²"]


def test_folders_are_entered_to_a_depth_and_counted(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.joinpath(*["d"] * 60).mkdir(parents=True)
    study = adopted(runs)
    assert means(study) == GOOD
    assert "lies deeper than 40 folders" in notes(study)
    monkeypatch.setattr("ablate.logs.files._MOST_ENTRIES", 5)
    folder = list_files(runs)
    assert "holds more than 5 files and folders" in folder.notes[-1].reason


def test_a_table_is_bounded_by_its_fields(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (runs / "0" / "big.csv").write_text("score,x\n" + "1,2\n" * 500)
    monkeypatch.setattr("ablate.logs.number_tables.MOST_FIELDS", 1000)
    assert "0/big.csv: has 1,004 fields; at most 1,000 are read" in notes(adopted(runs))


@pytest.mark.parametrize("digits", [25, 400])
def test_numbers_that_no_float_holds_end_in_a_study_or_a_message(digits: int, runs: Path) -> None:
    number = "7" * digits
    hydra_run(runs / "2", f"depth: {number}\n", m__json=f'{{"score": {number}}}', m__csv=f"loss\n{number}\n")
    hydra_run(runs / "3", f"depth: 5\nseed: {number[:300]}\n", m__json=result(score=1))
    try:
        assert means(adopted(runs, "metric=score", "seed=null", "ignore=[seed]"))["depth=3"] == 3.0
    except AblateError as error:
        assert "7" * 9 in str(error) or "digits" in str(error)


def test_a_level_of_400_digits_is_one(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"depth,acc\n{'7' * 400},1\n5,2\n")
    assert adopted(tmp_path / "t.csv", "metric=acc", "factors=[depth]", "reference.depth=5").path.is_dir()


def test_a_result_of_400_digits_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"depth,acc\n2,{'7' * 400}\n3,{'8' * 400}\n")
    with pytest.raises(AblateError, match="'acc'"):
        adopted(tmp_path / "t.csv")


def test_seeds_of_odd_digits_are_counted(tmp_path: Path) -> None:
    lines = [f"{norm},{seed},{place}" for norm in "ab" for place, seed in enumerate(["²", "--5", "9" * 30])]
    (tmp_path / "t.csv").write_text("\n".join(["norm,seed,acc", *lines]) + "\n")
    study = adopted(tmp_path / "t.csv", "metric=acc", "factors=[norm]")
    assert "Seeds of 'seed' are no whole numbers and are counted" in notes(study)


def _event_file(path: Path, *records: bytes, length: int | None = None) -> None:
    with path.open("wb") as file:
        for record in records:
            file.write(struct.pack("<Q", len(record) if length is None else length) + bytes(4) + record + bytes(4))


def test_event_files_with_made_up_lengths_tags_and_shapes_are_bounded(tmp_path: Path) -> None:
    event_pb2 = pytest.importorskip("tensorboard.compat.proto.event_pb2")

    def scalar(tag: str, step: int, value: float) -> bytes:
        event = event_pb2.Event(step=step)
        event.summary.value.add(tag=tag, simple_value=value)
        return event.SerializeToString()

    for index in (0, 1):
        folder = tmp_path / "logs" / f"lr={index}"
        folder.mkdir(parents=True)
        _event_file(folder / "events.out.tfevents.1", scalar("acc", 1, index))
    odd = tmp_path / "logs" / "lr=1"
    _event_file(odd / "events.out.tfevents.2", b"x", length=1 << 62)
    _event_file(odd / "events.out.tfevents.3", scalar("t" * 400, 1, 1.0))
    filled = event_pb2.Event(step=2)
    tensor = filled.summary.value.add(tag="filled").tensor
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=1 << 40)
    tensor.float_val.append(1.0)
    _event_file(odd / "events.out.tfevents.4", filled.SerializeToString())
    os.mkfifo(odd / "events.out.tfevents.5")
    study = adopted(tmp_path / "logs")
    assert means(study) == {"full": 0.0, "lr=1": 1.0}
    for number, reason in ((2, "is cut off or damaged"), (5, "is a pipe")):
        assert f"lr=1/events.out.tfevents.{number}: {reason}" in notes(study)
    assert "tfevents.4" not in notes(study)
