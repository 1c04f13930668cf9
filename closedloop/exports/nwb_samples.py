"""The samples of a response stream for a file that is written piece by piece.

Two hours of 1,024 channels at 1 kHz are some 30 GB: one chunk after the other is in memory, and the stamps of all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from closedloop.exports.columns import rows
from closedloop.ports import Float64
from closedloop.protocol.sections.volumes import Volumes
from closedloop.replay.recorded import protocol_of
from closedloop.session import SessionReader

_CHUNK_BYTES = 1 << 20  # of the file's own chunks, which its compression works on


@dataclass(frozen=True)
class Heard:
    """Responses that runs heard in one form.

    Attributes:
        runs: numbers of the runs, in order.
        undescribed: those of them whose stream's description is lost.
        info: the stream's own description; empty if it is lost for all of them.
        kind: of the stream, by the protocol: rates, counts, spikes or trials.
        channels: of the stream.
        counted: units whose responses were the scores.
        unit_count: as the protocol has it; 0 if it does not say.
        measured: what a sample is, in words.
        volumes: section of the protocol; None outside a scanner.
    """

    runs: tuple[int, ...]
    undescribed: tuple[int, ...]
    info: Mapping[str, Any]
    kind: str
    channels: int
    counted: tuple[int, ...]
    unit_count: int
    measured: str
    volumes: Volumes | None

    @property
    def unit_names(self) -> list[str]:
        """As the recording system names them, or else numbered; the first channel of kind trials is no unit."""
        names = [str(name) for name in self.info.get("channel_names", ())]
        first = 1 if self.kind == "trials" else 0
        return names[first:] or [f"unit {unit}" for unit in range(self.channels - first)]

    @property
    def source(self) -> str:
        """The stream in words."""
        if not self.info:
            return "a stream whose description is lost"
        named = f"{self.info.get('name')} (source id {self.info.get('source_id')})"
        lost = ", ".join(map(str, self.undescribed))
        return f"{named}; of run {lost} of the program its description is lost" if lost else named


def heard_responses(reader: SessionReader) -> list[Heard]:
    """Return what was heard, runs of one form (kind, channels, type) together; runs without a sample are left out.

    A stream whose description is lost is there all the same: its samples tell the form, the protocol the kind.
    """
    chunks = reader.table("chunks")
    chunks = chunks[chunks["role"] == "response"].drop_duplicates("run")
    forms = {
        int(run): (int(channels), str(dtype))
        for run, channels, dtype in zip(chunks["run"], chunks["channels"], chunks["dtype"], strict=True)
    }
    infos = {
        (int(row["run"]), str(row["role"])): info
        for row, info in zip(rows(reader.table("streams")), reader.details("streams", "info"), strict=True)
    }
    found: dict[tuple[str, int, str], Heard] = {}
    for run in sorted(forms):
        protocol = protocol_of(reader, run)
        info = infos.get((run, "response"), {})
        undescribed = () if info else (run,)
        spec = protocol.response
        channels, dtype = forms[run]
        form = (spec.kind, channels, dtype)
        counted = {unit for thread in protocol.threads for unit in thread.units.units}
        known = found.get(form)
        if known is None:
            units = tuple(sorted(counted))
            found[form] = Heard(
                (run,),
                undescribed,
                info,
                spec.kind,
                channels,
                units,
                spec.unit_count or 0,
                spec.sample_unit,
                spec.volumes,
            )
        else:
            units = tuple(sorted(counted | set(known.counted)))
            found[form] = replace(
                known,
                runs=(*known.runs, run),
                undescribed=(*known.undescribed, *undescribed),
                info=info or known.info,
                counted=units,
            )
    return list(found.values())


class SamplesInTime:
    """Samples (n, channels) of some runs in the order of their stamps, read as they are written.

    Args:
        reader: of the session.
        runs: of one form.
        zero: what to take from each run's times to have seconds from the session's start.

    Attributes:
        times_s: (n,) from the session's start, ascending.
        shape: samples and channels.
        dtype: of the samples.
    """

    def __init__(self, reader: SessionReader, runs: Sequence[int], zero: Mapping[int, float]) -> None:
        self._reader = reader
        self._runs = runs
        stamps = [times - zero[run] for run in runs for times in reader.stamps("response", run)]
        self.times_s: Float64 = np.concatenate(stamps) if stamps else np.empty(0)
        self._places: npt.NDArray[np.int64] | None = None
        if (np.diff(self.times_s) < 0).any():  # a sender that stamped a sample before the one ahead of it
            order = np.argsort(self.times_s, kind="stable")
            self._places = np.empty(len(order), dtype=np.int64)
            self._places[order] = np.arange(len(order))
            self.times_s = self.times_s[order]
        chunks = reader.table("chunks")
        chunks = chunks[(chunks["role"] == "response") & chunks["run"].isin(list(runs))]
        self.shape = (len(self.times_s), int(chunks["channels"].iloc[0]))
        self.dtype: np.dtype[Any] = np.dtype(str(chunks["dtype"].iloc[0]))

    def _recorded(self) -> Iterator[npt.NDArray[Any]]:
        for run in self._runs:
            for _, _, values in self._reader.chunk_arrays("response", run=run):
                yield values

    def pieces(self) -> Iterator[tuple[int, npt.NDArray[Any]]]:
        """Yield where each piece begins, and its samples; what comes too early waits for what is before it."""
        if self._places is None:
            start = 0
            for values in self._recorded():
                yield start, values
                start += len(values)
            return
        places, read, written = self._places, 0, 0
        # the first place that is still to come after each sample
        to_come = np.append(np.minimum.accumulate(places[::-1])[::-1], len(places))
        waiting = np.empty((0, self.shape[1]), dtype=self.dtype)
        due = np.empty(0, dtype=np.int64)
        for values in self._recorded():
            due = np.concatenate([due, places[read : read + len(values)]])
            waiting = np.concatenate([waiting, values])
            read += len(values)
            ready = due < to_come[read]
            if ready.any():
                piece = waiting[ready][np.argsort(due[ready])]
                yield written, piece
                written += len(piece)
                waiting, due = waiting[~ready], due[~ready]


def written_in_pieces(samples: SamplesInTime) -> Any:
    """Return samples as what hdmf writes piece by piece; hdmf is there if pynwb is."""
    from hdmf.data_utils import AbstractDataChunkIterator, DataChunk

    pieces = samples.pieces()
    per_sample = max(1, samples.shape[1] * samples.dtype.itemsize)
    at_a_time = max(1, min(samples.shape[0], _CHUNK_BYTES // per_sample)), samples.shape[1]

    class Pieces(AbstractDataChunkIterator):  # type: ignore[misc]  # hdmf has no type hints
        def __iter__(self) -> Any:
            return self

        def __next__(self) -> Any:
            start, values = next(pieces)
            return DataChunk(data=values, selection=np.s_[start : start + len(values), 0 : samples.shape[1]])

        next = __next__

        @property
        def dtype(self) -> np.dtype[Any]:
            return samples.dtype

        @property
        def maxshape(self) -> tuple[int, int]:
            return samples.shape

        def recommended_data_shape(self) -> tuple[int, int]:
            return samples.shape

        def recommended_chunk_shape(self) -> tuple[int, int]:
            return at_a_time

    return Pieces()
