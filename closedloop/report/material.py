"""What the report is made from, read once from the session file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from closedloop.exports.frames import frames
from closedloop.exports.generations import generations
from closedloop.exports.session_time import zero_of_runs
from closedloop.exports.tables import trials
from closedloop.protocol.models import Protocol
from closedloop.replay.recorded import protocol_text
from closedloop.scan.recorded import is_scan, scan_protocol_of
from closedloop.session import SessionReader


@dataclass(frozen=True)
class EvolvingThread:
    """One evolution of the session."""

    index: int
    name: str
    spec: dict[str, Any]
    generator: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Material:
    """Tables of a session, and what they say about it as a whole.

    Attributes:
        reader: for samples and pixels, which are not read ahead.
        protocol: of an evolution, as it held in its last run; None if the file's is not one that this version can read.
        notes: of the protocol.
        scores: one row an image and generation, with ``kind`` of the image.
        displays: what the stage reported, one a run.
        environments: versions and machine, one a run.
    """

    reader: SessionReader
    meta: dict[str, str]
    protocol: Protocol | None
    notes: str
    threads: tuple[EvolvingThread, ...]
    runs: pd.DataFrame
    displays: list[dict[str, Any]]
    environments: list[dict[str, Any]]
    generations: pd.DataFrame
    trials: pd.DataFrame
    scores: pd.DataFrame
    frames: pd.DataFrame

    @cached_property
    def zero(self) -> Mapping[Any, float]:
        """What to take from each run's times to have seconds from the session's start, also after a restart."""
        return zero_of_runs(self.reader)

    def protocol_in(self, run: int) -> Protocol | None:
        """The protocol of an evolution as it held in a run; None if this version can't read it."""
        return None if self.protocol is None else _protocol(self.reader, run)

    def from_start_s(self, time_s: float, run: int) -> float:
        """Return a run's time as seconds from the session's start."""
        return time_s - self.zero.get(run, 0.0)

    @property
    def period_s(self) -> float:
        """Frame period of the last run that measured one; NaN if none did."""
        known = [display["period_s"] for display in self.displays if display.get("period_s")]
        return float(known[-1]) if known else float("nan")

    @cached_property
    def ends_s(self) -> Mapping[Any, float]:
        """End of each run, or the last thing that the file knows of it, in seconds from the session's start."""
        found: dict[int, float] = {}
        for run, started_s, ended_s in self.runs[["run", "started_s", "ended_s"]].itertuples(index=False):
            own = self.trials[self.trials["run"] == run]
            seen = [started_s, ended_s, *(own[name].max() for name in ("judged_s", "offset_s", "onset_s"))]
            known = pd.to_numeric(pd.Series(seen, dtype="Float64"), errors="coerce").to_numpy(float)
            found[int(run)] = self.from_start_s(float(np.nanmax(known)), int(run))
        return found

    @property
    def length_s(self) -> float:
        """From the start of the first run to the last thing that the file knows of."""
        return max(self.ends_s.values())

    def of_thread(self, table: pd.DataFrame, thread: EvolvingThread) -> pd.DataFrame:
        """Return the rows of a table that belong to a thread."""
        return table[table["thread"] == thread.index]


def read_material(reader: SessionReader) -> Material:
    """Read everything that the report needs, but for samples and pixels."""
    meta = reader.meta()
    protocol = None if is_scan(reader) else _protocol(reader)
    if protocol is not None:
        notes = protocol.notes
    else:
        notes = scan_protocol_of(reader).notes if is_scan(reader) else ""
    images = reader.table("images")[["image", "kind", "row"]]
    return Material(
        reader=reader,
        meta=meta,
        protocol=protocol,
        notes=notes,
        threads=_threads(reader),
        runs=reader.table("runs"),
        displays=reader.details("runs", "display"),
        environments=reader.details("runs", "environment"),
        generations=generations(reader),
        trials=trials(reader),
        scores=reader.table("scores").merge(images, on="image", how="left"),
        frames=frames(reader),
    )


def _protocol(reader: SessionReader, run: int | None = None) -> Protocol | None:
    """Read the validated protocol of a run, the last one if None, or else the text as people wrote it."""
    try:
        text = protocol_text(reader, run)
        if text is not None:
            return Protocol.model_validate_json(text)
        tree = YAML(typ="safe", pure=True).load(StringIO(reader.meta().get("protocol", "")))
        return Protocol.model_validate_json(json.dumps(tree, default=str))
    except (ValidationError, YAMLError):
        return None


def _threads(reader: SessionReader) -> tuple[EvolvingThread, ...]:
    table = reader.table("threads")
    specs, generators = reader.details("threads", "spec"), reader.details("threads", "generator")
    return tuple(
        EvolvingThread(int(index), str(name), spec, generator)
        for index, name, spec, generator in zip(
            table["thread"], table["name"], specs, generators, strict=True
        )
    )
