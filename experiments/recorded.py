"""A recorded evolution session, as far as going on with it needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from closedloop.loop.history import History, read_history
from closedloop.protocol.models import Protocol
from closedloop.session import SessionReader
from experiments.control import CONTROL, control_in
from experiments.recorded_ground import RecordedGround, read_ground


@dataclass(frozen=True, eq=False)
class RecordedSession(RecordedGround[Protocol]):
    """What a session file says, read once.

    Attributes:
        history: the state of its loop.
        generators: provenance of each thread's generator; empty if a crash came before it was recorded.
        streams: by role, of the last run that had any.
        control_at_first: the control condition that the session was begun under, where that is recorded.
    """

    history: History
    generators: Sequence[Mapping[str, Any]]
    streams: Mapping[str, Mapping[str, Any]]
    control_at_first: str | None

    @property
    def control(self) -> str | None:
        """The control condition that the session was run under, if any."""
        return control_in(self.display.get("details", {})) or self.control_at_first


def read_session(folder: Path) -> RecordedSession:
    """Read a session that is to go on.

    Raises:
        SessionError: there is none, or its file is damaged or of another schema.
    """
    with SessionReader(folder) as reader:
        return RecordedSession(
            **vars(read_ground(reader, folder, Protocol)),
            history=read_history(reader),
            generators=reader.details("threads", "generator"),
            streams=_streams(reader),
            control_at_first=reader.meta().get(CONTROL),
        )


def _streams(reader: SessionReader) -> dict[str, Mapping[str, Any]]:
    """Return descriptions by role; of several runs the last one's."""
    roles = reader.table("streams")["role"].tolist()
    return dict(zip(roles, reader.details("streams", "info"), strict=True))
