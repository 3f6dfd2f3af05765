"""The only package that knows file names: study folders, run folders, snapshots, atomic writes, locks.

:mod:`ablate.store.snapshot`, which reads a whole study into DataFrames, is imported where it is used: it loads pandas.
"""

from ablate.store.atomic import make_folder, write_bytes, write_text
from ablate.store.json_files import write_json
from ablate.store.records import (
    FAILED,
    FINISHED,
    MOST_ATTEMPTS,
    NO_METRIC,
    RUNNING,
    UNREADABLE,
    WAITING,
    PlannedRun,
    Result,
    Status,
    StudyRecord,
)
from ablate.store.run_folder import RunFolder
from ablate.store.study_folder import StudyFolder

__all__ = [
    "FAILED",
    "FINISHED",
    "MOST_ATTEMPTS",
    "NO_METRIC",
    "RUNNING",
    "UNREADABLE",
    "WAITING",
    "PlannedRun",
    "Result",
    "RunFolder",
    "Status",
    "StudyFolder",
    "StudyRecord",
    "make_folder",
    "write_bytes",
    "write_json",
    "write_text",
]
