"""The only room that knows file names: study folders, run folders, atomic writes, locks."""

from ablate.store.atomic import make_folder, write_bytes, write_json, write_text
from ablate.store.run_folder import FAILED, FINISHED, MOST_ATTEMPTS, RUNNING, WAITING, Result, RunFolder, Status
from ablate.store.study_folder import PlannedRun, StudyFolder

__all__ = [
    "FAILED",
    "FINISHED",
    "MOST_ATTEMPTS",
    "RUNNING",
    "WAITING",
    "PlannedRun",
    "Result",
    "RunFolder",
    "Status",
    "StudyFolder",
    "make_folder",
    "write_bytes",
    "write_json",
    "write_text",
]
