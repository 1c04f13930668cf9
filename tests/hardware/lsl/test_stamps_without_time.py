"""Samples whose stamp is not a number: they are recorded, said, and take nothing else with them."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import numpy as np
import pylsl
import pytest

from closedloop.loop.recent import RecentSamples
from closedloop.ports import Chunk, StreamStateChange
from closedloop.protocol.models import Response
from closedloop.session import SessionReader, SessionStore
from hardware.clock import LslClock
from hardware.lsl.gaps import Continuity
from hardware.lsl.proxy import LslLink

NAN = float("nan")


def chunk(*stamps_s: float, received_s: float = 9.0) -> Chunk:
    return Chunk(
        "response", 0, 0, np.array(stamps_s), np.zeros((len(stamps_s), 1), np.float32), 0.5, 0.0, received_s
    )


@pytest.mark.parametrize(
    ("stamps_s", "span_s"),
    [((1.0, NAN), (1.5, 1.5)), ((NAN, 1.0, 3.0, 2.0), (1.5, 3.5)), ((NAN, NAN), (9.0, 9.0))],
)
def test_a_chunk_is_recorded_by_the_times_that_it_has(
    tmp_path: Path, stamps_s: tuple[float, ...], span_s: tuple[float, float]
) -> None:
    assert chunk(*stamps_s).span_s == span_s
    store = SessionStore.create(tmp_path, meta={"session": "s"}, environment={}, started_s=0.0)
    store.add_chunk(chunk(*stamps_s), 10.0)
    store.close(ended_s=11.0, exit_status="completed", reason="")
    recent = RecentSamples()
    recent.add(chunk(*stamps_s))
    with SessionReader(tmp_path) as reader:
        row = reader.table("chunks").iloc[0]
        assert (row["first_s"], row["last_s"]) == span_s
        ((_, raw_s, _),) = reader.chunk_arrays("response")
    np.testing.assert_array_equal(raw_s, stamps_s)
    times_s, _, _ = recent.between(span_s[0] - 1, span_s[1] + 1)
    np.testing.assert_array_equal(times_s, np.array(stamps_s) + 0.5)


def test_a_stamp_without_time_is_no_gap_and_hides_none() -> None:
    continuity = Continuity(1000)
    pieces = [*continuity.pieces(np.array([0.0, NAN, 0.002])), *continuity.pieces(np.array([NAN, NAN]))]
    assert pieces == [(0, 3, False), (0, 2, False)]
    assert list(continuity.pieces(np.array([NAN, 5.0]))) == [(0, 1, False), (1, 2, True)]


@pytest.fixture
def outlet() -> tuple[str, pylsl.StreamOutlet]:
    source = f"timeless-{uuid.uuid4().hex[:8]}"
    info = pylsl.StreamInfo("timeless", "rates", 1, 100.0, pylsl.cf_float32, source)
    return source, pylsl.StreamOutlet(info)


@pytest.mark.lsl
def test_they_come_in_with_the_others_and_are_told_of_once(outlet: tuple[str, pylsl.StreamOutlet]) -> None:
    source, out = outlet
    spec = Response(stream={"source_id": source}, kind="rates", expected_rate_hz=100)
    link = LslLink(spec, "s", units=[0], wait_for_stream_s=10, clock=LslClock())
    try:
        link.open()
        heard: list[object] = []
        for sample in range(100):
            out.push_sample([float(sample)], NAN if sample % 10 >= 8 else pylsl.local_clock())
            time.sleep(0.01)
            heard += link.poll()
    finally:
        link.close()
    chunks = [event for event in heard if isinstance(event, Chunk)]
    values = np.concatenate([one.values[:, 0] for one in chunks])
    np.testing.assert_array_equal(np.diff(values), 1)
    times_s = np.concatenate([one.times_s for one in chunks])
    assert np.isnan(times_s[values % 10 >= 8]).all()
    assert np.isfinite(times_s[values % 10 < 8]).all()
    told = [event.reason for event in heard if isinstance(event, StreamStateChange)]
    assert sum("not a number" in reason for reason in told) == 1
