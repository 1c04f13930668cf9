"""The marker stream that a session sends: what was shown and decided, for recorders and other programs."""

from __future__ import annotations

import json

import pylsl

from closedloop.ports import Marker

STREAM_NAME = "closedloop-markers"
STREAM_TYPE = "Markers"


def source_id(session_id: str) -> str:
    """Return the source id under which a session sends its markers."""
    return f"closedloop-{session_id}"


def payload_text(marker: Marker, session_id: str) -> str:
    """Return a marker as its JSON text, with ``event`` and ``session`` in any case.

    NaN and infinity become null, since JSON has neither.
    """
    payload = {"event": "unknown", "session": session_id, **marker.payload}
    try:
        return json.dumps(payload, ensure_ascii=False, allow_nan=False, default=str)
    except ValueError:
        return json.dumps(_finite(payload), ensure_ascii=False, default=str)


class MarkerOutlet:
    """The outlet, one JSON text a sample, stamped with the marker's own time.

    Args:
        session_id: of the session.
    """

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        info = pylsl.StreamInfo(
            STREAM_NAME, STREAM_TYPE, 1, pylsl.IRREGULAR_RATE, pylsl.cf_string, source_id(session_id)
        )
        info.set_channel_labels(["json"])
        info.desc().append_child_value("session", session_id)
        self._outlet = pylsl.StreamOutlet(info)

    def send(self, marker: Marker) -> None:
        """Send one marker; hands it to liblsl's thread and does not wait."""
        self._outlet.push_sample([payload_text(marker, self._session_id)], marker.time_s)

    def has_listeners(self) -> bool:
        """Whether anybody hears it."""
        return bool(self._outlet.have_consumers())


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if value - value == 0 else None  # NaN and infinity differ from themselves by NaN
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
