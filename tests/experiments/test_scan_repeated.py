"""Completed runs of a session that was closed are made again by a resume; the earlier attempt counts until then."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cut_session
import pytest
from salvaged_session import saved
from simulated_scan import SHORT, prepare_scan, resume_simulated
from simulated_session import prepare

from closedloop.exports.scan_bids import write_scan_bids
from closedloop.loop.commands import Command, CommandKind
from closedloop.replay.scan_summary import scan_lines
from closedloop.report.material import read_material
from closedloop.report.page import render
from closedloop.scan.past import ScanPast
from closedloop.scan.recorded import RecordedScan, read_scans, scan_protocol_of
from closedloop.session import SessionReader
from experiments.cli import main
from experiments.environment import environment
from experiments.replay_verify import verify_session
from experiments.scan_resume import read_scan_session, resume_scan

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished session with two runs."""
    one = prepare_scan(tmp_path_factory.mktemp("repeated") / "one", *SHORT)
    assert one.run().exit_status == "completed"
    return one.folder


@pytest.fixture
def folder(session: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(session, tmp_path / "one"))


def attempts(folder: Path) -> list[tuple[str, int, str | None]]:
    return [(scan.label, scan.attempt, scan.status) for scan in scans_of(folder)]


def scans_of(folder: Path) -> list[RecordedScan]:
    with SessionReader(folder) as reader:
        return read_scans(reader, scan_protocol_of(reader))


def exported(folder: Path, to: Path) -> set[str]:
    with SessionReader(folder) as reader:
        written = write_scan_bids(reader, to)
    return {path.name.split("_task-scan_")[1] for path in written if path.name.endswith("events.tsv")}


def page_of(folder: Path) -> str:
    with SessionReader(folder) as reader:
        return render(read_material(reader))


def summary_of(folder: Path) -> dict[str, str]:
    with SessionReader(folder) as reader:
        return dict(scan_lines(reader))


def wishes(folder: Path, key: str = "repeat") -> list[Any]:
    """What each resume of a session was to make again, as recorded."""
    with SessionReader(folder) as reader:
        kinds, details = reader.table("events")["kind"], reader.details("events", "detail")
    return [detail.get(key) for kind, detail in zip(kinds, details, strict=True) if kind == "resumed"]


def heard(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_a_completed_run_is_made_again_and_supersedes_the_attempt_before(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resumed = resume_simulated(folder, repeat=["2"])
    assert "run 2 is to be made again. Its earlier attempt stays in the file" in heard(capsys)
    outcome = resumed.run()
    assert (outcome.exit_status, outcome.reason) == ("completed", "all 2 runs were completed")
    assert attempts(folder) == [("1", 0, "completed"), ("2", 0, "completed"), ("2", 1, "completed")]
    first, again = (scan.events for scan in scans_of(folder)[1:])
    assert first["planned_s"].tolist() == again["planned_s"].tolist()
    assert first["image"].tolist() == again["image"].tolist()
    assert verify_session(folder).first is None
    assert exported(folder, tmp_path / "bids") == {
        "run-1_events.tsv",
        "acq-superseded1_run-2_events.tsv",
        "run-2_events.tsv",
    }
    page = page_of(folder)
    assert "Run 2, attempt 1 (does not count)" in page
    assert "Of 2 attempts, attempt 2 counts." in page
    assert wishes(folder) == [["2"]]
    # the wish is fulfilled
    resume_scan(folder)
    assert "nothing to do: all runs were completed" in heard(capsys)
    assert len(attempts(folder)) == 3


def test_what_is_made_is_in_the_order_of_the_protocol_with_runs_that_are_not_completed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resumed = resume_simulated(folder, "runs.count=3", repeat=["3", "2", "1", "2"])
    assert "run 3 is not completed yet: it is made in any case" in heard(capsys)
    outcome = resumed.run()
    assert (outcome.exit_status, outcome.reason) == ("completed", "all 3 runs were completed")
    assert resumed.armed == ["1", "2", "3"]
    assert wishes(folder) == [["1", "2"]]
    assert verify_session(folder).first is None


def test_a_run_is_repeated_as_often_as_one_asks(folder: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert resume_simulated(folder, repeat=["2"]).run().exit_status == "completed"
    assert [attempt for label, attempt, _ in attempts(folder) if label == "2"] == [0, 1, 2]
    assert exported(folder, tmp_path / "bids") == {
        "run-1_events.tsv",
        "acq-superseded1_run-2_events.tsv",
        "acq-superseded2_run-2_events.tsv",
        "run-2_events.tsv",
    }
    assert "Of 3 attempts, attempt 3 counts." in page_of(folder)


def killed_in_the_repeat(folder: Path) -> None:
    environment()  # so that its imports are there before the fork
    child = os.fork()
    if not child:
        session = resume_simulated(folder, repeat=["1"])

        def killed_later() -> Sequence[Command]:
            if session.clock.now() > 1002.5:  # two pulses have come, the first at 1000.5 s
                os.kill(os.getpid(), signal.SIGKILL)
            return ()

        session.operator.script = killed_later
        session.run()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


@forks
def test_a_repeat_that_was_killed_leaves_the_earlier_attempt_and_is_made_by_the_next_resume(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killed_in_the_repeat(folder)
    assert attempts(folder)[-1] == ("1", 1, None)
    assert exported(folder, tmp_path / "before") == {
        "run-1_events.tsv",
        "run-2_events.tsv",
        "acq-aborted1_run-1_events.tsv",
    }
    assert "Of 2 attempts, attempt 1 counts." in page_of(folder)
    assert read_scan_session(folder).past.words == "run 1, 2 completed, 1 cut off, run 1 to be made again"
    assert summary_of(folder)["to be made again"] == "run 1 (attempt 1 counts until then)"
    assert "Still to be made again: run 1 (attempt 1 counts until then)." in page_of(folder)
    capsys.readouterr()
    resumed = resume_simulated(folder)
    assert (
        "run 1 was to be made again and has not been since: it still is. Its earlier attempt counts until then"
        in heard(capsys)
    )
    assert resumed.run().exit_status == "completed"
    assert resumed.armed == ["1"]
    assert attempts(folder)[2:] == [("1", 1, "failed"), ("1", 2, "completed")]
    assert wishes(folder) == [["1"], ["1"]]
    assert exported(folder, tmp_path / "after") == {
        "run-1_events.tsv",
        "run-2_events.tsv",
        "acq-superseded1_run-1_events.tsv",
        "acq-aborted1_run-1_events.tsv",
    }
    assert verify_session(folder).first is None
    assert read_scan_session(folder).past.repeat == frozenset()
    assert "to be made again" not in summary_of(folder)
    assert "Still to be made again" not in page_of(folder)


def test_a_repeat_that_is_aborted_is_no_run_that_lacks_and_stays_wanted(folder: Path) -> None:
    resumed = resume_simulated(folder, repeat=["1", "2"])
    resumed.at_console((2.0, CommandKind.ABORT), (4.0, CommandKind.GO), (15.0, CommandKind.END))
    outcome = resumed.run()
    assert resumed.armed == ["1", "2"]
    assert outcome.exit_status == "stopped"
    assert outcome.reason == (
        "ended by the person at the console (terminal); not made again: run 1 (its earlier attempt counts)"
    )
    assert outcome.incomplete == ("1",)
    assert read_scan_session(folder).past.repeat == {"1"}
    again = resume_simulated(folder)
    assert again.run().exit_status == "completed"
    assert again.armed == ["1"]


def aborted(folder: Path, *repeat: str) -> str:
    """Abort each of the repeats of a session; return how it ended."""
    resumed = resume_simulated(folder, repeat=repeat)
    wishes = [
        wish
        for place in range(len(repeat))
        for wish in ((5.0 * place + 2.0, CommandKind.ABORT), (5.0 * place + 5.0, CommandKind.GO))
    ]
    resumed.at_console(*wishes, (60.0, CommandKind.END))  # so that it ends if those came to nothing
    outcome = resumed.run()
    assert (outcome.exit_status, outcome.incomplete) == ("stopped", tuple(repeat))
    return outcome.reason


def test_what_became_of_the_last_attempt_is_said_of_that_run_alone(folder: Path) -> None:
    assert aborted(folder, "1", "2") == (
        "not made again: run 1, 2 (their earlier attempts count);"
        " run 2, armed last, was aborted by the person at the console (terminal)"
    )


def test_a_wish_is_taken_back_and_the_session_is_complete_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aborted(folder, "2")
    before = len(attempts(folder))
    capsys.readouterr()
    assert main(["resume", str(folder), "--no-repeat", "2"]) == 0
    said = heard(capsys)
    assert "run 2 was to be made again and is not to be any more: its earlier attempt counts" in said
    assert "nothing to do: all runs were completed" in said
    assert len(attempts(folder)) == before
    with SessionReader(folder) as reader:
        assert reader.table("runs")["exit_status"].tolist()[-1] == "completed"
    assert wishes(folder, "repeat_taken_back") == [None, ["2"]]
    assert read_scan_session(folder).past.words == "run 1, 2 completed"
    # and can be had again
    again = resume_simulated(folder, repeat=["2"])
    assert again.run().exit_status == "completed"
    assert again.armed == ["2"]
    assert verify_session(folder).first is None


def test_one_of_two_wishes_is_taken_back_and_the_other_stays(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aborted(folder, "1", "2")
    resumed = resume_simulated(folder, no_repeat=["1"])
    assert "(to leave it at that: --no-repeat 2)" in heard(capsys)
    resumed.at_console((2.0, CommandKind.ABORT), (4.0, CommandKind.GO))
    resumed.run()
    assert resumed.armed == ["2"]
    assert read_scan_session(folder).past.repeat == {"2"}


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--no-repeat", "1"], "found run 1, which is not to be made again expected a run that is: 2"),
        (["--repeat", "2", "--no-repeat", "2"], "found run 2, which --repeat names, too"),
    ],
)
def test_a_wish_that_there_is_not_can_not_be_taken_back(
    folder: Path, options: list[str], found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    aborted(folder, "2")
    capsys.readouterr()
    assert main(["resume", str(folder), *options]) == 7
    assert found in heard(capsys)
    assert len(wishes(folder)) == 1


def test_a_wish_for_a_run_that_the_protocol_has_no_more_is_dropped_with_a_word(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aborted(folder, "2")
    capsys.readouterr()
    resume_scan(folder, overrides=("runs.count=1",))
    said = heard(capsys)
    assert "run 2 was to be made again and is not to be any more: the protocol has no such run now" in said
    assert wishes(folder, "repeat_taken_back")[-1] == ["2"]
    assert read_scan_session(folder).past.repeat == frozenset()


def test_the_same_command_once_more_says_that_the_run_was_made_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resume_simulated(folder, repeat=["1"]).run()
    capsys.readouterr()
    resume_simulated(folder, repeat=["1", "2"])
    said = heard(capsys)
    assert re.search(
        r"run 1 was made again already, at \d\d:\d\d UTC on \d{4}-\d\d-\d\d, and is to be made again", said
    )
    assert "run 2 is to be made again" in said


def test_runs_are_named_in_the_order_of_the_protocol() -> None:
    labels = [str(number) for number in range(1, 12)]
    past = ScanPast(
        completed=frozenset({"10", "2", "1", "lost0"}), repeat=frozenset({"10", "2"}), order=labels
    )
    assert past.words == "run 1, 2, 10, lost0 completed, run 2, 10 to be made again"


def test_the_next_attempt_has_a_number_of_its_own_where_a_salvage_lost_the_first(
    folder: Path, tmp_path: Path
) -> None:
    resume_simulated(folder, repeat=["2"]).run()
    rest = saved(folder, tmp_path / "saved", "DELETE FROM scans WHERE scan = 1")
    assert attempts(rest)[1:] == [("lost1", 0, None), ("2", 1, "completed")]
    assert resume_simulated(rest, repeat=["2"]).run().exit_status == "completed"
    assert attempts(rest)[-1] == ("2", 2, "completed")


def test_repeats_left_out_on_purpose_are_not_called_begun(folder: Path) -> None:
    resumed = resume_simulated(folder, repeat=["1", "2"])
    resumed.at_console((2.0, CommandKind.END))
    outcome = resumed.run()
    assert resumed.armed == ["1"]
    assert outcome.exit_status == "stopped"
    assert "not made again: run 2 (its earlier attempt counts)" in outcome.reason
    assert outcome.incomplete == ()


@pytest.mark.parametrize("recorded", [True, False])
def test_a_run_that_there_is_not_is_refused_with_the_names_of_those_there_are(
    folder: Path, recorded: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if not recorded:
        (folder / "session.sqlite").unlink()
    before = sorted(path.name for path in folder.iterdir())
    assert main(["resume", str(folder), "--repeat", "2", "--repeat", "two"]) == 7
    said = heard(capsys)
    assert "found run two, which the session does not have" in said
    assert "expected a run of the session: 1, 2" in said
    assert sorted(path.name for path in folder.iterdir()) == before
    if recorded:
        assert wishes(folder) == []


def test_a_session_with_nothing_to_do_says_how_a_run_is_made_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--resume", str(folder)]) == 0
    assert re.search(
        r"nothing to do: all runs were completed\. One of them once more: --repeat LABEL \(1, 2\)\. More of them: --set",
        heard(capsys),
    )


def test_repeat_is_for_a_session_that_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(tmp_path / "one.yaml"), "--repeat", "2"]) == 2
    assert "is for a session that there is: give --resume" in heard(capsys)


def test_an_evolution_has_no_runs_to_repeat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = prepare(
        tmp_path / "one",
        *cut_session.SHORT,
        "limits.generations=1",
        respond=cut_session.answer,
        clock=cut_session.HastyClock(),
    )
    one.run()
    assert main(["resume", str(one.folder), "--repeat", "1"]) == 7
    assert "found an evolution session" in heard(capsys)


def test_what_is_wrong_with_a_file_is_said_before_its_kind_is_guessed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "session.sqlite"
    file.write_bytes(file.read_bytes()[:5000])
    assert main(["resume", str(folder), "--repeat", "1"]) == 7
    assert "evolution" not in heard(capsys)
