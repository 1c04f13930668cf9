"""What differs from before is said; what would make another experiment is refused, unless it is accepted."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cut_session import SHORT, HastyClock, answer, content
from simulated_session import prepare, resume

from closedloop.errors import SessionChangedError, SessionError
from closedloop.session import SessionReader, SessionStore
from closedloop.session.database import FILE_NAME, open_writer
from experiments.differences import Weight, display_differences, protocol_differences, stream_differences
from experiments.folder import PROTOCOL_FILE
from experiments.recorded import read_session
from experiments.resume import Resumption, resume_session


def go_on(folder: Path, *overrides: str, accept_changes: bool = False) -> None:
    resume(folder, *overrides, accept_changes=accept_changes, respond=answer, clock=HastyClock()).run()


@pytest.mark.parametrize(
    "change",
    [
        "seed=12",
        "response.window.end_ms=90",
        "presentation.on_ms=50",
        "threads.0.units.units=[1]",
        "threads.0.optimizer.parameters.mutation_rate=0.5",
        "response.repeats=2",
        "references.per_generation=2",
        "limits.max_repeats=1",
    ],
)
def test_another_experiment_is_refused_and_can_be_accepted(folder: Path, change: str) -> None:
    key = change.partition("=")[0]
    with pytest.raises(SessionChangedError, match="--accept-changes") as refused:
        resume(folder, change, respond=answer, units=2)
    assert key in refused.value.found
    assert len(content(folder)["trials"])

    with SessionReader(folder) as reader:
        assert len(reader.table("runs")) == 1  # a refusal leaves no trace
    before = content(folder)

    def respond(trial: int, image: np.ndarray) -> np.ndarray:
        return np.repeat(answer(trial, image), 2)

    go_on_with = resume(folder, change, accept_changes=True, respond=respond, units=2, clock=HastyClock())
    assert go_on_with.run().exit_status == "completed"
    after = content(folder)
    assert after["trials"][: len(before["trials"])] == before["trials"]
    assert after["codes"][: len(before["codes"])] == before["codes"]
    with SessionReader(folder) as reader:
        logged = next(detail for detail in reader.details("events", "detail") if "accepted" in detail)
        assert reader.meta()["protocol"] != reader.meta()["protocol@run1"]
        assert reader.table("generations")["ended_s"].notna().all()
    assert logged["accepted"] is True
    assert any(key in text for text in logged["changes"])
    assert (folder / "protocol.run1.yaml").read_text(encoding="utf-8")
    resume(folder, "limits.generations=4", respond=respond, units=2, clock=HastyClock()).run()
    with SessionReader(folder) as reader:  # from there on it holds
        assert reader.meta()["protocol@run2"] != reader.meta()["protocol@run1"]


@pytest.mark.parametrize(
    "change",
    [
        "threads.0.name=other",
        "references.random_codes=3",
        "threads.0.generator.parameters.height_px=8",
        "threads.0.optimizer.parameters.population=6",
    ],
)
def test_what_codes_and_images_stand_on_is_never_changed(folder: Path, change: str) -> None:
    with pytest.raises(SessionChangedError, match="new session"):
        resume(folder, change, accept_changes=True)


def test_limits_outputs_and_stop_rules_are_free(folder: Path) -> None:
    go_on(folder, "limits.generations=2", "output.report=false", "stop=[{rule: score, score: 1000}]")
    with SessionReader(folder) as reader:
        assert reader.table("generations")["generation"].max() == 1
        logged = next(detail for detail in reader.details("events", "detail") if "accepted" in detail)
    assert logged["accepted"] is False


def test_a_code_that_is_not_what_was_bred_is_named(folder: Path) -> None:
    connection = open_writer(folder / FILE_NAME)
    image, row, code = connection.execute(
        "SELECT image, row, code FROM images WHERE generation = 1 AND row = 3"
    ).fetchone()
    changed = np.frombuffer(code, dtype="<f4").copy()
    changed[2] += 1e-6
    connection.execute("UPDATE images SET code = ? WHERE image = ?", (changed.tobytes(), image))
    connection.close()
    with pytest.raises(SessionChangedError, match=f"generation 1, row {row}"):
        resume(folder)
    go_on(folder, accept_changes=True)
    with SessionReader(folder) as reader:
        assert reader.code(image).tobytes() == changed.tobytes()
        assert reader.table("runs")["exit_status"].iloc[-1] == "completed"


def test_an_image_that_is_rendered_otherwise_is_told_apart_by_how_much(folder: Path) -> None:
    for shift, refused in ((1, False), (40, True)):
        copy = Path(shutil.copytree(folder, folder.with_name(f"by-{shift}")))
        with SessionReader(copy) as reader:
            table = reader.table("images")
            images = table[(table["generation"] == 1) & table["sha256"].notna()]["image"].tolist()
            pixels = {image: np.asarray(reader.pixels(image)) for image in images}
        store = SessionStore.reopen(copy, environment={}, started_s=0.0)
        for image, seen in pixels.items():
            store.set_pixels(image, (seen.astype(int) + np.where(seen > 127, -shift, shift)).astype(np.uint8))
        store.close(ended_s=0.0, exit_status="failed", reason="")
        if refused:
            with pytest.raises(SessionChangedError, match="rendered again"):
                resume(copy)
        else:
            resume(copy)


def test_the_protocol_in_the_file_counts_and_not_the_edited_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (folder / "protocol.yaml").read_text(encoding="utf-8")
    (folder / "protocol.yaml").write_text(text.replace("seed: 11", "seed: 12"), encoding="utf-8")
    go_on(folder)
    assert "now edited; it is not used" in " ".join(capsys.readouterr().err.split())
    with SessionReader(folder) as reader:
        assert "protocol@run1" not in reader.meta()


def test_defaults_of_another_version_do_not_change_a_session(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = open_writer(folder / FILE_NAME)
    (text,) = connection.execute("SELECT value FROM meta WHERE key = 'protocol_json'").fetchone()
    protocol = json.loads(text)
    protocol["response"]["liveness"]["recover_ms"] = 1e-05
    connection.execute("UPDATE meta SET value = ? WHERE key = 'protocol_json'", (json.dumps(protocol),))
    connection.close()
    resumption = Resumption(read_session(folder), (), accept=False)
    assert resumption.loaded.protocol.response.liveness.recover_ms == 1e-05
    assert "recover_ms is 300.0 by default in this version, and stays 1e-05" in capsys.readouterr().err
    changed = Resumption(read_session(folder), ("limits.generations=4",), accept=False).loaded
    assert changed.protocol.limits.generations == 4
    assert changed.protocol.response.liveness.recover_ms == 1e-05


def test_streams_and_displays_are_compared(folder: Path) -> None:
    recorded = read_session(folder)
    session = resume(folder)
    info = session.rig.source.open()[0]
    display = session.rig.stage.open()
    protocol = recorded.protocol

    def weights(*changed: object) -> set[Weight]:
        return {difference.weight for difference in changed}  # type: ignore[attr-defined]  # all are differences

    assert not stream_differences(recorded.streams, [info])
    assert not display_differences(recorded.display, display, protocol)
    other_source = stream_differences(recorded.streams, [replace(info, source_id="another")])
    assert weights(*other_source) == {Weight.NOTE}
    assert "source_id: was simulated, now another" in str(other_source[0])
    for wrong in (replace(info, channels=3), replace(info, kind="counts"), replace(info, nominal_hz=500.0)):
        assert weights(*stream_differences(recorded.streams, [wrong])) == {Weight.CHANGE}
    near = replace(display, refresh_hz=59.94, period_s=1 / 59.94)
    assert not display_differences(recorded.display, near, protocol)
    far = replace(display, refresh_hz=75.0, period_s=1 / 75)
    assert weights(*display_differences(recorded.display, far, protocol)) == {Weight.CHANGE}
    assert not protocol_differences(protocol, protocol)


def test_a_session_that_is_over_is_left_alone_and_its_outputs_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    go_on(folder)
    before = (folder / FILE_NAME).read_bytes()
    assert resume_session(folder) == folder
    assert "nothing to do" in capsys.readouterr().err
    assert (folder / FILE_NAME).read_bytes() == before
    assert (folder / "report.html").is_file()
    assert (folder / "tables").is_dir()


def test_a_session_cut_off_at_its_very_end_is_closed(folder: Path) -> None:
    go_on(folder)
    connection = open_writer(folder / FILE_NAME)
    connection.execute("UPDATE runs SET ended_s = NULL, ended_utc = NULL, exit_status = NULL, reason = NULL")
    connection.close()
    resume_session(folder)
    with SessionReader(folder) as reader:
        assert list(reader.table("runs")["exit_status"])[-1] == "completed"
    assert (folder / "report.html").is_file()


def test_references_that_the_session_has_not_can_not_be_shown(tmp_path: Path) -> None:
    first = prepare(
        tmp_path / "one", *SHORT, "references.per_generation=0", respond=answer, clock=HastyClock()
    )
    first.run()
    with pytest.raises(SessionChangedError, match="of 0 references in the session, now 2") as refused:
        go_on(first.folder, "references.per_generation=2", accept_changes=True)
    assert "begin a new session" in refused.value.remedy


def test_a_folder_without_a_session_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="start again"):
        resume_session(tmp_path)
    assert PROTOCOL_FILE == "protocol.yaml"
