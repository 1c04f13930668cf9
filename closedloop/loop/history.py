"""What a session's file says of its loop so far: the ground on which it goes on.

The state of the loop is a function of the file. Every random number is drawn from the session's seed and
what it is for, so the optimizers are as they were once they have heard the recorded scores again, and the
queue of the open generation is once it has heard the recorded judgements.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from closedloop.errors import SessionDamagedError
from closedloop.loop.scorer import mean_of_known
from closedloop.optimizers import Origin, Population
from closedloop.optimizers.base import NO_PARENT
from closedloop.ports import Float64, Pixels
from closedloop.session import SessionReader

# Event with which each run after the first begins: what differs (``changes``), whether the person accepted
# that as another experiment (``accepted``), how many generations had been bred before (``bred``), which
# completed runs in a scanner are to be made again (``repeat``), and which were and no more are (``repeat_taken_back``).
RESUMED = "resumed"
_REMEDY = "`closedloop salvage` recovers what is complete; the session itself can't go on."


@dataclass(frozen=True, eq=False)
class Bred:
    """One generation of one thread, as it was recorded.

    Attributes:
        images: image numbers, by row.
        population: codes and genealogy.
        told: float64 (n,), what the optimizer was told; None as long as the generation is open.
        mean_evolved: mean of the evolved images' values; NaN for none, and while it is open.
        mean_reference: the same of the references.
    """

    images: tuple[int, ...]
    population: Population
    told: Float64 | None = None
    mean_evolved: float = float("nan")
    mean_reference: float = float("nan")


@dataclass(frozen=True, eq=False)
class LostReference:
    """A reference whose pixels can't be read any more (its file was damaged), and how to make them again.

    Attributes:
        image: its number.
        code: float32 (d,), that it was rendered from; None: it came from a file.
        source: name of that file.
        sha256: of its pixels' bytes; None: lost, too.
    """

    image: int
    code: npt.NDArray[np.float32] | None
    source: str | None
    sha256: str | None


@dataclass(frozen=True)
class Judgement:
    """A trial that was acknowledged in a run; ``value`` is None if it was invalid."""

    trial: int
    thread: int
    image: int
    repeat: int
    attempt: int
    value: float | None
    run: int = 0


@dataclass(frozen=True, eq=False)
class History:
    """A session up to the instant at which its file ends.

    Attributes:
        where: the file, for messages.
        references: image numbers of each thread's references; None: they were not recorded yet.
        complete: generations with all their scores, in order, thread by thread.
        open: the generation that was bred and has no scores yet, thread by thread; None: there is none.
        judged: acknowledged trials of the open generation, in order.
        first_trial: number of the first trial of the open generation, or of the next one.
        next_image: number of the next image.
        valid: valid trials so far.
        invalid: invalid ones.
        elapsed_s: for how long the session was running so far, pauses between runs left out.
        pixels: of references and of images of the open generation, as far as they were rendered.
        lost: references without pixels, by image number: what a salvage could not read.
        taken: so many generations were bred before a run that went on with accepted changes; they are taken
            as recorded, since the protocol of today does not give them.
        lenient: changes are accepted now, so nothing recorded need be what the protocol gives.
    """

    where: str
    references: tuple[tuple[int, ...], ...] | None = None
    complete: Sequence[Sequence[Bred]] = ()
    open: Sequence[Bred] | None = None
    judged: Sequence[Judgement] = ()
    first_trial: int = 0
    next_image: int = 0
    valid: int = 0
    invalid: int = 0
    elapsed_s: float = 0.0
    pixels: Mapping[int, Pixels] = field(default_factory=dict)
    lost: Mapping[int, LostReference] = field(default_factory=dict)
    taken: int = 0
    lenient: bool = False

    @property
    def bred(self) -> int:
        """How many generations were bred so far."""
        return len(self.complete) + (self.open is not None)

    @property
    def next_generation(self) -> int:
        """Index of the generation that is to go on or to begin."""
        return len(self.complete)

    def first_population(self, thread: int) -> Population | None:
        """Return the first generation of a thread, if it was bred."""
        first = self.complete[0] if self.complete else self.open
        return None if first is None else first[thread].population


def read_history(reader: SessionReader) -> History:
    """Read the state of the loop.

    Raises:
        SessionDamagedError: what is recorded does not fit together, as it always does after a mere crash.
    """
    with reader.snapshot():
        return _Reading(reader).history()


class _Reading:
    """The tables of one session file, and what they say of the loop."""

    def __init__(self, reader: SessionReader) -> None:
        self._reader = reader
        self._where = str(reader.path)
        self._threads = [int(thread) for thread in reader.table("threads")["thread"].sort_values()]
        self._images = reader.table("images").sort_values(["thread", "kind", "generation", "row"])
        self._scores = reader.table("scores").merge(self._images[["image", "kind", "row"]], on="image")
        trials = reader.table("trials")
        judged = trials[trials["status"].isin(["valid", "invalid"])]
        values = reader.table("responses")[["trial", "run", "value"]]
        self._judged = judged.merge(values, on=["trial", "run"], how="left").sort_values("trial")

    def history(self) -> History:
        complete, open_ = self._generations()
        first_trial = self._first_trial(len(complete))
        references = self._references()
        last = [image for bred in open_ or () for image in bred.images]
        wanted = [*(image for images in references or () for image in images), *last]
        pixels = {image: self._reader.pixels(image) for image in wanted}
        lost = [image for images in references or () for image in images if pixels[image] is None]
        return History(
            where=self._where,
            references=references,
            complete=complete,
            open=open_,
            judged=self._judgements(len(complete)),
            first_trial=first_trial,
            next_image=len(self._images),
            valid=int((self._judged["status"] == "valid").sum()),
            invalid=int((self._judged["status"] == "invalid").sum()),
            elapsed_s=self._elapsed_s(),
            taken=self._taken(),
            pixels={image: seen for image, seen in pixels.items() if seen is not None},
            lost={image: self._lost_reference(image) for image in lost},
        )

    def _references(self) -> tuple[tuple[int, ...], ...] | None:
        table = self._images[self._images["kind"] == "reference"]
        if table.empty and self._images.empty:
            return None
        missing = sorted(set(range(len(self._images))) - set(_numbers(self._images["image"])))
        if missing:
            raise self._damaged(f"image {missing[0]}", "no record of it, though later ones are recorded")
        return tuple(_numbers(table[table["thread"] == thread]["image"]) for thread in self._threads)

    def _lost_reference(self, image: int) -> LostReference:
        row = self._images[self._images["image"] == image].iloc[0]
        source, sha256 = (None if pd.isna(row[name]) else str(row[name]) for name in ("source", "sha256"))
        return LostReference(image, self._reader.code(image), source, sha256)

    def _generations(self) -> tuple[list[list[Bred]], list[Bred] | None]:
        table = self._reader.table("generations")
        complete: list[list[Bred]] = []
        open_: list[Bred] | None = None
        for generation, number in enumerate(sorted(set(table["generation"].tolist()))):
            rows = table[table["generation"] == number]
            ended = rows["ended_s"].notna()
            if number != generation or open_ is not None or sorted(rows["thread"]) != self._threads:
                raise self._damaged(f"generation {number}", "generations that do not follow each other")
            if ended.nunique() != 1:
                raise self._damaged(f"generation {number}", "scores of some threads only")
            bred = [self._bred(thread, generation, ended=bool(ended.all())) for thread in self._threads]
            if ended.all():
                complete.append(bred)
            else:
                open_ = bred
        return complete, open_

    def _bred(self, thread: int, generation: int, *, ended: bool) -> Bred:
        table = self._images
        table = table[
            (table["kind"] == "evolved") & (table["thread"] == thread) & (table["generation"] == generation)
        ].sort_values("row")
        where = f"generation {generation}, thread {thread}"
        if table.empty or list(table["row"]) != list(range(len(table))):
            raise self._damaged(where, "a population with codes missing")
        population = Population(
            generation,
            self._reader.codes(thread, generation),
            table[["parent_1", "parent_2"]].fillna(NO_PARENT).to_numpy(dtype=np.int32),
            np.array([Origin[str(origin).upper()] for origin in table["origin"]], dtype=np.int8),
        )
        images = _numbers(table["image"])
        if not ended:
            return Bred(images, population)
        scores = self._scores
        scores = scores[(scores["thread"] == thread) & (scores["generation"] == generation)].sort_values(
            "row"
        )
        evolved, references = (scores[scores["kind"] == kind] for kind in ("evolved", "reference"))
        if _numbers(evolved["image"]) != images:
            raise self._damaged(where, f"{len(evolved)} scores for {len(images)} images")
        return Bred(
            images,
            population,
            evolved["score"].to_numpy(dtype=np.float64, copy=True),
            mean_of_known(evolved["mean"].to_numpy(dtype=np.float64)),
            mean_of_known(references["mean"].to_numpy(dtype=np.float64)),
        )

    def _first_trial(self, generation: int) -> int:
        """Acknowledged trials are numbered without a hole, each once, generation by generation."""
        trials = self._judged["trial"].to_numpy()
        wrong = np.flatnonzero(trials != np.arange(len(trials)))
        if len(wrong):
            raise self._damaged(
                f"trial {wrong[0]}", "no judgement of it, or two, though later ones are judged"
            )
        if (np.diff(self._judged["generation"]) < 0).any():
            raise self._damaged("trials", "generations that are not in order")
        return int((self._judged["generation"] < generation).sum())

    def _judgements(self, generation: int) -> list[Judgement]:
        table = self._judged[self._judged["generation"] == generation]
        columns = ("trial", "thread", "image", "repeat", "attempt", "status", "value", "run")
        return [
            Judgement(trial, thread, image, repeat, attempt, value if status == "valid" else None, run)
            for trial, thread, image, repeat, attempt, status, value, run in _rows(table, *columns)
        ]

    def _taken(self) -> int:
        kinds = self._reader.table("events")["kind"].tolist()
        details = self._reader.details("events", "detail")
        resumed = [detail for kind, detail in zip(kinds, details, strict=True) if kind == RESUMED]
        return max((int(detail["bred"]) for detail in resumed if detail["accepted"]), default=0)

    def _elapsed_s(self) -> float:
        """Each run counts up to its end; one without an end up to the last that was recorded of it."""
        columns = {"trials": "ordered_s", "markers": "time_s", "events": "time_s"}
        last_s = [self._reader.table(name).groupby("run")[column].max() for name, column in columns.items()]
        elapsed_s = 0.0
        for run, started_s, ended_s in _rows(self._reader.table("runs"), "run", "started_s", "ended_s"):
            last = [ended_s] if not math.isnan(ended_s) else [series.get(run, started_s) for series in last_s]
            elapsed_s += max(0.0, *(float(time_s) - started_s for time_s in last))
        return elapsed_s

    def _damaged(self, what: str, found: str) -> SessionDamagedError:
        return SessionDamagedError(
            f"{self._where}: {what}", found=found, expected="a record without holes", remedy=_REMEDY
        )


def _numbers(column: pd.Series[int]) -> tuple[int, ...]:
    return tuple(int(value) for value in column)


def _rows(table: pd.DataFrame, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Yield rows of these columns as plain Python values."""
    return zip(*(table[column].tolist() for column in columns), strict=True)
