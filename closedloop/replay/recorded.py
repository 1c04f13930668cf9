"""What a replay needs of a session file, read once: protocol, tables, streams."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from closedloop.errors import SessionError, SessionSchemaError
from closedloop.ports import StreamInfo
from closedloop.protocol.document import plain_value
from closedloop.protocol.models import Protocol
from closedloop.scan.recorded import is_scan
from closedloop.session import SessionReader, amendments

JUDGED = ("valid", "invalid")


@dataclass(frozen=True, eq=False)
class Recorded:
    """A session as it was recorded.

    Attributes:
        reader: for codes, pixels and samples, which are not read ahead.
        protocol: what was to be done, as it held in the last run.
        protocols: the same by run: a resume may go on with another one.
        worked: by thread and generation, the run in which it was bred and the last one that worked on it, which
            scored it if it is finished.
        names: of the threads, by index.
        images: table ``images`` without its arrays.
        trials: trials that were judged, in the order of judgement (run, trial), with their ``value``.
        scores: table ``scores``.
        generations: table ``generations``.
        streams: by run and role.
        periods_s: seconds per frame, by run; NaN where the display was not measured.
    """

    reader: SessionReader
    protocol: Protocol
    protocols: Mapping[int, Protocol]
    worked: Mapping[tuple[int, int], tuple[int, int]]
    names: Mapping[int, str]
    images: pd.DataFrame
    trials: pd.DataFrame
    scores: pd.DataFrame
    generations: pd.DataFrame
    streams: Mapping[tuple[int, str], StreamInfo]
    periods_s: Mapping[int, float]

    @property
    def first_protocol(self) -> Protocol:
        """What was to be done when the session began."""
        return self.protocols[min(self.protocols)] if self.protocols else self.protocol

    def protocol_in(self, run: int) -> Protocol:
        """What was to be done in a run."""
        return self.protocols.get(run, self.protocol)

    def bred_by(self, thread: int, generation: int) -> Protocol:
        """The protocol by which a generation was bred."""
        return self._of_generation(thread, generation, 0)

    def scored_by(self, thread: int, generation: int) -> Protocol:
        """The protocol by which a generation was scored, or would be."""
        return self._of_generation(thread, generation, 1)

    def _of_generation(self, thread: int, generation: int, end: int) -> Protocol:
        runs = self.worked.get((thread, generation))
        return self.protocol if runs is None else self.protocol_in(runs[end])

    @cached_property
    def finished_generations(self) -> frozenset[tuple[int, int]]:
        """Thread and number of every generation that has its scores."""
        table = self.generations[self.generations["ended_s"].notna()]
        return frozenset(zip(table["thread"].astype(int), table["generation"].astype(int), strict=True))

    def scores_of(self, thread: int, generation: int) -> pd.DataFrame:
        """Recorded scores of a generation, by image number; empty if it was not finished."""
        return self._scores_of.get((thread, generation), self.scores.iloc[:0]).set_index("image")

    @cached_property
    def _scores_of(self) -> dict[tuple[int, int], pd.DataFrame]:
        return {
            (int(part["thread"].iloc[0]), int(part["generation"].iloc[0])): part
            for _, part in self.scores.groupby(["thread", "generation"])
        }

    @cached_property
    def _evolved(self) -> dict[tuple[int, int], list[int]]:
        table = self.images[self.images["kind"] == "evolved"].sort_values(["thread", "generation", "row"])
        found: dict[tuple[int, int], list[int]] = {}
        for thread, generation, image in zip(
            table["thread"], table["generation"], table["image"], strict=True
        ):
            found.setdefault((int(thread), int(generation)), []).append(int(image))
        return found

    def evolved(self, thread: int, generation: int) -> list[int]:
        """Image numbers of a population, by row."""
        return self._evolved.get((thread, generation), [])

    def sha256(self, image: int) -> str:
        """SHA-256 of an image's pixels, as recorded."""
        return str(self.images.loc[self.images["image"] == image, "sha256"].iloc[0])

    def references(self, thread: int) -> list[int]:
        """Image numbers of all references of a thread, by row."""
        table = self.images[(self.images["kind"] == "reference") & (self.images["thread"] == thread)]
        return [int(image) for image in table.sort_values("row")["image"]]


def read_recorded(reader: SessionReader) -> Recorded:
    """Read what every replay needs.

    Raises:
        SessionError: the file is damaged, or its protocol is not one that this version can read.
    """
    threads = reader.table("threads")
    trials = reader.table("trials")
    values = reader.table("responses")[["trial", "run", "value"]]
    judged = trials[trials["status"].isin(JUDGED)].merge(values, on=["trial", "run"], how="left")
    displays = reader.details("runs", "display")
    return Recorded(
        reader=reader,
        protocol=protocol_of(reader),
        protocols=protocols_of(reader),
        worked=runs_of_generations(reader),
        names={int(i): str(name) for i, name in zip(threads["thread"], threads["name"], strict=True)},
        images=reader.table("images"),
        trials=judged.sort_values(["run", "trial"], ignore_index=True),
        scores=reader.table("scores"),
        generations=reader.table("generations"),
        streams=_streams(reader),
        periods_s={
            int(run): float(display.get("period_s", np.nan))
            for run, display in zip(reader.table("runs")["run"], displays, strict=True)
        },
    )


def protocol_of(reader: SessionReader, run: int | None = None) -> Protocol:
    """Return the protocol that an evolution was run by.

    Args:
        reader: of the session.
        run: in which it held; None: in the last one.

    Raises:
        SessionError: it is no evolution, but a session in a scanner.
        SessionSchemaError: the file holds none that this version can read.
    """
    if is_scan(reader):
        raise SessionError(
            str(reader.path),
            found="a session in a scanner (kind: scan)",
            expected="an evolution: in a scanner nothing is scored or bred",
            remedy="--verify, --stream and --screen work with it; its report tells of responses.",
        )
    where = f"{reader.path}: protocol"
    text = protocol_text(reader, run)
    if text is None:
        text = json.dumps(plain_value(reader.meta().get("protocol", ""), where), default=str)
    try:
        return Protocol.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        raise SessionSchemaError(
            where,
            found=f"{'.'.join(map(str, first['loc'])) or 'a text'}: {first['msg']}",
            expected="the protocol that the session was run by",
            remedy="Use the version of closedloop that wrote the session.",
        ) from error


def protocols_of(reader: SessionReader) -> dict[int, Protocol]:
    """Return the protocol of each run.

    Raises:
        SessionError: as of ``protocol_of``.
    """
    meta = reader.meta()
    found: dict[int, Protocol] = {}
    known: Protocol | None = None
    for run in sorted(int(run) for run in reader.table("runs")["run"]):
        if known is None or amendments.key_of_run(amendments.JSON, run) in meta:
            known = protocol_of(reader, run)
        found[run] = known
    return found


def protocol_text(reader: SessionReader, run: int | None = None) -> str | None:
    """Return the validated protocol as JSON, as it held in a run; None if the file has none.

    Args:
        reader: of the session, an evolution or one in a scanner.
        run: number of the run; None: the last one.
    """
    last = max((int(one) for one in reader.table("runs")["run"]), default=0)
    try:
        return amendments.latest(reader.meta(), amendments.JSON, last if run is None else run)
    except KeyError:
        return None


def protocol_tree(reader: SessionReader) -> dict[str, Any]:
    """Return the protocol of the last run as plain values, for what needs no validated one; empty if there is none.

    Raises:
        ValueError: it is no JSON, as in a damaged file.
    """
    tree: dict[str, Any] = json.loads(protocol_text(reader) or "{}")
    return tree


def runs_of_generations(reader: SessionReader) -> dict[tuple[int, int], tuple[int, int]]:
    """Return the run that bred each generation and the last one that worked on it, by thread and number."""
    threads = reader.table("threads")
    indices = {str(name): int(i) for i, name in zip(threads["thread"], threads["name"], strict=True)}
    seen: dict[tuple[int, int], set[int]] = {}
    trials = reader.table("trials")[["thread", "generation", "run"]].drop_duplicates()
    for thread, generation, run in trials.itertuples(index=False):
        seen.setdefault((int(thread), int(generation)), set()).add(int(run))
    markers = zip(reader.table("markers")["run"], reader.details("markers", "payload"), strict=True)
    for run, payload in markers:
        # each run that goes on with a generation says so before its first trial
        if payload.get("event") == "generation_start" and payload.get("generation") is not None:
            named = indices.get(str(payload.get("thread")))
            for index in indices.values() if named is None else [named]:
                seen.setdefault((index, int(payload["generation"])), set()).add(int(run))
    return {key: (min(runs), max(runs)) for key, runs in seen.items()}


def _streams(reader: SessionReader) -> dict[tuple[int, str], StreamInfo]:
    table = reader.table("streams")
    found = {}
    for run, role, info in zip(table["run"], table["role"], reader.details("streams", "info"), strict=True):
        known: dict[str, Any] = {name: info[name] for name in StreamInfo.__dataclass_fields__ if name in info}
        known["channel_names"] = tuple(known.get("channel_names", ()))
        found[int(run), str(role)] = StreamInfo(**known)
    return found
