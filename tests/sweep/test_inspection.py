from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from ablate.sweep.inspection import in_background
from ablate.sweep.worker import import_modules


def test_the_block_and_the_work_go_on_together_and_both_are_over_after_it() -> None:
    begun, may_end, done = threading.Event(), threading.Event(), []

    def work() -> None:
        begun.set()
        may_end.wait(10)
        done.append(True)

    with in_background(work):
        assert begun.wait(10)
        assert done == []
        may_end.set()
    assert done == [True]


def test_what_goes_wrong_in_the_work_is_its_own_affair_and_what_goes_wrong_in_the_block_is_not() -> None:
    with in_background(lambda: 1 / 0):
        pass
    may_end = threading.Event()
    with pytest.raises(KeyError), in_background(may_end.wait):
        raise KeyError("block")
    may_end.set()


def test_a_module_that_cannot_be_imported_keeps_no_other_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "found_ahead.py").write_text("")
    import_modules(["no_such_module_ahead", "found_ahead"])
    assert "found_ahead" in sys.modules
