from __future__ import annotations

import csv
import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest

from closedloop.errors import TriggerError
from closedloop.scan.simulation import ScannerFaults
from hardware.scanner.keyboard import KeyboardOutput
from hardware.scanner.options import ScannerOptions
from hardware.scanner.output import Sent
from hardware.scanner.playing import play
from hardware.scanner.pseudo_serial import PseudoSerialOutput
from hardware.scanner.record import COLUMNS
from hardware.scanner.running import run
from hardware.scanner.timetable import Deed, timetable


class Notebook:
    """An output that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str | None]] = []

    def open(self) -> str:
        return "a notebook"

    def down(self, key: str | None, number: int | None = None) -> Sent:
        self.told.append(("down", key))
        now_s = pylsl.local_clock()
        return Sent(now_s, now_s)

    def up(self, key: str | None) -> None:
        self.told.append(("up", key))

    def stay(self, stopped: object) -> None: ...

    def close(self) -> None: ...


def test_a_run_is_the_same_for_the_same_seed_and_another_for_another_run() -> None:
    options = ScannerOptions(volumes=50, jitter_s=0.005, presses_per_min=20, presses=((3.0, "1"),))
    assert timetable(options, 1) == timetable(options, 1)
    assert timetable(options, 1) != timetable(options, 2)


def test_numbers_are_those_of_the_sequence_whatever_is_missing() -> None:
    faults = ScannerFaults(drop_first=1, double={2}, extra_s=(2.3,))
    deeds = timetable(ScannerOptions(volumes=3, slices=2, numbered_from=1, faults=faults), 1)
    assert [(deed.kind, deed.number) for deed in deeds] == [
        ("slice", 2),
        ("volume", 3),
        ("doubled", 3),
        ("extra", None),
        ("slice", 4),
        ("volume", 5),
        ("slice", 6),
    ]


def test_presses_are_drawn_within_the_run_beside_those_that_are_given() -> None:
    options = ScannerOptions(volumes=100, presses_per_min=60, press_keys=("1", "2"), presses=((3.0, "b"),))
    deeds = timetable(options, 1)
    presses = [deed for deed in deeds if deed.kind == "press"]
    assert 120 < len(presses) < 290
    assert {deed.key for deed in presses} == {"1", "2", "b"}
    assert all(0 <= deed.time_s <= 200 for deed in presses)
    assert [deed.time_s for deed in deeds] == sorted(deed.time_s for deed in deeds)
    assert sum(deed.key is None for deed in deeds) == 100


def test_what_is_played_comes_at_its_absolute_time_and_nothing_stays_held() -> None:
    output = Notebook()
    noted: list[tuple[float, Sent]] = []
    deeds = [
        Deed(0.0, "volume", 0, None, 0.01),
        Deed(0.005, "press", None, "1", 0.02),
        Deed(0.05, "volume", 1, None, 0.01),
    ]
    begin_s = pylsl.local_clock() + 0.02
    assert play(deeds, begin_s, output, lambda _deed, due_s, sent: noted.append((due_s, sent)))
    assert output.told == [
        ("down", None),
        ("down", "1"),
        ("up", None),
        ("up", "1"),
        ("down", None),
        ("up", None),
    ]
    assert [due_s for due_s, _ in noted] == pytest.approx([begin_s, begin_s + 0.005, begin_s + 0.05])
    assert all(sent.before_s >= due_s for due_s, sent in noted)


def test_a_key_that_is_down_is_let_go_before_it_is_pressed_again_and_when_it_is_stopped() -> None:
    output = Notebook()
    deeds = [
        Deed(0.0, "volume", 0, None, 50.0),
        Deed(0.01, "doubled", 0, None, 50.0),
        Deed(60.0, "volume", 1, None, 1.0),
    ]
    whole = play(deeds, pylsl.local_clock(), output, lambda *_: None, stopped=lambda: len(output.told) >= 3)
    assert not whole
    assert output.told == [("down", None), ("up", None), ("down", None), ("up", None)]


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_what_was_sent_is_in_the_file(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link, out = tmp_path / "tty", tmp_path / f"sent{suffix}"
    options = ScannerOptions(
        path="serial",
        tr_s=0.02,
        volumes=5,
        dummies=1,
        runs=2,
        between_s=0.01,
        start_after_s=0.01,
        faults=ScannerFaults(drop={3}, double={2}, double_after_s=0.003),
        presses=((0.05, "1"),),
        link=link,
        out=out,
    )
    record = run(options)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"ready {link}"
    assert said[1].startswith("run 1: sent 6 pulses and 1 presses")
    assert not link.is_symlink()
    if suffix == ".csv":
        with out.open(newline="", encoding="utf-8") as file:
            columns: Any = {
                name: [row[name] for row in rows] for rows in [list(csv.DictReader(file))] for name in COLUMNS
            }
    else:
        columns = np.load(out)
    assert [int(number) for number in columns["run"]] == [1] * 7 + [2] * 7
    assert list(columns["kind"][:7]) == ["dummy", "volume", "volume", "doubled", "press", "volume", "volume"]
    assert [int(volume) for volume in columns["volume"][:7]] == [0, 1, 2, 2, -1, 4, 5]
    before_s = np.array([float(time_s) for time_s in columns["before_s"]])
    assert before_s == pytest.approx([row[5] for row in record.rows], abs=1e-8)
    planned_s = np.array([float(time_s) for time_s in columns["planned_s"]])
    assert (before_s >= planned_s - 1e-8).all()


def test_bytes_come_out_of_the_pseudo_terminal_as_they_are() -> None:
    output = PseudoSerialOutput(3)  # which a terminal would take for Ctrl-C
    port = os.open(output.open(), os.O_RDWR | os.O_NOCTTY)
    try:
        for key in (None, "1", None):
            output.down(key)
        assert os.read(port, 10) == b"\x031\x03"
        output.down(None)
        assert os.read(port, 10) == b"\x03"
        for _ in range(20_000):  # nobody reads: the scanner goes on
            output.down(None)
    finally:
        os.close(port)
        output.close()


def test_the_port_stays_until_its_reader_has_closed_it() -> None:
    output = PseudoSerialOutput(53)
    port = os.open(output.open(), os.O_RDWR | os.O_NOCTTY)
    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:
            os.close(port)
        return asked > 100

    output.stay(stopped)
    assert 2 <= asked < 100
    output.close()


def test_a_link_never_takes_the_place_of_a_file(tmp_path: Path) -> None:
    there = tmp_path / "data"
    there.write_text("precious", encoding="utf-8")
    with pytest.raises(TriggerError, match="data"):
        PseudoSerialOutput(53, there).open()
    assert there.read_text(encoding="utf-8") == "precious"


def test_without_a_display_the_keyboard_is_one_error() -> None:
    with pytest.raises(TriggerError, match="no X server"):
        KeyboardOutput("5", ":5099").open()


@pytest.mark.parametrize(
    "wrong",
    [
        {"tr_s": 0},
        {"volumes": 0},
        {"dummies": -1},
        {"byte": 256},
        {"out": Path("x.txt")},
        {"presses": ((1.0, "5"),)},
    ],
)
def test_options_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        ScannerOptions(**wrong)


def test_what_is_due_before_the_first_pulse_is_sent_as_well() -> None:
    options = ScannerOptions(volumes=2, faults=ScannerFaults(human_s=(-3.0,)))
    deeds = timetable(options, 1)
    assert [(deed.kind, deed.time_s) for deed in deeds] == [("human", -3.0), ("volume", 0.0), ("volume", 2.0)]
    assert all(later.time_s > earlier.time_s for earlier, later in itertools.pairwise(deeds))
