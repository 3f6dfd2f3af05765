"""Logs as programs write them: what becomes of them, and what is said of it."""

from __future__ import annotations

import pytest

from ablate.store.curve_file import UnusableCurve, parse_curve


@pytest.mark.parametrize(
    ("text", "epochs", "losses", "phrase"),
    [
        ("epoch,loss\n0,3\n1,2\n", [0, 1], [3, 2], ""),
        ("Epoch;loss\n0;3\n1;2\n", [0, 1], [3, 2], ""),
        ("epoch\tloss\r\n0\t3\r\n1\t2\r\n", [0, 1], [3, 2], ""),
        ("\ufeffepoch,loss\n0,3\n1,2\n", [0, 1], [3, 2], ""),
        # Started again and appended: the last start counts.
        ("epoch,loss\n0,3\n1,2\n0,4\n1,5\n2,6\n", [0, 1, 2], [4, 5, 6], "again once"),
        # Resumed at epoch 1, and began by repeating the header.
        ("epoch,loss\n0,3\n1,2\nepoch,loss\n1,5\n2,6\n", [0, 1, 2], [3, 5, 6], "1 line"),
        # A line of another program, and one that was cut off.
        ("epoch,loss\n0,3\nsaved a checkpoint\n1\n1,2\n", [0, 1], [3, 2], "2 lines"),
        ("epoch,loss\n0,3\nlast,1\n1,2\n", [0, 1], [3, 2], "1 line"),
        # Several rows of an epoch: steps, of which the last counts.
        ("epoch,loss\n0,9\n0,3\n1,8\n1,2\n", [0, 1], [3, 2], "epoch 0, 1"),
        ("epoch,loss\n0,3\n1,oops\n2,1\n", [0, 1, 2], [3, None, 1], "1 field"),
        ("epoch,loss,phase\n0,3,warm up\n1,2,train\n", [0, 1], [3, 2], ""),
    ],
)
def test_a_log_gives_one_row_an_epoch(text: str, epochs: list[int], losses: list[float | None], phrase: str) -> None:
    table, change = parse_curve(text.encode())
    assert table["epoch"].tolist() == epochs
    assert [None if value != value else value for value in table["loss"]] == losses
    assert list(table.columns) == ["epoch", "loss"]
    assert phrase in change and bool(phrase) == bool(change)


def test_rows_of_training_and_of_validation_become_one() -> None:
    table, change = parse_curve(b"epoch,train_loss,val_loss\n0,3,\n0,,4\n1,2,\n1,,5\n")
    assert table.to_numpy().tolist() == [[0, 3, 4], [1, 2, 5]]
    assert change == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no complete line"),
        ("step,loss\n1,2\n", "no column 'epoch'"),
        ("epoch,loss\n", "no row"),
        ("epoch,loss\nfirst,2\n", "no row"),
        ("epoch,loss\n0.5,2\n1,3\n", "parts of epochs (0.5)"),
        ("epoch,loss\n1e300,2\n", "parts of epochs"),
        ("epoch,loss\ninf,2\nnan,3\n", "no row"),
    ],
)
def test_what_is_no_curve_says_why(text: str, reason: str) -> None:
    with pytest.raises(UnusableCurve) as caught:
        parse_curve(text.encode())
    assert reason in str(caught.value)


def test_any_bytes_give_a_curve_or_a_reason() -> None:
    for data in (
        b"\0" * 100,
        bytes(range(256)),
        b"epoch,loss\n" + bytes(range(256)),
        b'epoch,"loss\n1,2\n' * 3,
        b"\xff\xfee\0p\0",
    ):
        try:
            table, _ = parse_curve(data)
        except UnusableCurve:
            continue
        assert table["epoch"].is_unique
