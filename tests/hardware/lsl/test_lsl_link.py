"""What only the real link has: processes, queues and the network."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import psutil
import pylsl
import pytest

from closedloop.errors import AmbiguousStreamError, StreamMismatchError, StreamNotFoundError
from closedloop.ports import Chunk, Marker, SourceDied, StreamOverflow, StreamState, StreamStateChange
from closedloop.protocol.models import Response
from hardware.lsl.discover import list_streams
from hardware.lsl.proxy import LslLink

pytestmark = pytest.mark.lsl


def response(source_id: str, kind: str = "rates", **more: Any) -> Response:
    return Response.model_validate({"stream": {"source_id": source_id}, "kind": kind, **more})


@pytest.fixture
def source_id() -> str:
    return f"link-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def link() -> Iterator[Callable[..., LslLink]]:
    made: list[LslLink] = []

    def make(*arguments: Any, **options: Any) -> LslLink:
        made.append(LslLink(*arguments, "session-1", **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def collect(link: LslLink, seconds: float) -> list[Any]:
    events: list[Any] = []
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        events.extend(link.poll())
        time.sleep(0.01)
    return events


def of(kind: type, events: list[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_1024_channels_at_1_khz_come_in_whole(
    sender: Callable[..., Any], link: Callable[..., LslLink], source_id: str
) -> None:
    sender(source_id=source_id, channels=1024, rate_hz=1000)
    source = link(response(source_id, expected_channels=1024, expected_rate_hz=1000))
    source.open()
    chunks = of(Chunk, collect(source, 3.0))
    counter = np.concatenate([chunk.values[:, 0] for chunk in chunks])
    assert len(counter) > 2500
    np.testing.assert_array_equal(np.diff(counter), 1)


def test_a_full_queue_is_an_overflow_that_names_how_much_is_gone(
    sender: Callable[..., Any], link: Callable[..., LslLink], source_id: str
) -> None:
    sender(source_id=source_id, channels=256, rate_hz=1000)
    source = link(response(source_id), queue_bytes=500_000)
    source.open()
    time.sleep(2.0)  # about 2 MB come in meanwhile
    events = collect(source, 1.0)
    lost = of(StreamOverflow, events)
    sequence = [chunk.sequence for chunk in of(Chunk, events)]
    assert lost
    assert sum(overflow.lost_chunks for overflow in lost) == sequence[-1] + 1 - len(sequence)
    # it stands where the hole is
    place = events.index(lost[0])
    before = of(Chunk, events[:place])[-1].sequence
    after = of(Chunk, events[place:])[0].sequence
    assert after - before - 1 == lost[0].lost_chunks


def test_spikes_without_keep_alive_are_late_after_the_longest_silence(
    sender: Callable[..., Any], link: Callable[..., LslLink], source_id: str
) -> None:
    running = sender(source_id=source_id, channels=1, rate_hz=0, dtype="int32")
    source = link(
        response(source_id, "spikes", unit_count=8, liveness={"max_silence_ms": 700, "recover_ms": 0})
    )
    source.open()
    running.order("send 3")
    events = collect(source, 0.5)
    assert of(Chunk, events)[0].values.tolist() == [[3]]
    assert of(StreamStateChange, events)[-1].state is StreamState.LIVE
    assert of(StreamStateChange, collect(source, 0.5))[0].state is StreamState.LATE


def test_a_keep_alive_makes_a_hung_spike_sender_be_noticed_sooner(
    sender: Callable[..., Any], link: Callable[..., LslLink], source_id: str
) -> None:
    running = sender(source_id=source_id, channels=1, rate_hz=0, dtype="int32", keep_alive_ms=40)
    source = link(response(source_id, "spikes", liveness={"max_silence_ms": 5000, "recover_ms": 0}))
    source.open()
    assert of(StreamStateChange, collect(source, 0.5))[-1].state is StreamState.LIVE
    running.hang()
    assert StreamState.LATE in [change.state for change in of(StreamStateChange, collect(source, 0.4))]


def test_trials_may_be_silent_while_nothing_is_shown(
    sender: Callable[..., Any], link: Callable[..., LslLink], source_id: str
) -> None:
    running = sender(source_id=source_id, channels=3, rate_hz=0, dtype="float64")
    source = link(response(source_id, "trials"), units=[1])
    (info,) = source.open()
    assert info.channel_names == ("trial", "unit 0", "unit 1")
    events = collect(source, 1.0)
    assert [change.state for change in of(StreamStateChange, events)][-1] is StreamState.LIVE
    running.order("send 17 20.5 3")
    assert of(Chunk, collect(source, 0.3))[0].values.tolist() == [[17, 20.5, 3]]
    running.kill()
    assert of(StreamStateChange, collect(source, 0.4))[0].state is StreamState.LOST


def test_a_fixation_stream_is_heard_beside_the_response(
    sender: Callable[..., Any], link: Callable[..., LslLink], source_id: str
) -> None:
    sender(source_id=source_id)
    sender(source_id=source_id + "-eye", channels=1, rate_hz=100)
    source = link(response(source_id, fixation_stream={"source_id": source_id + "-eye"}))
    assert [info.role for info in source.open()] == ["response", "fixation"]
    events = collect(source, 0.8)
    for role in ("response", "fixation"):
        chunks = [chunk for chunk in of(Chunk, events) if chunk.role == role]
        assert [chunk.sequence for chunk in chunks] == list(range(len(chunks)))
        assert chunks


def test_no_stream_is_an_error_that_names_what_is_there(
    sender: Callable[..., Any], link: Callable[..., LslLink], source_id: str
) -> None:
    sender(source_id=source_id)
    with pytest.raises(StreamNotFoundError, match=source_id) as caught:
        link(response(source_id + "-other"), wait_for_stream_s=0.1).open()
    assert "closedloop-markers" not in str(caught.value)  # our own are there, but nobody means them


def test_two_streams_are_an_error_that_names_both(
    sender: Callable[..., Any], link: Callable[..., LslLink], source_id: str
) -> None:
    name = f"twin-{source_id}"
    sender(source_id=source_id + "-a", name=name)
    sender(source_id=source_id + "-b", name=name)
    ambiguous = Response.model_validate({"stream": {"name": name}, "kind": "rates"})
    with pytest.raises(AmbiguousStreamError, match=rf"{source_id}-[ab].*{source_id}-[ab].*source_id"):
        link(ambiguous).open()


def test_a_stream_of_another_form_is_refused_before_the_session(
    sender: Callable[..., Any], link: Callable[..., LslLink], source_id: str
) -> None:
    sender(source_id=source_id, channels=4)
    with pytest.raises(StreamMismatchError, match="unit 4"):
        link(response(source_id), units=[0, 4]).open()
    with pytest.raises(StreamMismatchError, match="regular"):
        link(response(source_id, "spikes")).open()


def test_a_sender_that_comes_back_with_other_channels_is_refused(
    sender: Callable[..., Any], link: Callable[..., LslLink], source_id: str
) -> None:
    first = sender(source_id=source_id, channels=4)
    source = link(response(source_id))
    source.open()
    collect(source, 0.5)
    first.kill()
    sender(source_id=source_id, channels=5)
    events = collect(source, 1.5)
    refusals = [change for change in of(StreamStateChange, events) if "refused" in change.reason]
    assert len(refusals) == 1
    assert refusals[0].state is StreamState.LOST
    assert "5" in refusals[0].reason
    assert {chunk.values.shape[1] for chunk in of(Chunk, events)} <= {4}


def test_markers_arrive_with_their_own_stamp_even_the_last(
    sender: Callable[..., Any], link: Callable[..., LslLink], source_id: str
) -> None:
    sender(source_id=source_id)
    source = link(response(source_id))
    source.open()
    found = pylsl.resolve_byprop("source_id", "closedloop-session-1", timeout=5)
    inlet = pylsl.StreamInlet(found[0], recover=False)
    assert (found[0].name(), found[0].type()) == ("closedloop-markers", "Markers")
    inlet.open_stream(timeout=5)
    received: list[tuple[list[str], float]] = []
    # a listener must be listening: what it has not pulled when the sender ends, liblsl throws away
    listener = threading.Thread(
        target=lambda: received.extend(inlet.pull_sample(timeout=5) for _ in range(2))
    )
    listener.start()
    source.send(Marker(123.5, {"event": "stimulus_on", "trial": 3, "score": float("nan")}))
    source.send(Marker(124.5, {"event": "session_end"}))
    source.close()
    listener.join()
    payloads = [json.loads(sample[0]) for sample, _ in received]
    assert [stamp for _, stamp in received] == [123.5, 124.5]
    assert payloads[0] == {"event": "stimulus_on", "session": "session-1", "trial": 3, "score": None}
    assert payloads[1] == {"event": "session_end", "session": "session-1"}


def test_its_death_is_told_with_the_signal(
    sender: Callable[..., Any], link: Callable[..., LslLink], source_id: str
) -> None:
    sender(source_id=source_id)
    source = link(response(source_id))
    source.open()
    os.kill(source.pid or 0, signal.SIGABRT)
    died = of(SourceDied, collect(source, 0.5))
    assert len(died) == 1
    assert "SIGABRT" in died[0].reason
    source.send(Marker(1.0, {"event": "session_end"}))
    assert source.markers_lost == 1


def test_a_hung_ingest_process_puts_its_streams_in_doubt(
    sender: Callable[..., Any], link: Callable[..., LslLink], source_id: str
) -> None:
    sender(source_id=source_id)
    source = link(response(source_id))
    source.open()
    collect(source, 0.6)
    os.kill(source.pid or 0, signal.SIGSTOP)
    states = [change.state for change in of(StreamStateChange, collect(source, 0.8))]
    assert states[-2:] == [StreamState.LATE, StreamState.LOST]
    os.kill(source.pid or 0, signal.SIGCONT)
    states = [change.state for change in of(StreamStateChange, collect(source, 1.5))]
    assert states[-1] is StreamState.LIVE


def test_ctrl_c_does_not_end_it_and_the_death_of_its_parent_does(
    sender: Callable[..., Any], source_id: str, wait_until: Callable[..., float]
) -> None:
    sender(source_id=source_id)
    code = (
        "import sys, time\n"
        "from closedloop.protocol.models import Response\n"
        "from hardware.lsl.proxy import LslLink\n"
        f"link = LslLink(Response(stream={{'source_id': '{source_id}'}}, kind='rates'), 's')\n"
        "link.open(); print(link.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    child.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert child.is_running()
    parent.kill()
    parent.wait()
    assert wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 2.0) < 1.0


def test_the_ingest_process_imports_neither_torch_nor_psychopy() -> None:
    code = "import sys, hardware.lsl.process; print([m for m in ('torch', 'psychopy') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_streams_are_listed_with_clock_and_age(sender: Callable[..., Any], source_id: str) -> None:
    sender(source_id=source_id)
    sender(source_id=source_id + "-trials", channels=3, rate_hz=0, dtype="float64")
    reports = {report.info.source_id: report for report in list_streams()}
    regular, irregular = reports[source_id], reports[source_id + "-trials"]
    assert (regular.info.kind, irregular.info.kind) == ("rates", "trials")
    assert abs(regular.clock_offset_s or 1) < 1e-2
    assert -0.01 < (regular.age_s or -1) < 0.5
    assert irregular.age_s is None
