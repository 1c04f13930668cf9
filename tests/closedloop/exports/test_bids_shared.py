"""Several sessions in one BIDS dataset: each keeps its own files, and what they share is true of all."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bids_validation import bids_errors
from PIL import Image
from scan_session_factory import PROTOCOL, Attempt, ScanPlan, write_scan_session

from closedloop.errors import DiskError
from closedloop.exports import export_bids
from closedloop.session import SessionReader, codec

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "schema-2"
RATES, SPIKES = GOLDEN / "rates", GOLDEN / "spikes"


def content(dataset: Path) -> dict[str, bytes]:
    found = {path.relative_to(dataset).as_posix(): path for path in dataset.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items()}


def own(files: dict[str, bytes]) -> dict[str, bytes]:
    """Without what sessions share."""
    return {name: data for name, data in files.items() if "/" in name}


def participants(dataset: Path) -> pd.DataFrame:
    return pd.read_csv(dataset / "participants.tsv", sep="\t", dtype=str, keep_default_na=False).set_index(
        "participant_id"
    )


def begin(session: Path, utc: str) -> Path:
    """Let a session have begun at another time."""
    with sqlite3.connect(session / "session.sqlite") as connection:
        connection.execute("UPDATE runs SET started_utc = ? WHERE run = 0", (utc,))
    return session


def scan(folder: Path, began_utc: str, **subject: str) -> Path:
    """A session in a scanner of one run, whose subject is as told."""
    plan = ScanPlan((Attempt(0),), protocol=PROTOCOL, changes={"subject": {"id": "Alfa", **subject}})
    return begin(write_scan_session(folder, plan), began_utc)


def test_sessions_in_one_dataset_leave_each_others_files_alone(tmp_path: Path) -> None:
    first = set(export_bids(RATES, tmp_path))
    alone = content(tmp_path)
    second = set(export_bids(SPIKES, tmp_path))
    together = content(tmp_path)
    assert own(alone).items() < own(together).items()
    shared = {path.name for path in first & second}
    assert shared == {"README.md", "dataset_description.json", "participants.tsv", "participants.json"}

    export_bids(RATES, tmp_path)
    assert content(tmp_path) == together
    assert bids_errors(tmp_path) == []


@pytest.mark.parametrize("order", [(RATES, SPIKES), (SPIKES, RATES)])
def test_the_events_name_the_pictures_that_were_shown(order: tuple[Path, ...], tmp_path: Path) -> None:
    for session in order:
        export_bids(session, tmp_path)
    tables = sorted(tmp_path.glob("sub-*/ses-*/beh/*_events.tsv"))
    for table, session in zip(tables, (RATES, SPIKES), strict=True):  # rates began first
        events = pd.read_csv(table, sep="\t")
        with SessionReader(session) as reader:
            for image, file in zip(events["image"], events["stim_file"], strict=True):
                pixels = np.asarray(Image.open(tmp_path / "stimuli" / file))
                assert np.array_equal(pixels, reader.pixels(int(image)))


def test_two_scans_of_other_pictures_under_one_name_stay_apart(tmp_path: Path) -> None:
    one = scan(tmp_path / "one", "2026-11-20T10:00:00+00:00")
    two = scan(tmp_path / "two", "2026-11-21T10:00:00+00:00")
    black = np.zeros((8, 8, 3), np.uint8)
    with sqlite3.connect(two / "session.sqlite") as connection:
        connection.execute("UPDATE images SET pixels = ?", (codec.pack(black),))
    bids = tmp_path / "bids"
    export_bids(one, bids)
    alone = content(bids)
    export_bids(two, bids)
    assert own(alone).items() < own(content(bids)).items()
    events = pd.read_csv(next(bids.glob("sub-*/ses-20261121100000/func/*_events.tsv")), sep="\t")
    for file in events["stim_file"].dropna():
        assert not np.asarray(Image.open(bids / "stimuli" / file)).any()
    assert bids_errors(bids) == []


def test_subjects_have_a_row_each_and_the_readme_tells_of_each_session(tmp_path: Path) -> None:
    bids = tmp_path / "bids"
    export_bids(RATES, bids)
    export_bids(scan(tmp_path / "s", "2026-11-21T10:00:00+00:00", species="Homo sapiens", sex="F"), bids)
    export_bids(SPIKES, bids)
    table = participants(bids)
    assert table.index.tolist() == ["sub-tester", "sub-Alfa"]
    assert table.loc["sub-Alfa"].tolist() == ["homo sapiens", "n/a", "F"]
    readme = (bids / "README.md").read_text(encoding="utf-8")
    assert [line for line in readme.splitlines() if line.startswith("# ")] == [
        "# golden-rates",
        "# s",
        "# golden-spikes",
    ]
    assert bids_errors(bids) == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0), (1, 0, 1)])
def test_a_subjects_row_has_the_age_at_the_first_session(order: tuple[int, ...], tmp_path: Path) -> None:
    sessions = (
        scan(tmp_path / "one", "2026-11-20T10:00:00+00:00", age="P31Y"),
        scan(tmp_path / "two", "2026-11-21T10:00:00+00:00", age="P32Y", sex="F"),
    )
    for number in order:
        export_bids(sessions[number], tmp_path / "bids")
    assert participants(tmp_path / "bids").loc["sub-Alfa"].to_dict() == {
        "species": "n/a",
        "age": "31",
        "sex": "F",
    }


def test_what_others_wrote_of_the_dataset_stays(tmp_path: Path) -> None:
    export_bids(RATES, tmp_path)
    table = "participant_id\tgroup\tage\nsub-other\tcontrol\t4\nsub-tester\tpatient\tn/a\n"
    (tmp_path / "participants.tsv").write_text(table, encoding="utf-8")
    columns = {"group": {"Description": "which"}, "age": {"Description": "in years"}}
    (tmp_path / "participants.json").write_text(json.dumps(columns), encoding="utf-8")
    described = json.loads((tmp_path / "dataset_description.json").read_text(encoding="utf-8"))
    described |= {"Name": "Our study", "Authors": ["A", "B"], "GeneratedBy": [{"Name": "other"}]}
    (tmp_path / "dataset_description.json").write_text(json.dumps(described), encoding="utf-8")
    (tmp_path / "README.md").rename(tmp_path / "README")
    words = "Our study.\n" + (tmp_path / "README").read_text(encoding="utf-8") + "More of it.\n"
    (tmp_path / "README").write_text(words, encoding="utf-8")

    export_bids(RATES, tmp_path)
    export_bids(SPIKES, tmp_path)
    found = participants(tmp_path)
    assert found.loc["sub-other"].tolist() == ["control", "4", "n/a", "n/a"]
    assert found.loc["sub-tester", "group"] == "patient"
    columns = json.loads((tmp_path / "participants.json").read_text(encoding="utf-8"))
    assert columns["age"] == {"Description": "in years"}
    assert "species" in columns
    told = json.loads((tmp_path / "dataset_description.json").read_text(encoding="utf-8"))
    assert (told["Name"], told["Authors"]) == ("Our study", ["A", "B"])
    assert [one["Name"] for one in told["GeneratedBy"]] == ["other", "closedloop"]
    assert not (tmp_path / "README.md").exists()
    readme = (tmp_path / "README").read_text(encoding="utf-8")
    assert readme.startswith(words)
    assert readme.count("# golden-rates") == readme.count("# golden-spikes") == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("participants.tsv", "subject\tage\nsub-1\t3\n"),
        ("participants.tsv", "participant_id\tage\nsub-1\n"),
        ("dataset_description.json", "{"),
        ("dataset_description.json", "[]"),
        ("participants.json", "nothing"),
    ],
)
def test_a_dataset_that_can_not_take_a_session_in_is_left_as_it_is(
    name: str, text: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DiskError, match="another folder"):
        export_bids(RATES, tmp_path)
    assert content(tmp_path) == {name: text.encode()}


def test_another_session_of_the_subject_in_the_same_second_is_refused(tmp_path: Path) -> None:
    twin = Path(shutil.copytree(RATES, tmp_path / "twin"))
    with sqlite3.connect(twin / "session.sqlite") as connection:
        connection.execute("UPDATE meta SET value = 'twin' WHERE key = 'session'")
    export_bids(RATES, tmp_path / "bids")
    before = content(tmp_path / "bids")
    with pytest.raises(DiskError, match="golden-rates"):
        export_bids(twin, tmp_path / "bids")
    assert content(tmp_path / "bids") == before
