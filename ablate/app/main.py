"""Entry point of ``ablate`` and ``python -m ablate``: a verb, a help page, or a command line of Hydra's."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path

from ablate.app import network_verbs, result_verbs, study_verbs
from ablate.app.verb import Verb, fail
from ablate.errors import AblateError, ConfigError, suggestion
from ablate.objects import load_object
from ablate.sweep.process_state import discard_output, prepare_streams

TOPICS: Mapping[str, Sequence[Verb]] = {
    "Look at a network and at data, before any training": network_verbs.VERBS,
    "Plan a study, and look at it": study_verbs.VERBS,
    "Write results: again, of several studies, of other tools": result_verbs.VERBS,
}
"""The verbs under the titles of the help page."""

VERBS: Mapping[str, Verb] = {verb.name: verb for verbs in TOPICS.values() for verb in verbs}
"""All verbs by name."""

_HELP = ("--help", "-h")
_LIMIT = re.compile(r"(?P<plus>\+{0,2})(?:only\.(?P<name>\w+)|(?P<first>\w+)\.only)=(?P<value>.*)", re.DOTALL)
_TEXT = re.compile(
    r"(?P<key>\+{0,2}(?:model\.path|data\.(?:path|labels|label_pattern|name|cache|data_dir|manual_dir|\w+_column)))="
    r"(?P<value>.+)",
    re.DOTALL,
)
"""Settings whose values are texts, never numbers or other values of Hydra's grammar."""
_PLAIN = re.compile(r"[\w/.+%@:|?-]+", re.ASCII)
_LIST = re.compile(r"\[(.*,.*|['\"].*)\]", re.DOTALL)


def main() -> None:
    """Do what the command line asks for; ends the process with its exit code."""
    prepare_streams()
    arguments = sys.argv[1:] = [with_quotes(argument) for argument in sys.argv[1:]]
    wants_tracebacks = os.environ.get("HYDRA_FULL_ERROR") == "1"
    try:
        here = str(Path.cwd())
    except FileNotFoundError:
        sys.exit(fail("The current folder does not exist any more. Change to one that does.", 2))
    # A console script, unlike python -m, does not look for a user's modules in the current folder.
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except AblateError as error:
        code = fail(str(error), 2)
    except KeyboardInterrupt:
        code = fail("\nInterrupted.", 130)
    except BrokenPipeError:  # whoever reads has seen enough, as `head` has
        discard_output()
        code = 128 + signal.SIGPIPE
    except Exception as error:
        if wants_tracebacks:
            raise
        from ablate.app.overrides import explain_error

        message = explain_error(error, [argument for argument in arguments if argument not in VERBS])
        code = 1 if message is None else 2
        fail(message or f"{type(error).__name__}: {error}\nHYDRA_FULL_ERROR=1 shows where.", code)
    sys.exit(code)


def _run(arguments: Sequence[str]) -> int:
    first, rest = (arguments[0], arguments[1:]) if arguments else ("", ())
    if first == "help" or not set(arguments).isdisjoint(_HELP):
        topics = [argument for argument in arguments if argument not in ("help", *_HELP)]
        has_topic = topics and (first == "help" or first in VERBS)
        from ablate.app.help import help_page, verb_page
        from ablate.sweep.guide import guide_page

        if topics[:1] == ["sweeper"]:
            sys.stdout.write(guide_page())
            return 0

        sys.stdout.write(verb_page(_verb(topics[0])) if has_topic else help_page(TOPICS))
        return 0
    if any(distributions(name="ablate")):  # whose package has the name of ours
        return fail(_OVERWRITTEN, 2)
    if first.isidentifier():  # an override has a "="
        return _verb(first).run(rest)
    # Not at the top: Hydra takes a tenth of a second, and most verbs have no need of it.
    from ablate.app.application import run_hydra

    return run_hydra(arguments)


def _verb(name: str) -> Verb:
    if name not in VERBS:
        raise ConfigError(f"Unknown verb '{name}'. Verbs: {', '.join(sorted(VERBS))}.{suggestion(name, VERBS)}")
    return VERBS[name]


_OVERWRITTEN = """\
The unrelated distribution 'ablate' is installed beside 'ablate-study'; each overwrites files of the other.
Mend it with: pip uninstall -y ablate ablate-study && pip install ablate-study"""


def with_quotes(argument: str) -> str:
    """An argument of the command line with patterns of layer names as Hydra understands them.

    Hydra's grammar has no ``*`` and no ``[3-5]`` outside quotes, which the shell takes away. And ``residual.only=...``
    is another way to type ``only.residual=...``. Paths and other texts may have any letters. All else is left to Hydra.

    Args:
        argument: As typed.

    Example:
        >>> print(with_quotes("residual.only=block[3-5]*"))
        only.residual="block[3-5]*"
        >>> print(with_quotes("only.bias=[conv1*,conv2*]"), with_quotes("only.bias=a*,null"), with_quotes("head=gap"))
        only.bias=["conv1*","conv2*"] only.bias="a*",null head=gap
        >>> print(with_quotes("data.path=~/my photos (1)"), with_quotes("data.path=a,b"))
        data.path="~/my photos (1)" data.path=a,b
        >>> print(with_quotes("data.sets=[{path: ~/my photos}, digits]"))
        data.sets=[{path:"~/my photos"},"digits"]
    """
    key, _, value = argument.partition("=")
    if key == "data.sets":
        return f"{key}={_mappings(value)}"
    match = _LIMIT.fullmatch(argument)
    if match is None:
        return _with_quoted_text(argument)
    value = match["value"]
    items = _LIST.fullmatch(value)
    quoted = f"[{_quoted(items[1])}]" if items else _quoted(value)
    return f"{match['plus']}only.{match['name'] or match['first']}={quoted}"


def _mappings(value: str) -> str:
    """A list of mappings as YAML has it, where texts need no quotes, in Hydra's grammar."""
    import yaml

    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        return value
    members = list(parsed.values()) if isinstance(parsed, dict) else parsed if isinstance(parsed, list) else []
    # {source:digits}, without a blank, is a mapping in Hydra's grammar and none in YAML's.
    keys = [str(key) for one in (parsed, *members) if isinstance(one, dict) for key in one]
    if not members or any(":" in key for key in keys):
        return value
    return str(load_object("ablate.keras.data.sets.hydra_value")(parsed))


def _with_quoted_text(argument: str) -> str:
    """A setting whose value is a text, in quotes where Hydra's grammar has no such letters outside of them."""
    match = _TEXT.fullmatch(argument)
    if match is None or _PLAIN.fullmatch(match["value"]) or _is_quoted(match["value"]):
        return argument
    value = match["value"]
    # A comma stands between levels, unless it is one of the name of a file or of an expression.
    is_one = match["key"].endswith("pattern") or "," not in value or Path(value).expanduser().exists()
    texts = [value] if is_one else value.split(",")
    return (
        f"{match['key']}={','.join(one if _PLAIN.fullmatch(one) or _is_quoted(one) else _text(one) for one in texts)}"
    )


def _is_quoted(value: str) -> bool:
    """Whether a value is in quotes already, or in the brackets of a list, mapping or call that Hydra knows."""
    if Path(value).expanduser().exists():
        return False
    brackets = {value[:1] + value[-1:]} & {"[]", "{}"}
    return value[:1] in "'\"" or bool(brackets) or value.startswith(("choice(", "glob("))


def _text(value: str) -> str:
    """A text in quotes; a backslash counts in front of a quote alone."""
    return '"' + re.sub(r'(\\*)("|$)', lambda end: end[1] * 2 + ('\\"' if end[2] else ""), value) + '"'


def _quoted(values: str) -> str:
    """Values between commas, each that is a pattern in quotes."""
    return ",".join(
        f'"{value}"' if re.search(r"[*?\[\]!]", value) and not value.startswith(("'", '"')) else value
        for value in values.split(",")
    )
