"""Evolutions in a simulated scanner, at their full length, in virtual time: the same loop as at a rig."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pynwb import NWBHDF5IO
from simulated_session import prepare, resume

from closedloop.exports.bids import write_events
from closedloop.exports.export import export_nwb
from closedloop.loop.commands import Command, CommandKind
from closedloop.ports import Pixels
from closedloop.protocol.sections.volumes import PERCENT_UNIT, PIPELINE_UNIT
from closedloop.replay.recorded import read_recorded
from closedloop.replay.summary import summarise
from closedloop.replay.verification import verify
from closedloop.session import SessionReader
from experiments.replay_verify import rebuild_threads
from hardware.clock import VirtualClock

VOLUMES = (
    "{tr_s: 2, window: {start: 2, end: 3}, baseline: {start: -0.5, end: 0.5}, percent_signal_change: true}"
)
SCANNER = (
    "presentation={on_ms: 2000, off_ms: 10000}",
    f"response={{stream: {{source_id: simulated}}, kind: rates, volumes: {VOLUMES}}}",
    "threads.0.optimizer.parameters={population: 18, n_conserve: 4}",
    "limits={generations: 15, max_repeats: 2}",
)


class CoarseClock(VirtualClock):
    """Makes long strides while nothing happens, so that an hour's session takes a second or two."""

    def sleep(self, seconds: float) -> None:
        super().sleep(max(seconds, 0.25))


def drive(trial: int, image: Pixels) -> np.ndarray:
    """A region that likes bright pictures: some 40 spikes/s at first, and up to 300."""
    return np.array([np.clip(5 * (image.mean() / 2.55 - 42), 0, 300)])


def shuffled() -> Callable[[int, Pixels], np.ndarray]:
    """The same, but it answers to the picture before: what it likes is not what it is shown."""
    before = [np.array([40.0])]

    def answer(trial: int, image: Pixels) -> np.ndarray:
        before.append(drive(trial, image))
        return before.pop(0)

    return answer


def liked(folder: Path) -> np.ndarray:
    """By how much the pictures of each generation drive the region in truth, without noise."""
    with SessionReader(folder) as reader:
        images = reader.table("images")
        evolved = images[images.kind == "evolved"]
        drives = [drive(0, reader.pixels(int(image)))[0] for image in evolved.image]
        return np.asarray(evolved.assign(drive=drives).groupby("generation").drive.mean())


def in_scanner(folder: Path, *overrides: str, respond=drive):
    return prepare(folder, *SCANNER, *overrides, respond=respond, poisson=True, clock=CoarseClock(1000.0))


@pytest.fixture(scope="module")
def evolved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    session = in_scanner(tmp_path_factory.mktemp("region") / "one")
    assert session.run().exit_status == "completed"
    return session.folder


def assert_follows_from_its_record(folder: Path) -> None:
    with SessionReader(folder) as reader:
        recorded = read_recorded(reader)
        threads, _ = rebuild_threads(recorded)
        found = verify(recorded, threads)
    assert found.differences == []


# Of six seeds, all rose by 2.6 or more, and no shuffled one kept more than 0.71 of its start.
def test_it_rises_over_an_hour_of_noise_and_drift(evolved: Path) -> None:
    means = liked(evolved)
    assert len(means) == 15
    assert means[-2:].mean() > 2 * means[0]
    with SessionReader(evolved) as reader:
        trials = reader.table("trials")
        values = reader.table("responses").value
    steps = np.diff(trials.onset_s)
    assert (trials.status == "valid").all()
    assert steps.sum() > 55 * 60
    assert np.median(steps) == pytest.approx(12.0, abs=0.02)
    # the last answer of a generation is waited for, and comes within a volume or two after its trial
    assert steps.max() < 16.0
    # in percent of the baseline: what the scanner's units are plays no part
    assert abs(np.median(values)) < 5
    assert_follows_from_its_record(evolved)


def test_what_is_written_of_it_says_percent_and_never_spikes(evolved: Path, tmp_path: Path) -> None:
    with SessionReader(evolved) as reader:
        write_events(reader, tmp_path)
        said = "\n".join(f"{name} {text}" for name, text in summarise(reader).lines)
    sidecar = json.loads((tmp_path / "events.json").read_text(encoding="utf-8"))
    assert sidecar["value"]["Units"] == PERCENT_UNIT
    assert PERCENT_UNIT in said
    with NWBHDF5IO(export_nwb(evolved, tmp_path), "r") as file:
        nwb = file.read()
        told = [nwb.acquisition["responses"].description, nwb.trials["value"].description]
        told.append(nwb.processing["evolution"]["scores"]["mean"].description)
    assert PIPELINE_UNIT in told[0]
    assert PERCENT_UNIT in told[1]
    assert "spikes" not in "".join([*told, said])


def test_with_shuffled_answers_it_does_not_rise(tmp_path: Path) -> None:
    session = in_scanner(tmp_path / "shuffled", "limits.generations=10", respond=shuffled())
    assert session.run().exit_status == "completed"
    means = liked(session.folder)
    assert means[-2:].mean() < 1.2 * means[0]


def test_one_that_was_aborted_goes_on_and_rises(tmp_path: Path) -> None:
    session = in_scanner(tmp_path / "one", "limits.generations=9")
    session.operator.script = lambda: (
        (Command(CommandKind.ABORT, session.clock.now(), "keyboard"),) if session.clock.now() > 2000.0 else ()
    )
    assert session.run().exit_status == "aborted"
    # another visit to the scanner: other noise, another level, and the same loop
    again = resume(session.folder, respond=drive, poisson=True, clock=CoarseClock(9000.0))
    assert again.run().exit_status == "completed"
    means = liked(session.folder)
    assert len(means) == 9
    assert means[-2:].mean() > 1.6 * means[0]
    assert_follows_from_its_record(session.folder)


@pytest.mark.parametrize(
    "changes",
    [
        (
            "response.kind=trials",
            "response.volumes.baseline=null",
            "response.volumes.percent_signal_change=false",
        ),
        ("response.volumes.stamped=start",),
        ("response.volumes.delay_s=7",),
    ],
    ids=["trials", "stamped at the start", "a slow pipeline"],
)
def test_other_pipelines_are_heard_as_well(tmp_path: Path, changes: tuple[str, ...]) -> None:
    session = in_scanner(tmp_path / "one", *changes, "limits.generations=2")
    assert session.run().exit_status == "completed"
    with SessionReader(session.folder) as reader:
        trials = reader.table("trials")
    assert (trials.status == "valid").all()
    assert_follows_from_its_record(session.folder)


def test_where_a_sample_is_stamped_makes_no_difference_to_what_it_says(tmp_path: Path) -> None:
    values = []
    for stamped in ("end", "start"):
        session = in_scanner(
            tmp_path / stamped, f"response.volumes.stamped={stamped}", "limits.generations=1"
        )
        session.run()
        with SessionReader(session.folder) as reader:
            values.append(reader.table("responses").value.to_numpy())
    np.testing.assert_allclose(values[0], values[1], rtol=1e-9)


def test_a_pipeline_that_stops_for_a_while_holds_the_trials_up_and_spoils_none_unnoticed(
    tmp_path: Path,
) -> None:
    session = in_scanner(tmp_path / "one", "limits.generations=1")
    at_s = [1100.0]

    def script() -> tuple[Command, ...]:
        if at_s and session.clock.now() >= at_s[0]:
            at_s.pop()
            session.rig.source.gap(25.0)
        return ()

    session.operator.script = script
    assert session.run().exit_status == "completed"
    with SessionReader(session.folder) as reader:
        trials = reader.table("trials")
    spoilt = trials[trials.status == "invalid"]
    assert 1 <= len(spoilt) <= 3
    assert set(spoilt.reason) <= {"not-covered", "stream-in-doubt"}
    assert (trials.status == "valid").sum() == 20
    # while it is LATE nothing further is shown
    assert np.diff(trials.onset_s).max() > 13.0
