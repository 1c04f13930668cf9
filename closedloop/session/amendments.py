"""The protocols of a session: that of its beginning, and those of runs that went on with changes.

What the session began with is never changed. A run with another protocol adds its own beside it.
"""

from __future__ import annotations

from collections.abc import Mapping

TEXT = "protocol"
JSON = "protocol_json"


def key_of_run(key: str, run: int) -> str:
    """Return the key in ``meta`` under which a run adds its own value."""
    return f"{key}@run{run}"


def latest(meta: Mapping[str, str], key: str, run: int) -> str:
    """Return a value as it held in a run: of that run, or of the last one before it that changed it.

    Args:
        meta: of the session.
        key: ``TEXT`` or ``JSON``.
        run: number of the run.

    Raises:
        KeyError: the session has no such value.
    """
    for earlier in range(run, 0, -1):
        if key_of_run(key, earlier) in meta:
            return meta[key_of_run(key, earlier)]
    return meta[key]
