"""What is wrong with a protocol, gathered, so that one error can list all of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz, process

from closedloop.errors import ProtocolError
from closedloop.protocol.fields import KeyPath

# Below this likeness (0 to 100) a suggestion misleads more than it helps.
LEAST_LIKENESS = 62.0
LONGEST_QUOTE = 60
LONGEST_LIST = 12


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, at one key.

    Attributes:
        path: the key; empty for the protocol as a whole.
        found: what was found there.
        expected: what was expected instead.
        remedy: a full sentence on what to do; empty where that is plain.
    """

    path: KeyPath
    found: str
    expected: str
    remedy: str = ""


@dataclass(frozen=True)
class Located:
    """A problem with the place in words, as in ``line 12, presentation.on_ms``."""

    place: str
    problem: Problem


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that ``word`` most likely meant, if any is near enough."""
    found = process.extractOne(
        word.lower(), list(choices), scorer=fuzz.ratio, processor=None, score_cutoff=LEAST_LIKENESS
    )
    return None if found is None else str(found[0])


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return ``Did you mean 'on_ms'?`` or nothing."""
    best = nearest(word, choices)
    return f"Did you mean '{best}'?" if best is not None else ""


def one_of(choices: Sequence[str]) -> str:
    """Return the choices in words, shortened when there are many."""
    shown = list(choices[:LONGEST_LIST])
    if len(choices) == 1:
        return shown[0]
    if len(choices) > LONGEST_LIST:
        return "one of " + ", ".join(shown) + f" and {len(choices) - LONGEST_LIST} more"
    return "one of " + ", ".join(shown)


def in_words(value: Any) -> str:
    """Return a value of the file as a message names it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value!r}"
    if isinstance(value, str):
        quoted = value if len(value) <= LONGEST_QUOTE else value[:LONGEST_QUOTE] + "..."
        return f"the text {quoted!r}"
    if isinstance(value, dict):
        return (
            "a section with " + one_of([str(key) for key in value]).removeprefix("one of ")
            if value
            else "an empty section"
        )
    return f"a list of {len(value)}"


def protocol_error(file: str, problems: Sequence[Located]) -> ProtocolError:
    """Return one error that lists every problem, in the order of their lines."""
    if len(problems) == 1:
        (only,) = problems
        return ProtocolError(
            f"{file}, {only.place}" if only.place else file,
            found=only.problem.found,
            expected=only.problem.expected,
            remedy=only.problem.remedy or "Correct it and start again.",
        )
    lines = [
        f"  {item.place or 'the file'}: found {item.problem.found}; expected {item.problem.expected}."
        + (f" {item.problem.remedy}" if item.problem.remedy else "")
        for item in problems
    ]
    return ProtocolError(
        file,
        found=f"{len(problems)} problems",
        expected="none",
        remedy="Correct each and start again:\n" + "\n".join(lines),
    )
