"""Several studies: parts of one are merged run by run, others compared within each or side by side."""

from ablate.merging.comparison import CompareResult, compare
from ablate.merging.union import KEEP, MergeResult, merge

__all__ = ["KEEP", "CompareResult", "MergeResult", "compare", "merge"]
