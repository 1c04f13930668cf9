"""The session file's one writer. Each method is one record; nothing counts before its method returned."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from closedloop.errors import SessionExistsError
from closedloop.ports import (
    Chunk,
    ClockProbe,
    Float64,
    Marker,
    Pixels,
    Shown,
    StreamInfo,
    StreamStateChange,
)
from closedloop.session import codec, database
from closedloop.session.lock import SessionLock


@dataclass(frozen=True)
class ImageRecord:
    """An image as it enters the file, before it is rendered."""

    image: int
    kind: str
    thread: int
    generation: int | None
    row: int
    code: np.ndarray[Any, np.dtype[np.float32]] | None
    parents: tuple[int, int] | None
    origin: str
    source: str | None = None


@dataclass(frozen=True)
class TrialRecord:
    """A trial as it is ordered from the stage."""

    trial: int
    thread: int
    generation: int
    image: int
    attempt: int
    repeat: int
    on_frames: int
    off_frames: int


@dataclass(frozen=True)
class ScoreRecord:
    """What an image of a generation earned. NaN stands for none."""

    thread: int
    generation: int
    image: int
    n: int
    mean: float
    sem: float
    score: float


class SessionStore:
    """Writes one session file. Not to be shared between threads or processes.

    Every SQLite error comes out as :class:`~closedloop.errors.DiskError`.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, run: int, lock: SessionLock) -> None:
        self.path = path
        self.run = run
        self._connection = connection
        self._lock = lock
        self._depth = 0
        self._after_commit: list[Callable[[], None]] = []

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        meta: Mapping[str, str],
        environment: Mapping[str, Any],
        started_s: float,
        lock: SessionLock | None = None,
    ) -> SessionStore:
        """Make a session folder's file and open its first run.

        A file in which nothing was ever recorded, left by a crash at that moment, is replaced.

        Args:
            folder: the session folder.
            meta: facts about the session as a whole.
            environment: what it runs on.
            started_s: when the run began.
            lock: of the folder, if the caller holds it already; it is released when the store is closed.

        Raises:
            SessionExistsError: there is one already.
            SessionInUseError: another program has the folder.
        """
        path = folder / database.FILE_NAME
        lock = lock or SessionLock(folder)
        try:
            return cls._create(path, meta, environment, started_s, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _create(
        cls,
        path: Path,
        meta: Mapping[str, str],
        environment: Mapping[str, Any],
        started_s: float,
        lock: SessionLock,
    ) -> SessionStore:
        if database.is_blank(path):
            database.remove(path)
        if path.exists():
            raise SessionExistsError(
                str(path),
                found="a session",
                expected="a new folder",
                remedy="Sessions are never written over: choose another --out, or wait a second and try again.",
            )
        store = cls(path, database.create(path), 0, lock)
        with store.transaction():
            store._many("INSERT INTO meta VALUES (?, ?)", list(meta.items()))
            store._begin_run(environment, started_s)
        return store

    @classmethod
    def reopen(
        cls,
        folder: Path,
        *,
        environment: Mapping[str, Any],
        started_s: float,
        meta: Mapping[str, str] | None = None,
        begins_with: tuple[str, Mapping[str, Any]] | None = None,
        lock: SessionLock | None = None,
    ) -> SessionStore:
        """Open an existing session for a further run, all or nothing; trials that were cut off are marked so.

        Args:
            folder: the session folder.
            environment: what the new run runs on.
            started_s: when the new run began.
            meta: facts to add; none that are there are changed.
            begins_with: kind and detail of the event that the run begins with.
            lock: as of ``create``.

        Raises:
            SessionInUseError: another program has the folder, or goes on reading a session that was closed.
            SessionError: there is no session, or its file can't be used.
        """
        path = folder / database.FILE_NAME
        database.require(path)
        lock = lock or SessionLock(folder)
        try:
            connection = database.open_writer(path)
            last = connection.execute("SELECT max(run) FROM runs").fetchone()[0]
            store = cls(path, connection, -1 if last is None else int(last), lock)
            store.run += 1
            with store.transaction():
                store._interrupt_trials()
                store._many("INSERT INTO meta VALUES (?, ?)", list((meta or {}).items()))
                store._begin_run(environment, started_s)
                if begins_with is not None:
                    store.add_event(begins_with[0], started_s, **begins_with[1])
        except BaseException:
            lock.release()
            raise
        return store

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Group records: all of them are in the file, or none. May be nested."""
        if self._depth:
            yield
            return
        self._do("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
        except BaseException:
            self._depth = 0
            self._after_commit.clear()
            if self._connection.in_transaction:  # SQLite has rolled back by itself when the disk is full
                self._do("ROLLBACK")
            raise
        self._depth = 0
        try:
            self._do("COMMIT")
        except BaseException:
            self._after_commit.clear()
            if self._connection.in_transaction:
                self._connection.rollback()
            raise
        actions, self._after_commit = self._after_commit, []
        for action in actions:
            action()

    def after_commit(self, action: Callable[[], None]) -> None:
        """Do something as soon as all that was recorded until now is in the file."""
        if self._depth:
            self._after_commit.append(action)
        else:
            action()

    def close(self, *, ended_s: float, exit_status: str, reason: str) -> None:
        """End the run with its exit status and close the file; trials not judged yet are marked interrupted."""
        with self.transaction():
            self._interrupt_trials()
            self._do(
                "UPDATE runs SET ended_s = ?, ended_utc = ?, exit_status = ?, reason = ? WHERE run = ?",
                (ended_s, utc_now(), exit_status, reason, self.run),
            )
        database.make_plain(self._connection)
        self.abandon()

    def abandon(self) -> None:
        """Close the file and leave the run without an exit status, as a crash would."""
        self._connection.close()
        self._lock.release()

    def write(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Carry out one statement, for the writers of further tables (``scan_store``).

        Raises:
            DiskError: it can't be written.
        """
        self._do(sql, values)

    # --- what is decided

    def add_thread(
        self, thread: int, name: str, spec: Mapping[str, Any], generator: Mapping[str, Any]
    ) -> None:
        """Record one evolution and where its images come from."""
        self._do("INSERT INTO threads VALUES (?, ?, ?, ?)", (thread, name, _json(spec), _json(generator)))

    def set_display(self, report: Mapping[str, Any]) -> None:
        """Record what the stage measured and was granted in this run."""
        self._do("UPDATE runs SET display = ? WHERE run = ?", (_json(report), self.run))

    def begin_generation(self, thread: int, generation: int, started_s: float) -> None:
        """Record that a generation has been bred."""
        self._do(
            "INSERT INTO generations (thread, generation, started_s) VALUES (?, ?, ?)",
            (thread, generation, started_s),
        )

    def end_generation(self, thread: int, generation: int, ended_s: float) -> None:
        """Record that a generation has all its scores."""
        self._do(
            "UPDATE generations SET ended_s = ? WHERE thread = ? AND generation = ?",
            (ended_s, thread, generation),
        )

    def set_timing(self, thread: int, generation: int, timing_ms: Mapping[str, float]) -> None:
        """Record the parts of the dead time before a generation."""
        self._do(
            "UPDATE generations SET timing = ? WHERE thread = ? AND generation = ?",
            (_json(timing_ms), thread, generation),
        )

    def add_images(self, records: Iterable[ImageRecord]) -> None:
        """Record codes and genealogy of a generation, or the references."""
        rows = [
            (
                r.image,
                r.kind,
                r.thread,
                r.generation,
                r.row,
                None if r.code is None else r.code.astype("<f4").tobytes(),
                None if r.parents is None or r.parents[0] < 0 else r.parents[0],
                None if r.parents is None or r.parents[1] < 0 else r.parents[1],
                r.origin,
                r.source,
            )
            for r in records
        ]
        self._many(
            "INSERT INTO images (image, kind, thread, generation, row, code, parent_1, parent_2, origin, source)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )

    def set_pixels(self, image: int, pixels: Pixels) -> None:
        """Record what an image looks like, ``(h, w, 3)`` uint8."""
        raw = np.ascontiguousarray(pixels).tobytes()
        self._do(
            "UPDATE images SET height_px = ?, width_px = ?, sha256 = ?, pixels = ? WHERE image = ?",
            (pixels.shape[0], pixels.shape[1], hashlib.sha256(raw).hexdigest(), zlib.compress(raw, 1), image),
        )

    # --- what is shown

    def order_trial(self, record: TrialRecord, ordered_s: float) -> None:
        """Record a trial before the stage hears of it."""
        self._do(
            "INSERT INTO trials (trial, run, thread, generation, image, attempt, repeat, on_frames, off_frames,"
            " ordered_s, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'ordered')",
            (
                record.trial,
                self.run,
                record.thread,
                record.generation,
                record.image,
                record.attempt,
                record.repeat,
                record.on_frames,
                record.off_frames,
                ordered_s,
            ),
        )

    def set_onset(self, trial: int, onset_s: float) -> None:
        """Record the onset as soon as it is known."""
        self._do("UPDATE trials SET onset_s = ? WHERE trial = ? AND run = ?", (onset_s, trial, self.run))

    def set_shown(self, shown: Shown) -> None:
        """Record every flip of a trial."""
        offset_s = shown.offset_s
        self._do(
            "UPDATE trials SET onset_s = ?, offset_s = ?, on_flips = ?, missed = ?, flips = ?, status = 'shown'"
            " WHERE trial = ? AND run = ?",
            (
                shown.onset_s if len(shown.flips_s) else None,
                None if np.isnan(offset_s) else offset_s,
                shown.on_flips,
                shown.missed,
                shown.flips_s.astype("<f8").tobytes(),
                shown.trial,
                self.run,
            ),
        )

    # --- what is heard

    def add_stream(self, info: StreamInfo) -> None:
        """Record a stream's description for this run."""
        self._do("INSERT INTO streams VALUES (?, ?, ?)", (self.run, info.role, _json(asdict(info))))

    def add_chunk(self, chunk: Chunk, written_s: float) -> None:
        """Record samples as they came."""
        first_s, last_s = chunk.span_s
        self._do(
            "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self.run,
                chunk.role,
                chunk.sequence,
                chunk.segment,
                chunk.values.shape[0],
                chunk.values.shape[1],
                chunk.values.dtype.name,
                first_s,
                last_s,
                chunk.correction_s,
                chunk.uncertainty_s,
                chunk.received_s,
                written_s,
                codec.pack(chunk.stamps_raw_s),
                codec.pack(chunk.values),
            ),
        )

    def add_probe(self, probe: ClockProbe) -> None:
        """Record a measurement of a stream's clock."""
        self._do(
            "INSERT INTO clock_probes VALUES (?, ?, ?, ?, ?, ?)",
            (self.run, probe.role, probe.segment, probe.time_s, probe.offset_s, probe.uncertainty_s),
        )

    def add_stream_state(self, change: StreamStateChange) -> None:
        """Record that a stream became live, late, lost or recovering."""
        self._do(
            "INSERT INTO stream_states VALUES (?, ?, ?, ?, ?, ?)",
            (self.run, change.role, change.state.value, change.time_s, change.age_s, change.reason),
        )

    # --- what is judged

    def accept_trial(
        self, trial: int, rates_hz: Float64, baseline_hz: Float64 | None, value: float, judged_s: float
    ) -> None:
        """Acknowledge a trial together with its response."""
        with self.transaction():
            self._do(
                "INSERT INTO responses VALUES (?, ?, ?, ?, ?)",
                (
                    trial,
                    self.run,
                    rates_hz.astype("<f8").tobytes(),
                    None if baseline_hz is None else baseline_hz.astype("<f8").tobytes(),
                    value,
                ),
            )
            self._judge(trial, "valid", None, None, judged_s)

    def reject_trial(self, trial: int, reason: str, detail: str, judged_s: float) -> None:
        """Acknowledge that a trial does not count, and why."""
        self._judge(trial, "invalid", reason, detail, judged_s)

    def add_scores(self, records: Iterable[ScoreRecord]) -> None:
        """Record what the optimizer is told, and the references beside it."""
        self._many(
            "INSERT INTO scores VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (r.thread, r.generation, r.image, r.n, _or_null(r.mean), _or_null(r.sem), _or_null(r.score))
                for r in records
            ],
        )

    # --- what happened besides

    def add_marker(self, marker: Marker) -> None:
        """Record a marker before it is sent."""
        self._do(
            "INSERT INTO markers (run, time_s, payload) VALUES (?, ?, ?)",
            (self.run, marker.time_s, _json(marker.payload)),
        )

    def add_event(self, kind: str, time_s: float, **detail: Any) -> None:
        """Record a key, a note, a pause, a warning."""
        self._do(
            "INSERT INTO events (run, time_s, utc, kind, detail) VALUES (?, ?, ?, ?, ?)",
            (self.run, time_s, utc_now(), kind, _json(detail)),
        )

    # --- inside

    def _begin_run(self, environment: Mapping[str, Any], started_s: float) -> None:
        self._do(
            "INSERT INTO runs (run, started_s, started_utc, environment) VALUES (?, ?, ?, ?)",
            (self.run, started_s, utc_now(), _json(environment)),
        )

    def _interrupt_trials(self) -> None:
        self._do("UPDATE trials SET status = 'interrupted' WHERE status IN ('ordered', 'shown')")

    def _judge(
        self, trial: int, status: str, reason: str | None, detail: str | None, judged_s: float
    ) -> None:
        self._do(
            "UPDATE trials SET status = ?, reason = ?, detail = ?, judged_s = ? WHERE trial = ? AND run = ?",
            (status, reason, detail, judged_s, trial, self.run),
        )

    def _do(self, sql: str, values: Sequence[Any] = ()) -> None:
        try:
            self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise database.write_error(self.path, error) from error

    def _many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        try:
            with self.transaction():
                self._connection.executemany(sql, rows)
        except sqlite3.Error as error:
            raise database.write_error(self.path, error) from error


def utc_now() -> str:
    """Wall-clock time, for people; never used for timing."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def _or_null(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value)
