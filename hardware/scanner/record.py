"""What was sent when, as the simulated scanner knows it: the truth that stamps are measured against."""

from __future__ import annotations

import contextlib
import csv
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from closedloop.errors import DiskError
from hardware.scanner.output import Sent
from hardware.scanner.timetable import Deed

COLUMNS = ("run", "kind", "volume", "mark", "planned_s", "before_s", "after_s")


class Record:
    """Rows of ``COLUMNS``. Times are ``local_clock`` seconds; ``volume`` is -1 where there is none.

    Args:
        path: ``.csv``, written row by row, or ``.npz``, written at the end; None keeps no file. It is made at once,
            and must not be there before.

    Raises:
        DiskError: it is there, or can't be made.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.rows: list[tuple[Any, ...]] = []
        self._file: Any = None
        self._writer: Any = None
        if path is None:
            return
        is_table = path.suffix == ".csv"
        try:
            # an earlier record is the only truth about its pulses
            self._file = path.open("x", newline="", encoding="utf-8") if is_table else path.open("xb")
        except FileExistsError as problem:
            raise DiskError(
                str(path),
                found="a file that is there already",
                expected="a new file for what is sent",
                remedy="Choose another name (--out), or move the file away.",
            ) from problem
        except OSError as problem:
            raise _refused(path, problem) from problem
        if is_table:
            self._writer = csv.writer(self._file)
            self._writer.writerow(COLUMNS)
            self._file.flush()

    def add(self, run: int, deed: Deed, planned_s: float, sent: Sent) -> None:
        """Note what was sent."""
        volume = -1 if deed.volume is None else deed.volume
        row = (run, deed.kind, volume, deed.key or "", planned_s, sent.before_s, sent.after_s)
        self.rows.append(row)
        if self._writer is not None:
            self._writer.writerow([f"{item:.9f}" if isinstance(item, float) else item for item in row])
            self._file.flush()  # it may be killed, and the file shall be true up to then

    def close(self) -> None:
        """Finish the file."""
        if self._path is None:
            return
        with self._file:
            if self._writer is not None:
                return
            columns = zip(*self.rows, strict=True) if self.rows else [()] * len(COLUMNS)
            arrays: dict[str, Any] = {
                name: np.array(column) for name, column in zip(COLUMNS, columns, strict=True)
            }
            try:
                np.savez(self._file, **arrays)
                self._file.flush()
            except OSError as problem:
                raise _refused(self._path, problem) from problem

    def __enter__(self) -> Record:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if kind is not None and self._path is not None and not self.rows:
            # nothing was sent, and the next try may have the name
            with contextlib.suppress(OSError):
                self._path.unlink()


def _refused(path: Path, problem: OSError) -> DiskError:
    return DiskError(
        str(path), found=str(problem), expected="a file that can be written", remedy="Choose another place."
    )
