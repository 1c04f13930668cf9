"""The control condition that a session is run under, if any: where its name is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CONTROL = "control"
CONTROL_FILE = "control.txt"
"""In the session folder; there only if the session is run under a control."""
CONTROLS = ("shuffled",)


def control_in(details: Mapping[str, Any]) -> str | None:
    """Return the control condition that a stage says it is, in the details of its display; None: it is none."""
    return str(details[CONTROL]).split(maxsplit=1)[0] if CONTROL in details else None
