"""What is wrong with a protocol, gathered, so that one error can list all of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz, process

from closedloop.errors import ProtocolError
from closedloop.protocol.fields import KeyPath, dotted

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
    """A problem and where it stands.

    Attributes:
        problem: what is wrong.
        line: line in the file, from 1; None for what is not in the file.
        override: the override that it comes from, as messages name it; None if from the file.
    """

    problem: Problem
    line: int | None = None
    override: str | None = None

    def place(self, file: str | None) -> str:
        """Return the place in words: file, line and key, or the override; without a file, what follows it."""
        key = dotted(self.problem.path)
        if self.override is not None:
            shown = "" if self.override.startswith(f"--set {key}=") else key
            return ", ".join(part for part in (self.override, shown) if part)
        if file is None:
            at = f"line {self.line}" if self.line is not None else ""
        else:
            at = f"{file}:{self.line}" if self.line is not None else file
        return ", ".join(part for part in (at, key) if part) or "the file"


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
        only = problems[0].problem
        return ProtocolError(
            problems[0].place(file),
            found=only.found,
            expected=only.expected,
            remedy=only.remedy or "Correct it and start again.",
        )
    ordered = sorted(problems, key=lambda item: (item.override is not None, item.line or 0))
    lines = [
        f"  {item.place(None)}: found {item.problem.found}; expected {item.problem.expected}."
        + (f" {item.problem.remedy}" if item.problem.remedy else "")
        for item in ordered
    ]
    return ProtocolError(
        file,
        found=f"{len(problems)} problems",
        expected="none",
        remedy="Correct each and start again:\n" + "\n".join(lines),
    )
