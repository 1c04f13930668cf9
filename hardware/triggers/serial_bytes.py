"""Bytes of a serial port as pulses."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pylsl

from closedloop.errors import TriggerError
from closedloop.scan.ports import ButtonPress, Pulse, TriggerInfo
from hardware.triggers.ear import CHECK_S, Emit, Listened, hurry
from hardware.triggers.tty_delay import measure_tty_delay

_BITS = 10  # of a byte on the wire: start, eight, stop


class SerialBytesEar:
    """Blocks in the port until a byte comes, and takes the time at once.

    Args:
        port: the device.
        baud: its speed.
        byte: the one that is a pulse; None: any that is no response key.
        response_keys: single characters that are the subject's buttons; longer names are no bytes, and are
            left to the keyboard.
    """

    def __init__(self, port: str, baud: int, byte: int | None, response_keys: Sequence[str] = ()) -> None:
        self._port, self._baud, self._byte = port, baud, byte
        self._byte_s = _BITS / baud
        # where the trigger's byte is a key's as well, it is the trigger's
        self._keys = {ord(key): key for key in response_keys if len(key) == 1 and key.isascii()}
        self._keys.pop(-1 if byte is None else byte, None)
        self._uncertainty_s = 0.0

    @property
    def keys(self) -> frozenset[str]:
        """The subject's that are single characters, except one that is the pulses' byte."""
        return frozenset(self._keys.values())

    def open(self) -> TriggerInfo:
        """Open the port; what had come before is thrown away."""
        self._serial = open_port(self._port, self._baud)
        latency_s = low_latency(self._serial)
        system_s, priority = measure_tty_delay()
        self._uncertainty_s = self._byte_s + system_s + latency_s
        return TriggerInfo(
            path="serial",
            device=f"{self._port} at {self._baud} baud, byte {'any' if self._byte is None else hex(self._byte)}",
            resolution_s=1e-6,
            uncertainty_s=self._uncertainty_s,
            details={
                "stamp": "when the byte was read, less its time on the wire",
                "byte_s": self._byte_s,
                "adapter_latency_s": latency_s,
                "system_s": system_s,
                "priority": priority,
                "response_keys": list(self._keys.values()),
            },
        )

    def hear(self, emit: Emit, closing: threading.Event, listened: Listened) -> None:
        """Hand over bytes until told to end."""
        import serial

        hurry()
        try:
            while not closing.is_set():
                looked_s = pylsl.local_clock()
                if not self._serial.in_waiting:
                    listened(looked_s)
                data = self._serial.read(1)
                received_s = pylsl.local_clock()
                if data:
                    self._heard(data + self._serial.read(self._serial.in_waiting), received_s, emit)
            self._serial.close()
        except (serial.SerialException, OSError) as problem:
            raise gone(self._port, problem) from problem

    def _heard(self, data: bytes, received_s: float, emit: Emit) -> None:
        for place, value in enumerate(data):
            # several at once: the last came just now, those before it may be older than they can be told apart
            late_s = (len(data) - 1 - place) * self._byte_s
            time_s, uncertainty_s = received_s - self._byte_s - late_s, self._uncertainty_s + late_s
            if value == self._byte or (self._byte is None and value not in self._keys):
                emit(Pulse(time_s, uncertainty_s, float("nan"), received_s, f"0x{value:02x}"))
            elif value in self._keys:
                emit(ButtonPress(self._keys[value], time_s, uncertainty_s, received_s))


def open_port(port: str, baud: int) -> Any:
    """Return the open port as a ``serial.Serial`` that waits ``CHECK_S`` for a byte.

    Raises:
        TriggerError: it is not there, or may not be used.
    """
    import serial

    try:
        return serial.Serial(port, baud, timeout=CHECK_S, exclusive=True)
    except (serial.SerialException, ValueError, OSError) as problem:
        raise TriggerError(
            f"serial port {port}",
            found=str(problem),
            expected="a serial port that this program may open, and no other has open",
            remedy="See that it is plugged in and the protocol's port is right; on Linux this user must belong to "
            "the group 'dialout'.",
        ) from problem


def low_latency(port: Any) -> float:
    """Ask a USB adapter not to hold bytes back; return by how much it may do so all the same, in seconds.

    Adapters of FTDI wait 16 ms for further bytes unless told otherwise. Where the system says nothing of a
    latency (ports on the main board, other chips), 0 is returned.
    """
    # many drivers have no such mode; what holds then is read below
    with contextlib.suppress(ValueError, AttributeError, NotImplementedError, OSError):
        port.set_low_latency_mode(True)
    timer = Path("/sys/bus/usb-serial/devices", Path(str(port.port)).resolve().name, "latency_timer")
    try:
        return int(timer.read_text(encoding="ascii")) / 1000
    except (OSError, ValueError):
        return 0.0


def gone(port: str, problem: Exception) -> TriggerError:
    """Return the error for a port that went away while it was listened to."""
    return TriggerError(
        f"serial port {port}",
        found=f"a port that has gone ({problem})",
        expected="the port that was opened",
        remedy="Plug it in again and resume.",
    )
