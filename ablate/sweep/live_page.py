"""The page while a study goes on: written again after runs have ended, and never at the cost of the study."""

from __future__ import annotations

import logging
import threading
import time

from ablate.errors import AblateError
from ablate.store import StudyFolder
from ablate.sweep.events import Event, RunEnded, RunStarted, StudyEnded, StudyStarted

_INTERVAL = 2.0
_PAUSE_FACTOR = 20
"""A page that took a second is followed by this many seconds without one."""


def write_live(study: StudyFolder, live: bool = True) -> bool:
    """Write the page of a study as its folder is now.

    Args:
        study: The study's folder.
        live: Whether the page reloads itself in the browser.

    Returns:
        Whether a page was written; a fault of the report must not end the study, which goes on without a page.
    """
    from ablate.report.page import write_page
    from ablate.report.study_report import read_report

    try:
        write_page(study.page, [read_report(study)], live)
    except (AblateError, OSError) as error:
        # Logged only for debugging: the report at the end prints the same error.
        logging.getLogger(__name__).debug("The page of '%s' cannot be written yet: %s", study.path, error)
        return False
    return True


class LivePage:
    """An observer that keeps the page of a study up to date.

    It writes in a thread of its own, so that neither the runs nor the terminal wait for it. A short study is over
    before there is a page. Writing takes a twentieth of the time at most, however many runs there are: after each page
    it pauses twenty times as long as the page took. The first page is exempt, since its time is mostly imports.

    Args:
        interval: Seconds between two pages, at least.
    """

    def __init__(self, interval: float = _INTERVAL) -> None:
        self._interval = interval
        self._changed = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write_changes, daemon=True)
        self._has_page = False

    def on_event(self, event: Event) -> None:
        """See :class:`~ablate.sweep.events.Observer`."""
        if isinstance(event, StudyStarted):
            self._study = StudyFolder(event.folder)
            self._changed.set()
            self._thread.start()
        elif isinstance(event, RunStarted | RunEnded):
            self._changed.set()
        elif isinstance(event, StudyEnded):
            self._stop.set()
            self._thread.join()
            if self._has_page and event.interrupted:
                # No report follows an interruption, so the page must not load itself again.
                write_live(self._study, live=False)

    def _write_changes(self) -> None:
        pause = self._interval
        while not self._stop.wait(pause):
            pause = self._interval
            if not self._changed.is_set():
                continue
            self._changed.clear()  # before reading, so that what changes meanwhile makes another page
            began, is_first = time.monotonic(), not self._has_page
            self._has_page = write_live(self._study) or self._has_page
            if not is_first:
                pause = max(self._interval, _PAUSE_FACTOR * (time.monotonic() - began))
