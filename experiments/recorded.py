"""A recorded session, as far as going on with it needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from closedloop.errors import SessionSchemaError
from closedloop.loop.history import History, read_history
from closedloop.protocol.models import Protocol
from closedloop.session import SessionReader, amendments


@dataclass(frozen=True, eq=False)
class RecordedSession:
    """What a session file says, read once.

    Attributes:
        folder: the session folder.
        session_id: as in its markers.
        text: the protocol as last used, YAML.
        protocol: the same.
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
    text: str
    protocol: Protocol
    history: History
    generators: Sequence[Mapping[str, Any]]
    environment: Mapping[str, Any]
    display: Mapping[str, Any]
    streams: Mapping[str, Mapping[str, Any]]
    last_run: int
    exit_status: str | None
    reason: str

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
        meta = reader.meta()
        runs = reader.table("runs")
        last = int(runs["run"].max())
        displays = [display for display in reader.details("runs", "display") if display]
        try:
            text = amendments.latest(meta, amendments.TEXT, last)
            protocol = Protocol.model_validate_json(amendments.latest(meta, amendments.JSON, last))
        except (KeyError, ValueError) as error:
            raise SessionSchemaError(
                f"{reader.path}: protocol",
                found=str(error).splitlines()[0],
                expected="the protocol that the session was run by",
                remedy="Use the version of closedloop that wrote the session.",
            ) from error
        status, reason = (runs.iloc[-1][column] for column in ("exit_status", "reason"))
        return RecordedSession(
            folder=folder,
            session_id=meta["session"],
            text=text,
            protocol=protocol,
            history=read_history(reader),
            generators=reader.details("threads", "generator"),
            environment=reader.details("runs", "environment")[-1],
            display=displays[-1] if displays else {},
            streams=_streams(reader),
            last_run=last,
            exit_status=None if pd.isna(status) else str(status),
            reason="" if pd.isna(reason) else str(reason),
        )


def _streams(reader: SessionReader) -> dict[str, Mapping[str, Any]]:
    """Return descriptions by role; of several runs the last one's."""
    roles = reader.table("streams")["role"].tolist()
    return dict(zip(roles, reader.details("streams", "info"), strict=True))
