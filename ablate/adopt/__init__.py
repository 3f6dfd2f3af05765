"""Results that other tools wrote become studies: read with care, never changed, nothing dropped in silence."""

from ablate.adopt.request import Request, from_words
from ablate.adopt.source import looks_foreign
from ablate.adopt.study import adopt, adopted_name

__all__ = ["Request", "adopt", "adopted_name", "from_words", "looks_foreign"]
