"""How the runs of a planned study are carried out, whatever command or call it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ablate.errors import AblateError, DesignError, RunError
from ablate.figures.registry import choice_faults
from ablate.report import collect
from ablate.store import PlannedRun, Status, StudyFolder
from ablate.study import Plan
from ablate.study.settings import StudySettings
from ablate.sweep.engine import Job, mark_interrupted, run_jobs
from ablate.sweep.events import Observer, Watcher
from ablate.sweep.live_page import LivePage
from ablate.sweep.pool import WorkerPool
from ablate.sweep.process_state import preserved_process
from ablate.sweep.progress import ProgressDisplay
from ablate.sweep.rounds import run_rounds
from ablate.sweep.study_record import name_metric

if TYPE_CHECKING:
    from ablate.analysis import Summary


def read_settings(values: Mapping[str, Any], section: str = "study") -> StudySettings:
    """The settings of a study, with names of figures and widths checked as well.

    Args:
        values: Plain values by key; None stands for the default.
        section: What stands before a key where the user types it, for the messages; may be empty.

    Raises:
        DesignError: If a key is unknown or a value is not allowed, with all faults at once.
    """
    settings = StudySettings.from_values(values, section)
    if faults := choice_faults(settings.figures, settings.width):
        raise DesignError("\n".join(faults))
    return settings


@dataclass(frozen=True)
class Execution:
    """Trains the runs of a study and collects its results; the sweeper and :func:`ablate.run` both use it.

    Args:
        folder: The study's folder, with the plan entered.
        plan: The plan.
        settings: The study's settings.
        jobs: The jobs of the command, done or not; under the sequential rule one for every cell and seed that may be
            needed.
        launch: Launches jobs and returns when they have ended; returns the error of the launcher itself, if it had one.
        pool: Workers of our own that the launcher uses, or None.
        observers: Who is notified of what happens, besides progress and the live page.
    """

    folder: StudyFolder
    plan: Plan
    settings: StudySettings
    jobs: Sequence[Job]
    launch: Callable[[Sequence[Job]], BaseException | None]
    pool: WorkerPool | None = None
    observers: Sequence[Observer] = ()

    def train(self) -> None:
        """Carry out all jobs that are not done.

        Raises:
            StoreError: If a folder of the study is a link.
            RunError: If the launcher starts no run.
            KeyboardInterrupt: On an interruption, after the runs that it ended were set back to waiting.
        """
        self.folder.check_folders(job.run for job in self.jobs)
        observers: list[Observer] = [ProgressDisplay(), LivePage(), *self.observers]
        try:
            # The report is drawn in this process, in which runs may have been carried out.
            with preserved_process(figures=True), Watcher(self.folder, self.plan, observers) as watcher:

                def train_jobs(jobs: Sequence[Job]) -> Mapping[PlannedRun, Status]:
                    statuses = run_jobs(
                        self.folder,
                        jobs,
                        self.launch,
                        retry_failed=self.settings.retry_failed,
                        keep_going=self.settings.keep_going,
                        isolated=self.pool is not None,
                        on_pending=watcher.start_round,
                    )
                    watcher.end_round(statuses)
                    return statuses

                if self.plan.study.sequential:
                    run_rounds(self.folder, self.jobs, train_jobs, self.pool.slots if self.pool is not None else 1)
                else:
                    train_jobs(self.jobs)
        except RunError:
            with suppress(AblateError):
                self.collect()  # what has finished is reported all the same
            raise
        except KeyboardInterrupt:
            if self.pool is not None:
                self.pool.close()  # first, since only a run whose process is gone is marked
            mark_interrupted(self.folder)
            raise

    def collect(self, drawn: dict[str, str] | None = None) -> Summary:
        """Write data, tables, figures and page of the study.

        Args:
            drawn: What this process has drawn of it before; see :func:`ablate.figures.write_figures`.

        Returns:
            What tables and figures show.
        """
        name_metric(self.folder)
        return collect(self.folder, drawn=drawn)
