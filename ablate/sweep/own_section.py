"""The section ``study`` of our own application, whose values stand in for those of the sweeper's and launchers' nodes.

Another application may have a section or a config group of that name, which means something else and is not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ablate.study.settings import STUDY_SETTINGS

RESOLVER = "ablate.setting"
"""``${ablate.setting:study.seeds,3}``: the value of the section, or else the default."""

_MARKS = {"seeds", "preflight", "factors_from"}
"""Keys that the section has in our own application, and hardly in any other."""

_KEYS = re.compile(rf"\bstudy\.({'|'.join(STUDY_SETTINGS)})\b")


def is_own(config: Any) -> bool:
    """Whether a configuration is of our own application.

    Args:
        config: The whole configuration.
    """
    try:
        section = OmegaConf.select(config, "study", throw_on_missing=False)
    except OmegaConfBaseException:
        return False
    return isinstance(section, Mapping) and _MARKS <= {str(key) for key in section}


def section_of(config: Any) -> str:
    """What stands before a setting where it is typed: our own application has a section of its own for them.

    Args:
        config: The whole configuration.
    """
    return "study" if is_own(config) else "hydra.sweeper"


def as_typed(text: str, config: Any) -> str:
    """A message with the keys of a study as they are typed: ``hydra.sweeper.seeds`` for a foreign application.

    Args:
        text: A message that names them as our own application has them, such as ``study.seeds``.
        config: The whole configuration.
    """
    return text if is_own(config) else _KEYS.sub(r"hydra.sweeper.\1", text)


def _setting(key: str, default: Any = None, *, _root_: Any) -> Any:
    value = OmegaConf.select(_root_, key, throw_on_missing=False) if is_own(_root_) else None
    return default if value is None else value


OmegaConf.register_new_resolver(RESOLVER, _setting, replace=True)
