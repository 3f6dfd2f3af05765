"""Results that other tools wrote become studies: read with care, never changed, nothing dropped in silence."""

from ablate.foreign.request import ADOPT_SETTINGS, AdoptSettings, parse_settings
from ablate.foreign.study import adopt, adopt_folder, adopted_name, looks_foreign

__all__ = [
    "ADOPT_SETTINGS",
    "AdoptSettings",
    "adopt",
    "adopt_folder",
    "adopted_name",
    "looks_foreign",
    "parse_settings",
]
