"""The page while a study goes on: written again after runs have ended, and never at the cost of the study."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from ablate.errors import AblateError
from ablate.store import FAILED, FINISHED, RUNNING, PlannedRun, StudyFolder

__all__ = ["LivePage", "write_live"]

_FIRST = 2.0
_SHARE = 20


def write_live(study: StudyFolder, live: bool = True) -> bool:
    """Write the page of a study as its folder is now.

    Args:
        study: The study's folder.
        live: Whether the page is to load itself again.

    Returns:
        Whether there was something to write; what stands in the way of a page stands in nobody else's.
    """
    from ablate.report.page import write_page
    from ablate.report.study_report import read_report

    try:
        write_page(study.page, [read_report(study)], live)
    except (AblateError, OSError) as error:
        # The report at the end says the same aloud.
        logging.getLogger(__name__).debug("The page of '%s' waits: %s", study.path, error)
        return False
    return True


class LivePage:
    """Keeps the page of a study up to date, for the time of a ``with`` block.

    It looks at the runs' own files in a thread of its own, so that neither the runs nor the terminal wait for it. A
    short study is over before there is a page. Writing takes a twentieth of the time at most, however many runs there
    are: after each page it rests twenty times as long as the page took. The first one, which loads what writes pages,
    does not count.

    Args:
        study: The study's folder.
        runs: The runs to watch.
        interval: Seconds between two looks, at least.
    """

    def __init__(self, study: StudyFolder, runs: Sequence[PlannedRun], interval: float = _FIRST) -> None:
        self._study, self._runs, self._interval = study, list(runs), interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._shown: tuple[int, int] | None = None
        self._looks = 0
        self._written = False

    def __enter__(self) -> LivePage:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._written and kind is not None:
            # Nobody collects after an interruption: the page must not wait for what will not come.
            write_live(self._study, live=False)

    def _watch(self) -> None:
        pause = self._interval
        while not self._stop.wait(pause):
            begun = time.monotonic()
            now = self._stand()
            is_first = not self._written
            if now != self._shown:
                self._written = write_live(self._study) or self._written
                self._shown = now
            self._looks += 1
            pause = self._interval if is_first else max(self._interval, _SHARE * (time.monotonic() - begun))

    def _stand(self) -> tuple[int, int]:
        """How many runs have ended, and how many are on their way."""
        states = [self._study.run(run).status().state for run in self._runs]
        return sum(state in (FINISHED, FAILED) for state in states), states.count(RUNNING)
