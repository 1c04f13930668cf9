"""What the report is made from, read once from the session file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from closedloop.exports.frames import frames
from closedloop.exports.generations import generations
from closedloop.exports.tables import trials
from closedloop.protocol.models import Protocol
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
        protocol: of an evolution; None if the file's is not one that this version can read.
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

    @property
    def start_s(self) -> float:
        """Start of the first run."""
        return float(self.runs["started_s"].iloc[0])

    @property
    def period_s(self) -> float:
        """Frame period of the last run that measured one; NaN if none did."""
        known = [display["period_s"] for display in self.displays if display.get("period_s")]
        return float(known[-1]) if known else float("nan")

    @property
    def end_s(self) -> float:
        """End of the last run, or the last thing that the file knows of."""
        seen = [self.runs["ended_s"].max(), self.runs["started_s"].max()]
        seen += [self.trials[name].max() for name in ("judged_s", "offset_s", "onset_s")]
        return float(
            np.nanmax(pd.to_numeric(pd.Series(seen, dtype="Float64"), errors="coerce").to_numpy(float))
        )

    def of_thread(self, table: pd.DataFrame, thread: EvolvingThread) -> pd.DataFrame:
        """Return the rows of a table that belong to a thread."""
        return table[table["thread"] == thread.index]


def read_material(reader: SessionReader) -> Material:
    """Read everything that the report needs, but for samples and pixels."""
    meta = reader.meta()
    protocol = None if is_scan(reader) else _protocol(meta)
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


def _protocol(meta: dict[str, str]) -> Protocol | None:
    """Read the validated protocol, or else the text as people wrote it."""
    try:
        if "protocol_json" in meta:
            return Protocol.model_validate_json(meta["protocol_json"])
        tree = YAML(typ="safe", pure=True).load(StringIO(meta.get("protocol", "")))
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
