"""What can be asked of ``--rescore``, and what is said to what can't."""

from __future__ import annotations

import pytest

from closedloop.errors import ProtocolError
from closedloop.protocol.models import Protocol
from closedloop.replay.rescoring import with_settings


def protocol(kind: str = "rates", threads: int = 1) -> Protocol:
    return Protocol.model_validate(
        {
            "subject": {"id": "tester"},
            "seed": 1,
            "threads": [{"name": f"t{i}", "units": {"units": (i,)}} for i in range(threads)],
            "response": {"stream": {"source_id": "x"}, "kind": kind, "expected_channels": 6},
            "references": {"random_codes": 2, "per_generation": 2},
        }
    )


def test_nothing_asked_for_changes_nothing() -> None:
    assert with_settings(protocol(), []) == protocol()


def test_response_keys_with_and_without_their_section() -> None:
    for prefix in ("", "response."):
        changed = with_settings(
            protocol(),
            [f"{prefix}window.start_ms=70", f"{prefix}normalise=divide", f"{prefix}subtract_baseline=true"],
        )
        assert (changed.response.window.start_ms, changed.response.window.end_ms) == (70, 200)
        assert changed.response.normalise == "divide"
        assert changed.response.subtract_baseline


def test_units_hold_for_every_thread_or_for_one() -> None:
    both = with_settings(protocol(threads=2), ["units=[3, 4]", "combine=mean"])
    assert [thread.units.units for thread in both.threads] == [(3, 4), (3, 4)]
    one = with_settings(protocol(threads=2), ["threads.t1.units.units=[5]"])
    assert [thread.units.units for thread in one.threads] == [(0,), (5,)]
    weighted = with_settings(protocol(), ["units=[1,2]", "combine=weights", "units.weights=[1,-1]"])
    assert weighted.threads[0].units.weights == (1, -1)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("windw.start_ms=70", "Did you mean 'window'"),
        ("window.strt_ms=70", "Did you mean 'start_ms'"),
        ("window=70", "window"),
        ("window.start_ms=300", "after the window's start"),
        ("window.start_ms", "no equals sign"),
        ("units=[1,2]", "exactly one, as combine is 'one'"),
        ("units=[9]", "9"),
        ("combine=median", "combine"),
        ("normalise=maybe", "normalise"),
        ("repeats=3", "the key 'repeats'"),
        ("kind=spikes", "the key 'kind'"),
        ("seed=3", "the key 'seed'"),
        ("threads.nobody.units.units=[1]", "nobody"),
    ],
)
def test_what_can_not_be_done_is_said_once_and_named(setting: str, says: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        with_settings(protocol(threads=2), [setting])
    text = str(caught.value)
    assert says in text
    assert f"--rescore {setting}" in text
    assert "--set" not in text


def test_windows_of_a_sender_that_measures_itself_can_not_be_moved() -> None:
    base = protocol("trials").model_copy(
        update={"response": protocol("trials").response.model_copy(update={"baseline": None})}
    )
    with pytest.raises(ProtocolError, match="the sender's affair"):
        with_settings(base, ["window.start_ms=70"])
    assert with_settings(base, ["units=[2]"]).threads[0].units.units == (2,)
