"""Selection, contract, gaps, configuration and the text of markers: everything without a stream."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from closedloop.errors import AmbiguousStreamError, StreamError, StreamMismatchError, StreamNotFoundError
from closedloop.ports import Marker, StreamInfo
from closedloop.protocol.models import Response, StreamSelection
from hardware.lsl.config import config_text, use_config
from hardware.lsl.contract import check_fixation, check_response, check_same
from hardware.lsl.gaps import Continuity
from hardware.lsl.markers import payload_text
from hardware.lsl.selection import select

RATES = StreamInfo(
    "response", "rates", "probe", "rates", "rig-1", 1000.0, 4, "float32", ("a", "b", "c", "d"), "host"
)
SPIKES = replace(RATES, kind="spikes", nominal_hz=0.0, channels=1, dtype="int32", channel_names=("unit",))
TRIALS = replace(RATES, kind="trials", nominal_hz=0.0, channels=3, channel_names=("trial", "a", "b"))


def response(kind: str, **more: Any) -> Response:
    return Response.model_validate({"stream": {"source_id": "rig-1"}, "kind": kind, **more})


def test_every_key_of_a_selection_must_fit() -> None:
    other = replace(RATES, source_id="rig-2", uid="2")
    assert select("response", StreamSelection(name="probe", source_id="rig-2"), [RATES, other]) is other
    with pytest.raises(AmbiguousStreamError, match=r"rig-1.*rig-2"):
        select("response", StreamSelection(name="probe"), [RATES, other])
    with pytest.raises(StreamNotFoundError, match=r"rig-1.*rig-2"):
        select("response", StreamSelection(name="probe", type="eeg"), [RATES, other])
    with pytest.raises(StreamNotFoundError, match="no stream at all"):
        select("response", StreamSelection(name="probe"), [])


@pytest.mark.parametrize("info", [RATES, replace(RATES, kind="counts", dtype="int16"), SPIKES, TRIALS])
def test_a_stream_as_the_contract_says_is_taken(info: StreamInfo) -> None:
    check_response(info, response(info.kind), units=[0])


@pytest.mark.parametrize(
    ("info", "more", "units", "said"),
    [
        (replace(RATES, nominal_hz=0.0), {}, [0], "irregular"),
        (replace(RATES, kind="counts", nominal_hz=0.0), {}, [0], "irregular"),
        (replace(RATES, dtype="string"), {}, [0], "string"),
        (replace(SPIKES, nominal_hz=30000.0), {}, [0], "30000"),
        (replace(SPIKES, channels=2), {}, [0], "one channel of int32"),
        (replace(SPIKES, dtype="float32"), {}, [0], "one channel of int32"),
        (SPIKES, {"unit_count": 32}, [0, 32], "unit 32"),
        (replace(TRIALS, nominal_hz=10.0), {}, [0], "10 Hz"),
        (replace(TRIALS, channels=1), {}, [0], "trial's number"),
        (TRIALS, {}, [2], "unit 2"),
        (RATES, {}, [4], "unit 4"),
        (RATES, {"expected_channels": 8}, [0], "8 channels"),
        (RATES, {"expected_rate_hz": 500}, [0], "500 Hz"),
        (TRIALS, {"expected_rate_hz": 500}, [0], "500 Hz"),
    ],
)
def test_what_breaks_the_contract_is_refused(
    info: StreamInfo, more: dict[str, Any], units: list[int], said: str
) -> None:
    with pytest.raises(StreamMismatchError, match=said):
        check_response(info, response(info.kind, **more), units)


def test_a_fixation_stream_has_one_numeric_channel() -> None:
    eye = replace(RATES, role="fixation", kind="fixation", channels=1)
    check_fixation(eye)
    for wrong in (replace(eye, channels=2), replace(eye, dtype="string")):
        with pytest.raises(StreamMismatchError):
            check_fixation(wrong)


@pytest.mark.parametrize(
    "change",
    [{"channels": 5}, {"dtype": "float64"}, {"nominal_hz": 500.0}, {"channel_names": ("a", "b", "d", "c")}],
)
def test_a_restarted_stream_must_be_the_same(change: dict[str, Any]) -> None:
    check_same(replace(RATES, uid="another", hostname="another"), RATES)
    with pytest.raises(StreamMismatchError, match="restart"):
        check_same(replace(RATES, **change), RATES)


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=8),
    st.lists(st.floats(0.2, 50) | st.floats(-50, -0.2), max_size=5),
    st.data(),
)
def test_gaps_are_found_wherever_chunks_are_cut(
    lengths: list[int], jumps_s: list[float], data: st.DataObject
) -> None:
    steps_s = np.full(sum(lengths), 1e-3)
    at = data.draw(
        st.lists(
            st.integers(1, len(steps_s)), min_size=len(jumps_s), max_size=len(jumps_s), unique=True
        ).filter(lambda places: all(place < len(steps_s) for place in places))
        if len(steps_s) > len(jumps_s) + 1
        else st.just([])
    )
    for place, jump_s in zip(at, jumps_s, strict=False):
        steps_s[place] = jump_s
    stamps_s = 100 + np.cumsum(steps_s)
    continuity = Continuity(nominal_hz=1000)
    found, done = [], 0
    for length in lengths:
        for start, stop, gap in continuity.pieces(stamps_s[done : done + length]):
            assert stop > start
            found += [done + start] if gap else []
        done += length
    assert found == sorted(at)


def test_jitter_and_slow_streams_are_no_gaps() -> None:
    assert not any(gap for _, _, gap in Continuity(1000).pieces(np.array([0.0, 0.05, 0.051, 0.02])))
    assert not any(gap for _, _, gap in Continuity(5).pieces(np.array([0.0, 0.2, 0.8])))
    assert not any(gap for _, _, gap in Continuity(0).pieces(np.array([0.0, 100.0])))


def test_a_marker_is_json_in_any_case() -> None:
    text = payload_text(
        Marker(1.0, {"event": "x", "a": [float("inf"), 1], "b": {"c": float("nan")}, "p": Path("q")}), "s-1"
    )
    assert json.loads(text) == {
        "event": "x",
        "session": "s-1",
        "a": [None, 1],
        "b": {"c": None},
        "p": "q",
    }


def test_a_configuration_names_session_and_scope(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSLAPICFG", "before")
    path = tmp_path / "lsl.cfg"
    use_config(path, "rig-7", "site", ["recorder.lab"])
    text = path.read_text(encoding="utf-8")
    assert "SessionID = rig-7\n" in text
    assert "KnownPeers = {recorder.lab}\n" in text
    assert "ResolveScope = site\n" in text
    assert "TTLOverride = 0\n" in config_text("rig-7", "machine")
    with pytest.raises(StreamError, match="session id"):
        config_text("rig\n[ports]")


def test_a_stream_of_volumes_must_have_the_rate_of_the_tr() -> None:
    volumes = replace(RATES, nominal_hz=0.5)
    spec = response("rates", volumes={"tr_s": 2.0})
    check_response(volumes, spec)
    with pytest.raises(StreamMismatchError, match=r"1 Hz.*0.5 Hz.*response.volumes.tr_s"):
        check_response(replace(volumes, nominal_hz=1.0), spec)
    with pytest.raises(StreamMismatchError, match="irregular"):
        check_response(replace(volumes, nominal_hz=0.0), spec)
