from __future__ import annotations

from pathlib import Path

import pytest
from scan_plans import names_of, scan_protocol

from closedloop.errors import ProtocolError
from closedloop.scan.design import draw_runs
from closedloop.scan.design.table import table_images

TABLE = """\
onset\tduration\ttrial_type\tstim_file\tnote
4\t1\tface\tx/f1.png\tsecond
1.5\t0.5\tface\tx/f2.png\tfirst
6\t0\thouse\tx/f1.png\tn/a
8\tn/a\tpause\tn/a\tn/a
9\t0\tresponse\t\tn/a
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "events.tsv"
    path.write_text(TABLE)
    return path


def drawn(path: Path, conditions=(), **design):
    protocol = scan_protocol(
        {"kind": "events", "file": str(path), **design}, stimuli={"conditions": list(conditions)}
    )
    return draw_runs(protocol, names_of(protocol), measured=False)[0], protocol


def test_a_table_is_the_plan_in_order_of_onsets(table):
    plan, protocol = drawn(table, keep_columns=["note"], image_s=0.75)
    assert [(e.onset_s, e.duration_s, e.kind, e.trial_type, e.stimulus) for e in plan.events] == [
        (1.5, 0.5, "image", "face", "x/f2.png"),
        (4, 1, "image", "face", "x/f1.png"),
        (6, 0.75, "image", "house", "x/f1.png"),
        (8, 0.75, "null", "pause", None),
        (9, 0.75, "null", "response", None),
    ]
    assert [e.fields["note"] for e in plan.events[:3]] == ["first", "second", "n/a"]
    assert [name for name, _ in table_images(protocol)] == ["x/f1.png", "x/f2.png"]
    assert plan.drawn["design"] == "events"


def test_rows_are_picked_and_types_made_null(table):
    skip = {"column": "trial_type", "values": ["response"]}
    plan, _ = drawn(table, skip=skip, null_types=["house"])
    assert [(e.trial_type, e.kind) for e in plan.events] == [
        ("face", "image"), ("face", "image"), ("house", "null"), ("pause", "null")
    ]  # fmt: skip
    plan, protocol = drawn(table, only={"column": "trial_type", "values": ["house"]})
    assert [e.onset_s for e in plan.events] == [6]
    assert table_images(protocol) == [("x/f1.png", table.parent / "x/f1.png")]


def test_onsets_may_count_volumes_and_be_shifted(table):
    plan, _ = drawn(table, units="volumes", lead_in=2)
    assert [e.onset_s for e in plan.events] == [7, 12, 16, 20, 22]
    assert plan.events[0].duration_s == 0.5


def test_a_row_without_an_image_shows_one_of_the_condition_that_it_names(table):
    plan, _ = drawn(table, [{"name": "pause", "codes": 3}])
    assert plan.events[3].kind == "image"
    assert plan.events[3].stimulus.startswith("pause/")


def test_other_columns_can_be_named_and_a_table_may_lack_types(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text("start\tlength\tpicture\n2\t1\ta.png  \n\n4\t1\tb.png\n")
    plan, _ = drawn(path, onset_column="start", duration_column="length", stimulus_column="picture")
    assert [(e.onset_s, e.trial_type, e.stimulus) for e in plan.events] == [
        (2, "image", "a.png"), (4, "image", "b.png")
    ]  # fmt: skip


def test_each_run_may_have_a_table_of_its_own(tmp_path, table):
    other = tmp_path / "other.tsv"
    other.write_text("onset\tduration\tstim_file\n3\t1\tz.png\n")
    each = [{"label": "1"}, {"label": "2", "events": str(other)}]
    protocol = scan_protocol(
        {"kind": "events", "file": str(table)}, stimuli={"conditions": []}, runs={"each": each}
    )
    first, second = draw_runs(protocol, {}, measured=False)
    assert (len(first.events), second.events[0].stimulus) == (5, "z.png")
    assert {name for name, _ in table_images(protocol)} == {"x/f1.png", "x/f2.png", "z.png"}


@pytest.mark.parametrize(
    ("content", "design", "message"),
    [
        ("onset\ttrial_type\n1\ta\n", {}, "no column 'duration' among one of onset, trial_type"),
        ("onsett\tduration\n1\t1\n", {}, "Did you mean 'onsett'"),
        ("onset\tduration\n1\tlong\n", {}, r"events.tsv:2: found 'long' as duration"),
        ("onset\tduration\n\n1\t1\n\nnan\t1\n", {}, r"events.tsv:5: found 'nan' as onset"),
        ("onset\tduration\n1\t1\t1\n", {}, r"events.tsv:2: found 3 cells"),
        ("onset\tduration\n-1\t1\n", {}, r"events.tsv:2: found an onset of -1.*design\.lead_in"),
        ("onset\tduration\n", {}, "no row with an event"),
        ("", {}, "no column 'onset' among none"),
        ("onset\tduration\tstim_file\n1\t1\t../../x.png\n", {}, r"the image \.\./\.\./x\.png"),
        ("onset\tduration\tstim_file\n1\t1\t/etc/x.png\n", {}, "below design.folder"),
        ("onset\tduration\n1\t1\n", {"keep_columns": ["rt"]}, r"no column 'rt'.*design\.keep_columns\.0"),
        ("onset\tduration\n1\t1\n", {"only": {"column": "x", "values": ["1"]}}, "no column 'x'"),
        ("onset\tduration\n1\t1\n", {"type_column": "kind"}, "no column 'kind'"),
        (b"onset\tduration\n\xff\t1\n", {}, "not UTF-8"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, content, design, message):
    path = tmp_path / "events.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ProtocolError, match=message):
        drawn(path, **design)


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(ProtocolError, match="No such file"):
        drawn(tmp_path / "none.tsv")
