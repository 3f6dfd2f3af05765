"""Several studies: parts of one are merged run by run, others compared within each or side by side."""

from ablate.several.compare import Comparison, compare
from ablate.several.merge import KEEP, Merged, merge

__all__ = ["KEEP", "Comparison", "Merged", "compare", "merge"]
