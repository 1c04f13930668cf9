"""PsychoPy's Monitor for a protocol's display: gamma and degrees."""

from __future__ import annotations

from psychopy import monitors

from closedloop.errors import StageError
from closedloop.protocol.models import Display


def make_monitor(display: Display) -> monitors.Monitor:
    """Make the Monitor that the window uses.

    A named one brings its gamma and, if it was measured, its width; the distance is always the
    protocol's. Without a name it is linear, from the protocol's width and distance.

    Raises:
        StageError: there is no monitor of this name.
    """
    if not display.monitor:
        monitor = monitors.Monitor(
            "closedloop", width=display.width_cm, distance=display.distance_cm, autoLog=False
        )
        monitor.setSizePix(display.size_px)
        return monitor
    known = monitors.getAllMonitors()
    if display.monitor not in known:
        raise StageError(
            "display.monitor",
            found=f"'{display.monitor}'",
            expected=f"one of PsychoPy's monitors on this machine: {', '.join(sorted(known)) or 'there is none'}",
            remedy="Make it in PsychoPy's Monitor Center, or leave display.monitor empty.",
        )
    monitor = monitors.Monitor(display.monitor, distance=display.distance_cm, autoLog=False)
    if not monitor.getWidth():
        monitor.setWidth(display.width_cm)
    if not monitor.getSizePix():
        monitor.setSizePix(display.size_px)
    return monitor
