"""What a recorded session of either kind says of itself, as far as going on with it needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import pandas as pd

from closedloop.errors import SessionDamagedError
from closedloop.session import SessionReader
from experiments.recorded_protocol import Kind, RecordedProtocol, read_protocol


@dataclass(frozen=True, eq=False)
class RecordedGround(Generic[Kind]):
    """What a session file says, read once.

    Attributes:
        folder: the session folder.
        session_id: as in its markers.
        lost_meta: facts of ``meta`` that a salvage lost and that are known from elsewhere.
        recorded_protocol: the protocol as last used.
        environment: of the last run.
        display: of the last run that had one; empty without any.
        last_run: its number.
        exit_status: of the last run; None: it crashed.
        reason: why the last run ended, in words.
    """

    folder: Path
    session_id: str
    lost_meta: Mapping[str, str]
    recorded_protocol: RecordedProtocol[Kind]
    environment: Mapping[str, Any]
    display: Mapping[str, Any]
    last_run: int
    exit_status: str | None
    reason: str

    @property
    def protocol(self) -> Kind:
        """The protocol as last used."""
        return self.recorded_protocol.protocol


def read_ground(reader: SessionReader, folder: Path, kind: type[Kind]) -> RecordedGround[Kind]:
    """Read what sessions of either kind have.

    Args:
        reader: of the session.
        folder: the session folder.
        kind: of its protocol.

    Raises:
        SessionError: its file is damaged or of another schema.
    """
    meta, where = reader.meta(), str(reader.path)
    runs = reader.table("runs")
    if runs.empty:
        raise SessionDamagedError(
            where,
            found="no record of any run",
            expected="at least one",
            remedy="The session can't go on. What was recorded can be exported.",
        )
    last = int(runs["run"].max())
    displays = [display for display in reader.details("runs", "display") if display]
    status, reason = (runs.iloc[-1][column] for column in ("exit_status", "reason"))
    session_id = meta.get("session") or _session_id(reader)
    protocol = read_protocol(meta, last, where, kind)
    known = {"session": session_id, "kind": protocol.protocol.kind}
    return RecordedGround(
        folder=folder,
        session_id=session_id,
        lost_meta={key: value for key, value in known.items() if key not in meta},
        recorded_protocol=protocol,
        environment=reader.details("runs", "environment")[-1],
        display=displays[-1] if displays else {},
        last_run=last,
        exit_status=None if pd.isna(status) else str(status),
        reason="" if pd.isna(reason) else str(reason),
    )


def _session_id(reader: SessionReader) -> str:
    """Return the id that a salvaged session has lost: it stands in each of its markers, too."""
    named = (marker.get("session") for marker in reader.details("markers", "payload"))
    return next((str(name) for name in named if name), reader.folder.name)
