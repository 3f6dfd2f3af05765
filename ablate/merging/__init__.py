"""Several studies: parts of one are merged run by run, others compared within each or side by side."""

from ablate.merging.compare import CompareResult, compare
from ablate.merging.merge import KEEP, MergeResult, merge

__all__ = ["KEEP", "CompareResult", "MergeResult", "compare", "merge"]
