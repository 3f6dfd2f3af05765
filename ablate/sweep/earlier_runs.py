"""What becomes of the runs of earlier commands: those that failed, and those made with other code than there is now."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ablate.errors import DesignError, RunError
from ablate.formatting import listing, plural
from ablate.store import FAILED, FINISHED, NO_METRIC, PlannedRun, Status, StudyFolder
from ablate.store.fingerprints import differing
from ablate.store.records import StudyRecord
from ablate.study.settings import StudySettings
from ablate.sweep.console import say
from ablate.sweep.source_code import SourceCode

_LISTED = 5
Choose = Callable[[str], str]
"""Shows a text that ends with a question, and returns the answer."""


@dataclass(frozen=True)
class EarlierRuns:
    """The runs of a command that have ended before it.

    Args:
        changed: The finished ones made with other code than there is now, each with the files that differ.
        mended: The failed ones of which the same is true, likewise.
        unmeasured: Those that had left no metric to read, which may be found now.
        failed: The other failed ones.
    """

    changed: Mapping[PlannedRun, Sequence[str]]
    mended: Mapping[PlannedRun, Sequence[str]]
    unmeasured: Sequence[PlannedRun]
    failed: Sequence[PlannedRun]

    def lines(self, section: str, settings: StudySettings) -> list[str]:
        """What a user has to know of them before anything trains.

        Args:
            section: What stands before a setting where the user types it; may be empty.
            settings: The study's settings.
        """
        lines = []
        if self.mended:
            lines.append(
                f"{plural(len(self.mended), 'run')} failed earlier and will run again, since the code has changed: "
                f"{_files(self.mended)}."
            )
        if self.unmeasured:
            lines.append(f"{plural(len(self.unmeasured), 'run')} left no metric earlier and will run again.")
        if self.failed:
            count, one = plural(len(self.failed), "run"), len(self.failed) == 1
            key = setting_key(section, "retry_failed")
            lines.append(
                f"{count} failed earlier and will run again."
                if settings.retry_failed
                else f"{count} failed earlier and {'is' if one else 'are'} not run again: {key}=true runs "
                f"{'it' if one else 'them'} again."
            )
        if self.changed:
            lines.append(
                f"The code has changed since {plural(len(self.changed), 'run')} finished: {_files(self.changed)}."
            )
        return lines


def setting_key(section: str, key: str) -> str:
    """A setting as the user types it."""
    return f"{section}.{key}" if section else key


def earlier_runs(study: StudyFolder, statuses: Mapping[PlannedRun, Status], source: SourceCode) -> EarlierRuns:
    """What has become of the runs of a command before it.

    Args:
        study: The study's folder.
        statuses: The status of each run of the command.
        source: The application's code.
    """
    changed: dict[PlannedRun, Sequence[str]] = {}
    mended: dict[PlannedRun, Sequence[str]] = {}
    unmeasured: list[PlannedRun] = []
    current: dict[str, str] = {}
    for run, status in statuses.items():
        if status.state not in (FINISHED, FAILED):
            continue
        result = study.run(run).outcome()[1] if status.state == FINISHED else None
        before = status.fingerprints if result is None else result.fingerprints
        current |= source.now(name for name in before if name not in current)
        names = differing(before, current)
        if names:
            (changed if status.state == FINISHED else mended)[run] = names
        elif status.reason == NO_METRIC:
            unmeasured.append(run)
    again = {*mended, *unmeasured}
    failed = [run for run, status in statuses.items() if status.state == FAILED and run not in again]
    return EarlierRuns(changed, mended, unmeasured, failed)


def prepare_earlier_runs(
    study: StudyFolder,
    record: StudyRecord,
    statuses: Mapping[PlannedRun, Status],
    earlier: EarlierRuns,
    settings: StudySettings,
    section: str,
    choose: Choose | None = None,
) -> dict[PlannedRun, Status]:
    """Say what has become of earlier runs, and let those run again that are to.

    Results of different code are never put together unasked: where further runs are to be trained beside finished ones
    of other code, the user says what is to become of these.

    Args:
        study: The study's folder.
        record: What it holds.
        statuses: The status of each run of the command.
        earlier: Which of them have ended, and how.
        settings: The study's settings.
        section: What stands before a setting where the user types it; may be empty.
        choose: Asks the user; None to ask at the terminal, where there is one.

    Returns:
        The statuses after that.

    Raises:
        DesignError: If it is for the user to choose, and there is nobody to ask.
        RunError: If the user chooses to stop.
    """
    for line in earlier.lines(section, settings):
        say(line)
    again = {*earlier.mended, *earlier.unmeasured, *(earlier.failed if settings.retry_failed else ())}
    trains = record.plan.study.sequential or any(
        status.state not in (FINISHED, FAILED) or run in again for run, status in statuses.items()
    )
    decision = settings.changed_code
    if earlier.changed:
        if not trains and decision == "ask":
            key = setting_key(section, "changed_code")
            say(f"Nothing is left to train, so their results stay; {key}=rerun trains them again.")
            decision = "keep"
        if decision == "ask":
            decision = _decision(earlier, section, choose or _terminal())
    after = dict(statuses)
    for run in again:
        after[run] = Status()
        study.run(run).write_status(after[run])
    if earlier.changed and decision == "rerun":
        after |= {run: Status() for run in earlier.changed if study.run(run).set_aside()}
        say(f"They are trained again; what they had left is in {study.path / 'runs' / '<cell>' / '.replaced'}.")
    elif earlier.changed and trains:
        say("They are kept beside runs of the new code; tables and page say which are which.")
    return after


def _decision(earlier: EarlierRuns, section: str, choose: Choose | None) -> str:
    """What the user wants to become of runs made with other code: ``keep`` or ``rerun``."""
    key = setting_key(section, "changed_code")
    what = (
        f"  {key}=keep   keeps their results beside those of the new code, and says so under the tables\n"
        f"  {key}=rerun  trains {'it' if len(earlier.changed) == 1 else 'them'} again with the new code\n"
    )
    if choose is None:
        raise DesignError(f"Nothing was trained: results of different code are not mixed unasked.\n{what}".rstrip())
    answer = choose(f"{what}keep, rerun or stop? ").strip().lower()
    if answer in ("keep", "k"):
        return "keep"
    if answer in ("rerun", "r"):
        return "rerun"
    raise RunError("Nothing was trained.")


def _terminal() -> Choose | None:
    """Asks at the terminal; None where nobody sits at one."""
    return input if sys.stdin.isatty() and sys.stdout.isatty() else None


def _files(runs: Mapping[PlannedRun, Sequence[str]]) -> str:
    names = dict.fromkeys(name.partition("/")[2] for names in runs.values() for name in names)
    return listing(names, _LISTED)
