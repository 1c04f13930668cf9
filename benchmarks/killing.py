"""Real sessions whose processes are killed at chosen instants, and what they should have recorded.

Used by ``benchmarks/kill.py``, which does it a hundred times, and by the tests, which do it a few times.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.sessions import ROOT, Program, Session
from closedloop.loop.order import interleave
from closedloop.loop.queue import GenerationQueue
from closedloop.loop.scorer import score_generation
from closedloop.loop.tally import Tally
from closedloop.protocol.load import load_protocol
from closedloop.seeds import Purpose, random_for
from closedloop.session import SessionReader
from closedloop.session.database import FILE_NAME
from experiments.prepare import make_threads
from hardware.lsl.answering import DEFAULT_SOURCE_ID, answer_hz

GENERATIONS = 4
PER_GENERATION = 6  # five evolved images and a reference
PROTOCOL = f"""
subject: {{id: killed}}
seed: 5
display: {{size_px: [400, 300], refresh_hz: 30, refresh_tolerance: 0.1}}
presentation: {{on_ms: 66.7, off_ms: 33.3}}
threads:
  - generator: {{name: pixels, weights: null, parameters: {{height_px: 8, width_px: 8}}}}
    optimizer: {{name: genetic, preset: in-vivo, parameters: {{population: 5, n_conserve: 2}}}}
response:
  stream: {{source_id: {DEFAULT_SOURCE_ID}}}
  kind: trials
  wait_ms: 1500
references: {{random_codes: 2, per_generation: 1}}
limits: {{generations: {GENERATIONS}}}
output: {{report: false, tables: false, images: false}}
"""
PHASES = ("set-up", "presentation", "scoring", "breeding", "closing")
VICTIMS = ("stage", "ingest", "engine", "all")
_STRIDE_S = 0.0003


@contextmanager
def answering() -> Iterator[None]:
    """Run the sender of known answers."""
    command = [sys.executable, "-m", "hardware.lsl.answering"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as sender:
        assert sender.stdout is not None  # noqa: S101 - it was opened as a pipe
        assert sender.stdin is not None  # noqa: S101 - as above
        if sender.stdout.readline() != "ready\n":
            raise AssertionError("the answering sender does not start")
        yield
        sender.stdin.close()


def write_protocol(folder: Path) -> Path:
    """Write the protocol of all these sessions and return its path."""
    path = folder / "killed.yaml"
    path.write_text(PROTOCOL, encoding="utf-8")
    return path


# --- what is there, and what should be


def recorded(folder: Path) -> dict[str, list[Any]]:
    """Return codes, pixels, judged trials and scores of a session, as they must be the same to the byte."""
    with SessionReader(folder) as reader:
        images = reader.table("images").sort_values("image")
        trials = reader.table("trials").merge(reader.table("responses"), on=["trial", "run"], how="left")
        judged = trials[trials["status"].isin(["valid", "invalid"])].sort_values("trial")
        scores = reader.table("scores").sort_values(["generation", "image"])
        columns = ["trial", "generation", "image", "repeat", "attempt", "status"]
        return {
            "codes": [(n, np.asarray(reader.code(n)).tobytes()) for n in images["image"].tolist()],
            "pixels": [(n, np.asarray(reader.pixels(n)).tobytes()) for n in images["image"].tolist()],
            "trials": [tuple(row) for row in judged[columns].to_numpy().tolist()],
            "values": [
                (t, v)
                for t, v in zip(judged["trial"].tolist(), judged["value"].tolist(), strict=True)
                if v == v
            ],
            "scores": [
                tuple(map(repr, row)) for row in zip(*(scores[c].tolist() for c in scores), strict=True)
            ],
        }


def acknowledged(folder: Path) -> list[tuple[Any, ...]]:
    """Return every judged trial: its number, run, time of judgement and verdict."""
    with contextlib.suppress(Exception), SessionReader(folder) as reader:
        trials = reader.table("trials")
        judged = trials[trials["status"].isin(["valid", "invalid"])].sort_values("trial")
        return [tuple(row) for row in judged[["trial", "run", "judged_s", "status"]].to_numpy().tolist()]
    return []  # nothing was recorded yet


def expected(protocol_file: Path, invalid: set[int]) -> dict[str, list[Any]]:
    """Compute what an uninterrupted session records, given which trials turn out invalid.

    Args:
        protocol_file: of the session.
        invalid: numbers of trials that a missed frame or a stream in doubt made invalid.
    """
    protocol = load_protocol(protocol_file).protocol
    (thread,) = make_threads(protocol)
    found: dict[str, list[Any]] = {"codes": [], "pixels": [], "trials": [], "values": [], "scores": []}
    numbers = iter(range(1_000_000))
    for record, reference in zip(
        thread.reference_records(lambda: next(numbers)), thread.references, strict=True
    ):
        found["codes"].append((record.image, np.asarray(record.code).tobytes()))
        found["pixels"].append((record.image, reference.pixels.tobytes()))
    next_trial = 0
    for generation in range(protocol.limits.generations):
        population, records = thread.breed(lambda: next(numbers))
        images = [record.image for record in records]
        for image, code, pixels in zip(
            images, population.codes, thread.generator.render(population.codes), strict=True
        ):
            found["codes"].append((image, code.tobytes()))
            found["pixels"].append((image, pixels.tobytes()))
        references = thread.references_of(protocol.seed, generation, protocol.references.per_generation)
        random = random_for(protocol.seed, Purpose.TRIAL_ORDER, 0, generation)
        order = interleave([[*images, *references]], protocol.response.repeats, random)
        queue, tally = GenerationQueue(order, next_trial, protocol.limits.max_repeats), Tally()
        while queue.left:
            trial = queue.deal()
            valid = trial.trial not in invalid
            image = trial.item.image
            if valid:
                value = float(answer_hz(trial.trial, image)[0])
                tally.add(image, value)
                found["values"].append((trial.trial, value))
            found["trials"].append(
                (
                    trial.trial,
                    generation,
                    image,
                    trial.item.repeat,
                    trial.attempt,
                    "valid" if valid else "invalid",
                )
            )
            queue.judge(trial.trial, valid=valid)
        next_trial = queue.next_trial
        scored = score_generation(0, generation, images, references, tally, protocol.response.normalise)
        thread.optimizer.tell(scored.told)
        rows = sorted(scored.records, key=lambda record: record.image)
        found["scores"] += [
            tuple(map(repr, (r.thread, r.generation, r.image, r.n, r.mean, r.sem, r.score))) for r in rows
        ]
    return found


# --- killing


@dataclass(frozen=True)
class Kill:
    """What came of one kill.

    Attributes:
        phase: where in the session it really hit.
        victim: what was killed.
        exit_code: of the engine.
        told: the person was told what died and how to go on (or nothing was left to do).
        orphans: names of processes that did not end by themselves.
        again: how the session went on: ``resumed``, ``begun anew``, ``started anew``, or ``failed``.
        lost: acknowledged trials that are not there any more.
        same: the session is, byte for byte, what it would have been.
        words: what the programs said, if anything is wrong.
    """

    phase: str
    victim: str
    exit_code: int
    told: bool
    orphans: tuple[str, ...]
    again: str
    lost: int
    same: bool
    words: str = ""

    @property
    def good(self) -> bool:
        """Everything is as it must be."""
        return self.told and not self.orphans and self.again != "failed" and not self.lost and self.same


def phase_of(out: Path) -> str:
    """Return which phase the session in a folder is in, by its file."""
    files = list(out.glob(f"*/{FILE_NAME}"))
    if not files:
        return "set-up"
    try:
        connection = sqlite3.connect(f"{files[0].as_uri()}?mode=ro", uri=True, timeout=0.2)
        try:
            row = connection.execute("SELECT max(generation), count(ended_s) FROM generations").fetchone()
            last, complete = row
            if last is None:
                return "set-up"
            valid = connection.execute(
                "SELECT count(*) FROM trials WHERE generation = ? AND status = 'valid'", (last,)
            ).fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error:
        return "set-up"  # it is just being made
    if complete == last + 1:
        return "closing" if complete == GENERATIONS else "breeding"
    return "scoring" if valid == PER_GENERATION else "presentation"


def processes(engine: int) -> dict[str, psutil.Process]:
    """Return the processes of a session that are there: engine, stage, ingest."""
    found: dict[str, psutil.Process] = {}
    with contextlib.suppress(psutil.NoSuchProcess):
        found["engine"] = psutil.Process(engine)
        for child in found["engine"].children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                words = " ".join(child.cmdline())
                if "hardware.lsl.process" in words:
                    found["ingest"] = child
                elif "spawn_main" in words:
                    found["stage"] = child
    return found


def kill_one(
    protocol_file: Path, out: Path, environment: dict[str, str], phase: str, victim: str, chance: float
) -> Kill:
    """Run a session, kill a victim in a phase, go on with it, and compare.

    Args:
        protocol_file: of the session.
        out: new folder for the session folder.
        environment: for the programs.
        phase: in which to kill, of ``PHASES``.
        victim: which process, of ``VICTIMS``.
        chance: 0 to 1, where within the phase.
    """
    with Session(["run", str(protocol_file)], out, environment) as session:
        hit_at, victims = _strike(session, out, phase, victim, chance)
        exit_code = session.wait(180)
        orphans = _left_after(victims, 8.0)
        told = _told(session.told, exit_code, victim)
        words = session.told
    folders = [path for path in out.iterdir() if path.is_dir()] if out.is_dir() else []
    before = acknowledged(folders[0]) if folders else []
    again, more = _go_on(protocol_file, out, folders, environment)
    words += more
    if again == "failed":
        return Kill(hit_at, victim, exit_code, told, orphans, again, 0, same=False, words=words)
    (folder,) = [path for path in out.iterdir() if path.is_dir()]
    after = acknowledged(folder)
    lost = sum(trial not in set(after) for trial in before)
    got = recorded(folder)
    invalid = {trial[0] for trial in got["trials"] if trial[-1] == "invalid"}
    wanted = expected(protocol_file, invalid)
    wrong = [what for what in wanted if wanted[what] != got[what]]
    words += f"\ndiffering: {wrong}" if wrong else ""
    return Kill(hit_at, victim, exit_code, told, orphans, again, lost, not wrong, words)


def _strike(
    session: Program, out: Path, phase: str, victim: str, chance: float
) -> tuple[str, dict[str, psutil.Process]]:
    """Wait for the instant and kill; return the phase that was hit, and all processes of the session."""
    engine = session.process.pid
    names = VICTIMS[:3] if victim == "all" else (victim,)
    if phase == "set-up":
        _await(lambda: set(names) <= set(processes(engine)) or victim in ("engine", "all"), session)
        if chance < 0.5:
            time.sleep(chance * 8)
        else:  # once there is a folder: a few hundred ms, in which file, references and first codes are written
            _await(lambda: out.is_dir() and any(out.iterdir()), session)
            time.sleep((chance - 0.5) * 0.2)
    elif phase == "presentation":
        trials = int(chance * (GENERATIONS * PER_GENERATION - 1))
        _await(lambda: _judged(out) >= trials and phase_of(out) == "presentation", session)
        time.sleep(chance * 37 % 0.08)
    else:
        _walk_into(session, out, phase, int(chance * (GENERATIONS - 1)))
    there = processes(engine)
    hit_at = phase_of(out) if session.process.poll() is None else "after its end"
    for name in names:
        if name in there:
            with contextlib.suppress(psutil.NoSuchProcess):
                there[name].kill()
    with contextlib.suppress(ProcessLookupError):
        os.kill(engine, signal.SIGCONT)
    return hit_at, there


def _walk_into(session: Program, out: Path, phase: str, generation: int) -> None:
    """Let the engine go on in strides of a fraction of a millisecond until it is in a short phase."""
    engine = session.process.pid
    wanted = (generation + 1) * PER_GENERATION - 1 if phase != "closing" else GENERATIONS * PER_GENERATION - 1
    _await(lambda: _valid(out) >= wanted, session)
    with _ahead_of_all():
        while phase_of(out) != phase:
            if session.process.poll() is not None:
                return
            os.kill(engine, signal.SIGCONT)
            time.sleep(_STRIDE_S)
            os.kill(engine, signal.SIGSTOP)
    # and somewhat further in, if the phase lasts
    if phase == "closing":
        os.kill(engine, signal.SIGCONT)
        time.sleep(0.02 * (generation + 1))


@contextmanager
def _ahead_of_all() -> Iterator[None]:
    """Let no other process keep this one from stopping the engine in time, where that is permitted."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    except PermissionError:
        yield
        return
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, 0)


def _await(holds: Callable[[], bool], session: Program, timeout_s: float = 180.0) -> None:
    until_s = time.monotonic() + timeout_s
    while not holds():
        if session.process.poll() is not None or time.monotonic() > until_s:
            raise AssertionError(f"the instant to kill at did not come: {session.told}")
        time.sleep(0.001)


def _count(out: Path, condition: str) -> int:
    files = list(out.glob(f"*/{FILE_NAME}"))
    if not files:
        return 0
    try:
        connection = sqlite3.connect(f"{files[0].as_uri()}?mode=ro", uri=True, timeout=0.2)
        try:
            return int(connection.execute(f"SELECT count(*) FROM trials WHERE {condition}").fetchone()[0])  # noqa: S608 - no outside text in it
        finally:
            connection.close()
    except sqlite3.Error:
        return 0


def _judged(out: Path) -> int:
    return _count(out, "status IN ('valid', 'invalid')")


def _valid(out: Path) -> int:
    return _count(out, "status = 'valid'")


def _left_after(victims: dict[str, psutil.Process], seconds: float) -> tuple[str, ...]:
    _, left = psutil.wait_procs(list(victims.values()), timeout=seconds)
    names = tuple(name for name, process in victims.items() if process in left)
    for process in left:
        process.kill()
    return names


def _told(words: str, exit_code: int, victim: str) -> bool:
    """Whether the person was told what died and how to go on; a killed engine's witness says it for it."""
    if exit_code == 0:
        return True  # the session was over
    named = {"stage": "stage", "ingest": "ingest", "engine": "engine", "all": ""}[victim]
    text = " ".join(words.split())
    if "session folder" not in text:  # there is nothing yet to go on with
        return victim in ("engine", "all") or named in text
    return named in text and "closedloop resume " in text


def _go_on(
    protocol_file: Path, out: Path, folders: list[Path], environment: dict[str, str]
) -> tuple[str, str]:
    """Go on with a session, or start anew where none had begun; again if the machine was too busy to begin."""
    words = ""
    for attempt in range(3):
        log = out.with_name(f"{out.name}-again{attempt}.txt")
        command = ["resume", str(folders[0])] if folders else ["run", str(protocol_file), "--out", str(out)]
        with Program(command, log, environment) as program:
            code, words = program.wait(300), program.told
        if code == 0 and not folders:
            return "started anew", words
        if code == 0:
            return "begun anew" if "begins anew" in words else "resumed", words
        if folders and "start again" in " ".join(words.split()):  # nothing was recorded yet
            for file in folders[0].iterdir():
                file.unlink()
            folders[0].rmdir()
            folders = []
        elif "error check" not in words:
            break
    return "failed", words
