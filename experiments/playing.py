"""Runs whatever plays over LSL, while a person looks on and has keys."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from experiments.terminal import typed_keys

if TYPE_CHECKING:
    from experiments.playback_display import PlaybackDisplay
    from hardware.lsl.player_records import PlayStatus

_UPDATE_S = 0.25
_KEYS_S = 0.05
# A thread that wants to run waits that long for another Python thread: the default of 5 ms would be seen in
# the samples while the display is drawn.
_SWITCH_S = 0.0005


class Plays(Protocol):
    """What plays: ``play`` in a thread of its own, the rest from outside of it."""

    def play(self) -> None:
        """Play to the end (blocks)."""
        ...

    def stop(self) -> None:
        """End playing."""
        ...

    def status(self) -> PlayStatus:
        """Return how it goes."""
        ...


def attend_playing(
    player: Plays, display: PlaybackDisplay, orders: Mapping[str, Callable[[], object]]
) -> None:
    """Play to the end (blocks); hear keys and show how it goes.

    Args:
        player: what plays.
        display: where to show it.
        orders: what each key does.

    Raises:
        ClosedLoopError: whatever ended the playing early.
    """
    failed: list[Exception] = []

    def work() -> None:
        try:
            player.play()
        except Exception as error:  # noqa: BLE001 - handed over: raised below, in the thread that people see
            failed.append(error)

    # what is there now is not garbage: a look through all of it would take longer than a sample may wait
    gc.collect()
    gc.freeze()
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    thread = threading.Thread(target=work, name="player", daemon=True)
    thread.start()
    try:
        _attend(player, display, orders, thread)
    finally:
        player.stop()
        thread.join()
        sys.setswitchinterval(before)
        gc.unfreeze()
        display.update(player.status())
    if failed:
        raise failed[0]


def _attend(
    player: Plays,
    display: PlaybackDisplay,
    orders: Mapping[str, Callable[[], object]],
    thread: threading.Thread,
) -> None:
    shown_s = float("-inf")
    with typed_keys(arrows=True) as read:
        while thread.is_alive():
            for key in read():
                order = orders.get(key.lower())
                if order is not None:
                    order()
            if time.monotonic() - shown_s >= _UPDATE_S:
                shown_s = time.monotonic()
                display.update(player.status())
            thread.join(_KEYS_S)
