"""A recorded session, as far as going on with it needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from closedloop.errors import SessionDamagedError
from closedloop.loop.history import History, read_history
from closedloop.protocol.models import Protocol
from closedloop.session import SessionReader
from experiments.recorded_protocol import RecordedProtocol, read_protocol


@dataclass(frozen=True, eq=False)
class RecordedSession:
    """What a session file says, read once.

    Attributes:
        folder: the session folder.
        session_id: as in its markers.
        lost_meta: facts of ``meta`` that a salvage lost and that are known from elsewhere.
        recorded_protocol: the protocol as last used.
        history: the state of its loop.
        generators: provenance of each thread's generator; empty if a crash came before it was recorded.
        environment: of the last run.
        display: of the last run that had one; empty without any.
        streams: by role, of the last run that had any.
        last_run: its number.
        exit_status: of the last run; None: it crashed.
        reason: why the last run ended, in words.
    """

    folder: Path
    session_id: str
    lost_meta: Mapping[str, str]
    recorded_protocol: RecordedProtocol
    history: History
    generators: Sequence[Mapping[str, Any]]
    environment: Mapping[str, Any]
    display: Mapping[str, Any]
    streams: Mapping[str, Mapping[str, Any]]
    last_run: int
    exit_status: str | None
    reason: str

    @property
    def protocol(self) -> Protocol:
        """The protocol as last used."""
        return self.recorded_protocol.protocol

    @property
    def control(self) -> str | None:
        """The control condition that the session was run under, if any."""
        details = self.display.get("details", {})
        return str(details["control"]).split(maxsplit=1)[0] if "control" in details else None


def read_session(folder: Path) -> RecordedSession:
    """Read a session that is to go on.

    Raises:
        SessionError: there is none, or its file is damaged or of another schema.
    """
    with SessionReader(folder) as reader:
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
        protocol = read_protocol(meta, last, where)
        displays = [display for display in reader.details("runs", "display") if display]
        status, reason = (runs.iloc[-1][column] for column in ("exit_status", "reason"))
        session_id = meta.get("session") or _session_id(reader)
        return RecordedSession(
            folder=folder,
            session_id=session_id,
            lost_meta={} if "session" in meta else {"session": session_id},
            recorded_protocol=protocol,
            history=read_history(reader),
            generators=reader.details("threads", "generator"),
            environment=reader.details("runs", "environment")[-1],
            display=displays[-1] if displays else {},
            streams=_streams(reader),
            last_run=last,
            exit_status=None if pd.isna(status) else str(status),
            reason="" if pd.isna(reason) else str(reason),
        )


def _session_id(reader: SessionReader) -> str:
    """Return the id that a salvaged session has lost: it stands in each of its markers, too."""
    named = (marker.get("session") for marker in reader.details("markers", "payload"))
    return next((str(name) for name in named if name), reader.folder.name)


def _streams(reader: SessionReader) -> dict[str, Mapping[str, Any]]:
    """Return descriptions by role; of several runs the last one's."""
    roles = reader.table("streams")["role"].tolist()
    return dict(zip(roles, reader.details("streams", "info"), strict=True))
