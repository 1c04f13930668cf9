from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from closedloop.errors import RecordingError
from closedloop.replay.recordings import Block, Damage, LeftOut, RecordedStream
from closedloop.replay.recordings.due import Trim
from hardware.lsl.player_ahead import Ahead, Load
from hardware.lsl.player_tape import Tape, Transport


class Listed:
    """A recording out of a list of pieces for each stream; an exception in it is raised."""

    path = Path("listed")
    left_out: Sequence[LeftOut] = ()
    notes: Sequence[str] = ()
    duration_s = 1.0

    def __init__(self, *streams: Sequence[Block | Damage | Exception]) -> None:
        self._pieces = streams
        self.streams = [
            RecordedStream("", f"stream {n}", "", "", 0.0, 1, "int32", 0.0, 1.0) for n in range(len(streams))
        ]

    def blocks(self, stream: int, since_s: float = 0.0) -> Iterator[Block | Damage]:
        trim = Trim(since_s)
        for piece in self._pieces[stream]:
            if isinstance(piece, Exception):
                raise piece
            kept = piece if isinstance(piece, Damage) else trim(piece)
            if kept is not None:
                yield kept


def _block(*times_s: float) -> Block:
    return Block(np.array(times_s), np.arange(len(times_s), dtype=np.int32)[:, None])


def _take(ahead: Ahead, stream: int) -> Load:
    until_s = time.monotonic() + 5
    while (load := ahead.take(stream)) is None:
        assert time.monotonic() < until_s
        time.sleep(0.001)
    return load


def test_the_tape_of_a_loop_goes_on_where_a_pass_ends() -> None:
    tape = Tape(duration_s=10.0, gap_s=0.5, loop=True)
    assert tape.place(9.0) == (0, 9.0)
    assert tape.place(10.2) == (0, 10.0)
    assert tape.place(21.5) == (2, 0.5)
    assert tape.moved(12.0, 3.0) == 15.0
    assert tape.moved(12.0, -5.0) == 10.5  # not back into the pass before
    assert tape.moved(12.0, 100.0) == 20.5
    assert Tape(10.0, 0.5, loop=False).place(42.0) == (0, 10.0)


def test_stamps_follow_speed_pause_and_jumps() -> None:
    transport = Transport(speed=4.0, tape_s=2.0)
    assert not transport.moves(100.0)
    transport.start(100.0)
    assert not transport.moves(99.9)
    assert transport.tape_at(101.0) == 6.0
    assert transport.offset_s + 6.0 / 4.0 == 101.0
    transport.stop(101.5)
    assert transport.tape_at(200.0) == 8.0
    transport.start(300.0)
    assert transport.offset_s + 12.0 / 4.0 == 301.0
    transport.stop(301.0)
    transport.jump(0.0)
    transport.start(400.0)
    assert transport.tape_at(400.25) == 1.0


def test_blocks_of_a_loop_come_pass_after_pass() -> None:
    ahead = Ahead(Listed([_block(0.0, 0.5, 1.0)]), Tape(1.0, 0.5, loop=True), 0.25, 10.0, print)
    try:
        taken = [_take(ahead, 0).times_s.tolist() for _ in range(3)]
    finally:
        ahead.close()
    assert taken == [[0.5, 1.0], [1.5, 2.0, 2.5], [3.0, 3.5, 4.0]]


def test_samples_stamped_backwards_are_due_with_the_ones_before_them() -> None:
    pieces = [_block(0.0, 0.4, 0.3), _block(0.35, 0.6)]
    ahead = Ahead(Listed(pieces), Tape(1.0, 0.5, loop=False), 0.0, 10.0, print)
    try:
        first, second = _take(ahead, 0), _take(ahead, 0)
    finally:
        ahead.close()
    assert first.due_s.tolist() == [0.0, 0.4, 0.4]
    assert first.times_s.tolist() == [0.0, 0.4, 0.3]
    assert second.due_s.tolist() == [0.4, 0.6]


def test_reading_goes_no_further_ahead_than_asked() -> None:
    blocks = [_block(float(second)) for second in range(1000)]
    ahead = Ahead(Listed(blocks), Tape(1000.0, 1.0, loop=False), 0.0, 5.0, print)
    try:
        assert ahead.wait_ready(5.0)
        held = 0
        while ahead.take(0) is not None:
            held += 1
        assert 5 <= held <= 7
        ahead.reached(500.0)
        assert ahead.wait_ready(5.0)
        while (load := ahead.take(0)) is not None:
            newest_s = load.times_s[-1]
        assert 505 <= newest_s <= 507
    finally:
        ahead.close()


def test_damage_is_told_and_what_follows_is_read() -> None:
    told: list[Damage] = []
    damage = Damage("chunk 1", "broken")
    ahead = Ahead(
        Listed([_block(0.0), damage, _block(0.5)]), Tape(1.0, 0.5, loop=False), 0.0, 10.0, told.append
    )
    try:
        assert [_take(ahead, 0).times_s[0] for _ in range(2)] == [0.0, 0.5]
        assert ahead.wait_ready(5.0)
        assert ahead.ended(0)
    finally:
        ahead.close()
    assert told == [damage]


def test_an_error_of_the_recording_comes_after_what_was_read_before_it() -> None:
    error = RecordingError("file", found="nothing more", expected="more", remedy="None.")
    ahead = Ahead(Listed([_block(0.0), error]), Tape(1.0, 0.5, loop=False), 0.0, 10.0, print)
    try:
        assert ahead.wait_ready(5.0)
        assert ahead.take(0) is not None
        with pytest.raises(RecordingError, match="nothing more"):
            ahead.take(0)
        assert not ahead.ended(0)
    finally:
        ahead.close()
