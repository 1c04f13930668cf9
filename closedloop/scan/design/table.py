"""A table of events as the plan: any BIDS events.tsv."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from closedloop.errors import ProtocolError
from closedloop.protocol.problems import did_you_mean, one_of
from closedloop.protocol.scan import ScanProtocol
from closedloop.protocol.sections.scan_design import Events, Rows
from closedloop.protocol.sections.scan_runs import Run
from closedloop.scan.design.bag import Bag
from closedloop.scan.design.clock import RunClock
from closedloop.scan.records import PlannedEvent

# What BIDS writes where there is no value, and what is left where a cell is empty.
NO_VALUE = ("", "n/a")
_LARGEST_FILE_BYTES = 32 * 2**20
_EXPECTED = "a tab-separated table of events, as in BIDS"


@dataclass(frozen=True)
class TableRow:
    """One row of a table of events.

    Attributes:
        line: in the file, from 1.
        onset: in the design's units.
        duration_s: NaN where the table says n/a.
        trial_type: the condition.
        image: the image's file as the table names it; None: none.
        fields: columns that are carried over.
    """

    line: int
    onset: float
    duration_s: float
    trial_type: str
    image: str | None
    fields: dict[str, str]


def table_of(spec: Events, run: Run) -> Path:
    """Return the file that a run's events come from."""
    file = run.events or spec.file
    if file is None:  # the protocol's own checks leave no such run
        raise ValueError(f"run {run.label} has no table of events")
    return file


def table_images(protocol: ScanProtocol) -> list[tuple[str, Path]]:
    """Return the images that the tables of a protocol name, each once, in order: its name and its file.

    Without ``design.folder`` they lie beside their table.

    Raises:
        ProtocolError: a table can't be read, or lacks what it must have.
    """
    spec = protocol.design
    if not isinstance(spec, Events):
        return []
    tables = {table_of(spec, run) for run in protocol.runs.planned}
    images = [
        (row.image, (spec.folder or table.parent) / row.image)
        for table in sorted(tables)
        for row in read_table(spec, table)
        if row.image is not None
    ]
    return list(dict.fromkeys(images))


def table_events(
    spec: Events, file: Path, clock: RunClock, bags: dict[str, Bag] | None = None
) -> list[PlannedEvent]:
    """Return the events of one run, in order of their onsets.

    A row without an image, whose trial_type is a condition of the protocol, shows one of that condition's.

    Args:
        spec: the design.
        file: the table.
        clock: the time of the run; its lead-in is added to every onset.
        bags: images of the protocol's own conditions.

    Raises:
        ProtocolError: the table can't be read, or lacks what it must have.
    """
    events: list[PlannedEvent] = []
    for row in sorted(read_table(spec, file), key=lambda row: row.onset):
        image = row.image
        if image is None and bags and row.trial_type in bags and row.trial_type not in spec.null_types:
            image = bags[row.trial_type].take()
        onset_s = clock.start_s + clock.seconds(row.onset)
        if onset_s < 0:
            raise ProtocolError(
                f"{file}:{row.line}",
                found=f"an onset of {row.onset:g}, before the first stored volume",
                expected="onsets from 0 on",
                remedy="Set design.lead_in to shift them all, or leave the row out by design.skip.",
            )
        duration_s = row.duration_s if row.duration_s > 0 else spec.image_s
        if image is None:
            events.append(PlannedEvent(onset_s, duration_s, "null", row.trial_type, None, row.fields))
        else:
            events.append(PlannedEvent(onset_s, duration_s, "image", row.trial_type, image, row.fields))
    return events


def table_columns(file: Path) -> list[str]:
    """Return the names of a table's columns.

    Raises:
        ProtocolError: it can't be read.
    """
    return _lines(file)[0]


def read_table(spec: Events, file: Path) -> list[TableRow]:
    """Return the rows that the design picks from a table.

    Raises:
        ProtocolError: the table can't be read, or lacks what it must have.
    """
    columns, lines = _lines(file)
    _check_columns(spec, file, columns)
    rows = []
    for line, cells in enumerate(lines, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(columns):
            raise _error(
                f"{file}:{line}", f"{len(cells)} cells", f"The first line names {len(columns)} columns."
            )
        values = dict(zip(columns, (cell.strip() for cell in cells), strict=True))
        if _picked(spec, values):
            rows.append(_row(spec, file, line, values))
    if not any(row.image is not None or row.trial_type not in spec.null_types for row in rows):
        raise _error(str(file), "no row with an event", "Check design.only and design.skip.")
    return rows


def _lines(file: Path) -> tuple[list[str], Iterator[list[str]]]:
    """Return the names of a table's columns, and the cells of each line after them."""
    try:
        if file.stat().st_size > _LARGEST_FILE_BYTES:
            raise _error(str(file), "a file above 32 MiB", "Is this the right file?")
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _error(str(file), f"a file that can't be read ({error.strerror})", "Check it.") from error
    except UnicodeDecodeError as error:
        raise _error(str(file), "bytes that are not UTF-8", "Save it as UTF-8.") from error
    reader = csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [column.strip() for column in next(reader, [])], reader


def _check_columns(spec: Events, file: Path, columns: list[str]) -> None:
    wanted = {"onset_column": spec.onset_column, "duration_column": spec.duration_column}
    wanted |= {f"keep_columns.{i}": column for i, column in enumerate(spec.keep_columns)}
    for key, rows in (("only.column", spec.only), ("skip.column", spec.skip)):
        if rows is not None:
            wanted[key] = rows.column
    defaults = Events.model_fields
    for key in ("type_column", "stimulus_column"):  # the default ones may be left out of a table
        if getattr(spec, key) != defaults[key].default:
            wanted[key] = getattr(spec, key)
    for key, column in wanted.items():
        if column not in columns:
            remedy = did_you_mean(column, columns) or f"Correct design.{key}, or the table."
            raise _error(
                f"{file}:1", f"no column '{column}' among {one_of(columns) if columns else 'none'}", remedy
            )


def _picked(spec: Events, values: dict[str, str]) -> bool:
    def holds(rows: Rows) -> bool:
        return values[rows.column] in rows.values

    return (spec.only is None or holds(spec.only)) and not (spec.skip is not None and holds(spec.skip))


def _row(spec: Events, file: Path, line: int, values: dict[str, str]) -> TableRow:
    trial_type = values.get(spec.type_column, "image")
    trial_type = "image" if trial_type in NO_VALUE else trial_type
    image = values.get(spec.stimulus_column, "")
    named = None if image in NO_VALUE or trial_type in spec.null_types else image
    if named is not None and (PurePosixPath(named).is_absolute() or ".." in PurePosixPath(named).parts):
        # the name is also that of a file that is written, in the BIDS folder
        raise _error(f"{file}:{line}", f"the image {named}", "Name images by their path below design.folder.")
    duration = values[spec.duration_column]
    return TableRow(
        line,
        _number(values[spec.onset_column], spec.onset_column, file, line),
        math.nan if duration in NO_VALUE else _number(duration, spec.duration_column, file, line),
        trial_type,
        named,
        {column: values[column] for column in spec.keep_columns},
    )


def _number(text: str, column: str, file: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _error(
            f"{file}:{line}", f"{text!r} as {column}", "Correct it, or leave out the row by design.skip."
        )
    return value


def _error(where: str, found: str, remedy: str) -> ProtocolError:
    return ProtocolError(where, found=found, expected=_EXPECTED, remedy=remedy)
