"""What is wrong with a configuration, in words: what, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from streamssl.config.paths import Path, Tree, dotted
from streamssl.config.renamed import REMOVED
from streamssl.data.events import StreamsslError

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to fix.

    Attributes:
        path: Dotted path of the setting (empty where it concerns the whole file).
        text: What is wrong, and the remedy where it is not plain.
        where: File and line, environment variable or option; empty for a default.
    """

    path: str
    text: str
    where: str = ""

    def __str__(self) -> str:
        """One line."""
        path = f"{self.path}: " if self.path else ""
        return f"{path}{self.text}" + (f" [{self.where}]" if self.where else "")


class ConfigError(StreamsslError):
    """The configuration cannot be used.

    Attributes:
        problems: All of them, one a line in the error's text.
    """

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Take at least one problem."""
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def unknown_key(path: str, tree: Tree, where: str = "") -> Problem:
    """The problem of a key that does not exist, with the nearest one that does."""
    if path in REMOVED:
        return Problem(path, REMOVED[path], where)
    nearest = nearest_key(path, tree)
    remedy = f"did you mean {nearest}?" if nearest else "see docs/configuration.md for all keys"
    return Problem(path, f"unknown key; {remedy}", where)


def nearest_key(path: str, tree: Tree) -> str | None:
    """The valid dotted path most like `path`, None where nothing is.

    Likeness is max(r(path), .95 r(leaf) + .05 r(section)), r the ratio of matching characters
    (`difflib`), and .6 at least.

    Example:
        >>> nearest_key("kafka.bootstrap_server", Tree())
        'kafka.bootstrap_servers'
        >>> nearest_key("bootstrap_servers", Tree())
        'kafka.bootstrap_servers'
    """
    section, _, leaf = path.rpartition(".")

    def likeness(candidate: str) -> float:
        other_section, _, other_leaf = candidate.rpartition(".")
        whole = _ratio(path, candidate)
        # A right key in the wrong section is nearer than a wrong key in the right one.
        return max(whole, 0.95 * _ratio(leaf, other_leaf) + 0.05 * _ratio(section, other_section))

    best = max(tree.keys(), key=likeness)
    return best if likeness(best) >= 0.6 else None


def _ratio(a: str, b: str) -> float:
    return difflib.SequenceMatcher(None, a, b).ratio()


def problems_of(
    errors: Sequence[ErrorDetails], origins: Mapping[Path, str], tree: Tree
) -> tuple[Problem, ...]:
    """Pydantic's findings, one problem a setting and one a broken rule.

    Args:
        errors: `ValidationError.errors()`.
        origins: Where each given setting was given.
        tree: Of the configuration.
    """
    grouped: dict[Path, list[ErrorDetails]] = {}
    for error in (error for error in errors if error["type"] != "rules"):
        grouped.setdefault(_setting(error["loc"], tree), []).append(error)
    single = [_problem(path, found, origins.get(path, ""), tree) for path, found in grouped.items()]
    rules = [rule for error in errors if error["type"] == "rules" for rule in _rules(error)]
    return (*single, *(Problem(dotted(p), text, origins.get(p, "")) for p, text in rules))


def _rules(error: ErrorDetails) -> Iterator[tuple[Path, str]]:
    """Path and text of each rule that a section found broken."""
    section = tuple(str(part) for part in error["loc"])
    for key, text in error["ctx"]["broken"]:
        yield (*section, *(key.split(".") if key else ())), text


def _problem(path: Path, errors: list[ErrorDetails], where: str, tree: Tree) -> Problem:
    if any(error["type"] == "extra_forbidden" for error in errors):
        return unknown_key(dotted(path), tree, where)
    wanted = list(dict.fromkeys(_wanted(error, len(path)) for error in errors))
    text = " or ".join([wanted[0], *(w.removeprefix("must be ") for w in wanted[1:])])
    got = "" if tree.is_secret(path) else _got(errors[0])
    return Problem(dotted(path), text + got, where)


def _setting(loc: tuple[int | str, ...], tree: Tree) -> Path:
    """The part of an error's location that names a setting (the rest names union members)."""
    path: Path = ()
    for part in loc:
        if tree.field_at(path) is not None and tree.section_at(path) is None:
            break
        path = (*path, str(part))
    return path


def _got(error: ErrorDetails) -> str:
    shown = repr(error["input"])
    return f", got {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '...'}"


_WORDS = {
    "int": "must be a whole number",
    "float": "must be a number",
    "bool": "must be true or false",
    "string_type": "must be text (put it in quotes)",
    "list": "must be a list",
    "path": "must be a path",
    "model": "must be a section of `key: value` lines",
    "dict": "must be a section of `key: value` lines",
    "finite": "must be a finite number",
}
_BOUNDS = {
    "greater_than": ("must be above", "gt"),
    "greater_than_equal": ("must be at least", "ge"),
    "less_than": ("must be below", "lt"),
    "less_than_equal": ("must be at most", "le"),
    "string_pattern_mismatch": ("must match the pattern", "pattern"),
    "literal_error": ("must be", "expected"),
}


def _wanted(error: ErrorDetails, depth: int) -> str:
    """What the value must be, in words."""
    context: dict[str, Any] = error.get("ctx", {})
    kind = error["type"]
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        text = f"{words} {context[name]}"
    elif kind == "value_error":
        text = str(context["error"])
    else:
        text = next((w for k, w in _WORDS.items() if kind.startswith(k)), error["msg"])
    items = [part for part in error["loc"][depth:] if isinstance(part, int)]
    return f"item {items[0] + 1} {text}" if items else text
