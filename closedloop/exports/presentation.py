"""What showed the stimuli, as BIDS wants it told: software, screen, operating system.

Source: BIDS specification 1.10, "Events": StimulusPresentation.
"""

from __future__ import annotations

from importlib import metadata
from typing import Any

from closedloop.protocol.sections.display import Display
from closedloop.session import SessionReader

PSYCHOPY = ("psychopy", "psychopy-lib")


def presentation(reader: SessionReader, display: Display | None, run: int | None = None) -> dict[str, Any]:
    """Return the object ``StimulusPresentation``.

    Args:
        reader: of the session.
        display: section of the protocol, for what no program can measure; None if it can't be read.
        run: of the program; None: the last one.
    """
    place = -1 if run is None else [int(one) for one in reader.table("runs")["run"]].index(run)
    environment = reader.details("runs", "environment")[place]
    granted = reader.details("runs", "display")[place]
    packages = environment.get("packages") or {}
    shown_by = next((f"PsychoPy {packages[name]}" for name in PSYCHOPY if name in packages), "")
    program = str(_first(environment, "program", "version") or metadata.version("closedloop"))
    told: dict[str, Any] = {
        "OperatingSystem": str(_first(environment, "platform", "system") or "n/a"),
        "SoftwareName": "closedloop, PsychoPy",
        "SoftwareRRID": "RRID:SCR_006571",
        "SoftwareVersion": f"closedloop {program}, {shown_by}" if shown_by else program,
        "Code": str(_first(environment, "git_commit", "commit") or "n/a"),
    }
    if granted.get("refresh_hz"):
        told["ScreenRefreshRate"] = granted["refresh_hz"]
    if granted.get("size_px"):
        told["ScreenResolution"] = list(granted["size_px"])
    if display is not None:
        width_px, height_px = granted.get("size_px") or display.size_px
        width_m = display.width_cm / 100
        told["ScreenDistance"] = round(display.distance_cm / 100, 4)
        told["ScreenSize"] = [round(width_m, 4), round(width_m * height_px / width_px, 4)]
    return told


def _first(tree: dict[str, Any], *names: str) -> Any:
    """Return the first value of one of these names, anywhere in a tree of dictionaries."""
    for name in names:
        if tree.get(name) and not isinstance(tree[name], dict):
            return tree[name]
    for branch in tree.values():
        found = _first(branch, *names) if isinstance(branch, dict) else None
        if found:
            return found
    return None
