"""Keys through the X server's raw events (XInput 2): a queue of presses, each with the server's own time.

Nothing is polled, so a key that is down for 10 ms, or for less, is as sure as any. Raw events come whichever
window has the focus, and for the press alone: a held key does not repeat. On other platforms than X11 on Linux
there is nothing of the kind that has been tried, so it is refused there.
"""

from __future__ import annotations

import os
import select
import struct
import sys
import threading
from collections.abc import Collection, Sequence
from typing import Any

import pylsl

from closedloop.errors import TriggerError
from closedloop.scan.ports import ButtonPress, Pulse, TriggerInfo, TriggerNotice
from hardware.triggers.ear import CHECK_S, LACKING, Emit, Listened, hurry
from hardware.triggers.xclock import ServerProbe, ServerTime
from hardware.triggers.xkeys import find_keycodes, keycodes

_FIRST_PROBES = 30
_PROBE_EVERY_S = 5.0
_GENERIC_EVENT = 35
_RAW = struct.Struct("=HIIH")  # device, time, keycode, source: how a raw event's data begin


class KeyboardEar:
    """Hears keys on an X display.

    Args:
        key: the trigger's; None: buttons only.
        response_keys: the subject's.
        display: for example ``":1"``; None takes ``DISPLAY``.
        elsewhere: those of the subject's keys that another ear hears as well; they may be no keys of this keyboard.
    """

    def __init__(
        self,
        key: str | None,
        response_keys: Sequence[str] = (),
        display: str | None = None,
        *,
        elsewhere: Collection[str] = (),
    ) -> None:
        self._key, self._response_keys, self._elsewhere = key, tuple(response_keys), frozenset(elsewhere)
        self._name = display
        self._trigger_codes: frozenset[int] = frozenset()
        self._buttons: dict[int, str] = {}
        self._lacking: frozenset[str] = frozenset()
        self._time = ServerTime(pylsl.local_clock())
        self._asked_s: float | None = None

    @property
    def keys(self) -> frozenset[str]:
        """The subject's, except, once it is open, those that the keyboard's layout has not."""
        return frozenset(self._response_keys) - self._lacking

    def open(self) -> TriggerInfo:
        """Connect, measure the server's clock, and ask for raw key events."""
        if not sys.platform.startswith("linux"):
            raise TriggerError(
                "keyboard trigger",
                found=f"the platform {sys.platform}",
                expected="X11 on Linux",
                remedy="Use the trigger paths 'serial' or 'lsl' on this platform.",
            )
        from Xlib import X, error

        self._gone: tuple[type[Exception], ...] = (error.ConnectionClosedError, OSError)
        self._display = _connect(self._name)
        self._window = self._display.screen().root.create_window(
            0, 0, 1, 1, 0, 0, event_mask=X.PropertyChangeMask
        )
        self._atom = self._display.intern_atom("CLOSEDLOOP_TIME")
        self._learn_keys()
        for _ in range(_FIRST_PROBES):
            self._ask()
            while self._asked_s is not None:
                self._take(self._display.next_event(), _ignore)
        self._select()
        clock = self._time.clock
        assert clock is not None  # noqa: S101 - a single probe always fits
        return TriggerInfo(
            path="keyboard",
            device=f"X display {self._name or os.environ.get('DISPLAY', '')}"
            + (f", key {self._key}" if self._key is not None else ""),
            resolution_s=clock.tick_s,
            uncertainty_s=clock.uncertainty_s,
            details={
                "stamp": "the X server's event time, as an XInput 2 raw event carries it",
                "server": f"{self._display.display.info.vendor} {self._display.display.info.release_number}",
                "server_clock_is_local_clock": clock.same,
                "server_clock_offset_s": clock.offset_s,
                "not in the uncertainty": "the key box's own delay and its USB polling, up to 8 ms at 125 Hz",
                "response_keys": [key for key in self._response_keys if key in self.keys],
                LACKING: [key for key in self._response_keys if key in self._lacking],
            },
        )

    def hear(self, emit: Emit, closing: threading.Event, listened: Listened) -> None:
        """Hand over presses until told to end."""
        hurry()
        asked_s = pylsl.local_clock()
        try:
            while not closing.is_set():
                looked_s = pylsl.local_clock()
                if not self._display.pending_events():
                    listened(looked_s)
                    select.select([self._display.fileno()], [], [], CHECK_S)
                for _ in range(self._display.pending_events()):
                    self._take(self._display.next_event(), emit)
                if pylsl.local_clock() - asked_s > _PROBE_EVERY_S:
                    asked_s = pylsl.local_clock()
                    self._ask()
            self._display.close()
        except self._gone as problem:
            raise TriggerError(
                "keyboard trigger",
                found=f"an X server that has gone ({problem})",
                expected="the display with the keyboard",
                remedy="If the session has ended, this is in order.",
            ) from problem

    def _take(self, event: Any, emit: Emit) -> None:
        from Xlib import X
        from Xlib.ext import xinput

        received_s = pylsl.local_clock()
        if event.type == _GENERIC_EVENT and event.evtype == xinput.RawKeyPress:
            _, stamp_ms, code, _ = _RAW.unpack_from(event.data)
            self._pressed(code, self._time.unwrap(stamp_ms), received_s, emit)
        elif event.type == X.PropertyNotify and self._asked_s is not None:
            self._time.add(ServerProbe(self._asked_s, received_s, self._time.unwrap(event.time)))
            self._asked_s = None
        elif event.type == X.MappingNotify:
            self._display.refresh_keyboard_mapping(event)
            self._learn_keys()

    def _pressed(self, code: int, raw_s: float, received_s: float, emit: Emit) -> None:
        clock = self._time.clock
        assert clock is not None  # noqa: S101 - measured in open
        time_s, uncertainty_s = clock.local(raw_s, received_s)
        if code in self._trigger_codes and self._key is not None:
            emit(Pulse(time_s, uncertainty_s, raw_s, received_s, self._key))
        elif code in self._buttons:
            emit(ButtonPress(self._buttons[code], time_s, uncertainty_s, received_s))

    def _learn_keys(self) -> None:
        if self._key is not None:
            self._trigger_codes = keycodes(self._display, self._key)
        codes = {
            key: (find_keycodes if key in self._elsewhere else keycodes)(self._display, key)
            for key in self._response_keys
        }
        self._lacking = frozenset(key for key, found in codes.items() if not found)
        self._buttons = {code: key for key, found in codes.items() for code in found}
        both = self._trigger_codes & self._buttons.keys()
        if both:
            raise TriggerError(
                f"response key '{self._buttons[min(both)]}'",
                found="the key that the scanner types",
                expected="another key",
                remedy="Set the button box to other keys, or correct the protocol.",
            )

    def _ask(self) -> None:
        """Let the server say its time; the answer comes as an event."""
        from Xlib import Xatom

        self._asked_s = pylsl.local_clock()
        self._window.change_property(self._atom, Xatom.INTEGER, 32, [0])
        self._display.flush()

    def _select(self) -> None:
        from Xlib.ext import xinput

        # the library asks for version 2.0, in which raw events stop while another program grabs the keyboard
        xinput.XIQueryVersion(
            display=self._display.display,
            opcode=self._display.display.get_extension_major(xinput.extname),
            major_version=2,
            minor_version=2,
        )
        root = self._display.screen().root
        root.xinput_select_events([(xinput.AllMasterDevices, xinput.RawKeyPressMask)])
        self._display.sync()


def can_hear(display: str | None = None) -> bool:
    """Return whether there is an X server that tells of keys."""
    try:
        _connect(display).close()
    except TriggerError:
        return False
    return True


def _connect(name: str | None) -> Any:
    from Xlib import display, error
    from Xlib.ext import xinput

    expected = "an X server with the keyboard that the scanner types on"
    try:
        opened = display.Display(name)
    except (error.DisplayError, error.XError, OSError) as problem:
        raise TriggerError(
            f"keyboard trigger, display {name or '$DISPLAY'}",
            found=f"no X server ({problem})",
            expected=expected,
            remedy="Set DISPLAY, or use the trigger paths 'serial' or 'lsl'.",
        ) from problem
    extensions = opened.list_extensions()
    if xinput.extname in extensions and "XWAYLAND" not in extensions:
        return opened
    opened.close()
    raise TriggerError(
        f"keyboard trigger, display {name or '$DISPLAY'}",
        found="Wayland, which tells no program of keys while another has the focus"
        if "XWAYLAND" in extensions
        else "no XInput extension",
        expected=expected,
        remedy="Log in to an X11 (Xorg) session, or use the trigger paths 'serial' or 'lsl'.",
    )


def _ignore(_event: Pulse | ButtonPress | TriggerNotice) -> None:
    """What is pressed before it listens is not meant."""
