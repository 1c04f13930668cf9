"""What runs of a session changed of its protocol, value by value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from closedloop.errors import SessionDamagedError
from closedloop.session import SessionReader, amendments

_LONGEST = 60


@dataclass(frozen=True)
class Amended:
    """A run that went on with another protocol than the run before.

    Attributes:
        run: its number.
        changes: key, value before and value from then on, as JSON; empty where only the text differs.
        text: the protocol as it held from then on, YAML; empty if the file has none.
    """

    run: int
    changes: tuple[tuple[str, str, str], ...]
    text: str

    @property
    def words(self) -> str:
        """The changes in a line."""
        return "; ".join(f"{key} {now} instead of {was}" for key, was, now in self.changes)


def amended_runs(reader: SessionReader) -> list[Amended]:
    """Return the runs that went on with another protocol, in order; none of a session without any.

    Raises:
        SessionDamagedError: a protocol in the file is no JSON.
    """
    meta = reader.meta()
    found = []
    for run in sorted(int(run) for run in reader.table("runs")["run"]):
        if run == 0 or amendments.key_of_run(amendments.JSON, run) not in meta:
            continue
        before, now = (_tree(reader, meta, one) for one in (run - 1, run))
        changes = tuple(_changes("", before, now))
        text = meta.get(amendments.key_of_run(amendments.TEXT, run), "")
        found.append(Amended(run, changes, text))
    return found


def _tree(reader: SessionReader, meta: dict[str, str], run: int) -> Any:
    try:
        return json.loads(amendments.latest({amendments.JSON: "{}", **meta}, amendments.JSON, run))
    except ValueError as error:
        raise SessionDamagedError(
            f"{reader.path}: protocol of run {run}",
            found=f"unreadable data ({error})",
            expected="what was written",
            remedy="`closedloop salvage` saves what can be read; it leaves the damaged file as it is.",
        ) from error


def _changes(key: str, was: Any, now: Any) -> Iterator[tuple[str, str, str]]:
    if was == now:
        return
    if isinstance(was, dict) and isinstance(now, dict):
        for name in dict.fromkeys((*was, *now)):
            yield from _changes(f"{key}.{name}" if key else str(name), was.get(name), now.get(name))
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now) and _deep(was):
        for place, (before, after) in enumerate(zip(was, now, strict=True)):
            yield from _changes(f"{key}.{place}", before, after)
    else:
        yield key, _short(was), _short(now)


def _deep(values: list[Any]) -> bool:
    return any(isinstance(value, dict) for value in values)


def _short(value: Any) -> str:
    text = "none" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
