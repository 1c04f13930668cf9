"""A session may be larger than memory: salvage holds a page and a value of it at a time."""

from __future__ import annotations

import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from closedloop.ports import Chunk
from closedloop.session import ImageRecord, SessionReader, SessionStore
from closedloop.session.salvage import salvage

SAMPLES, CHANNELS = 32, 1024
CHUNK_BYTES = SAMPLES * CHANNELS * 8  # random, so that they are no smaller in the file


def chunk(sequence: int) -> Chunk:
    values = np.random.default_rng(sequence).standard_normal((SAMPLES, CHANNELS))
    return Chunk("response", 0, sequence, sequence + np.arange(SAMPLES) / 100, values, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(("closed", "chunks"), [(True, 60), (False, 4)])
def test_long_values_stay_in_the_file(tmp_path: Path, closed: bool, chunks: int) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    store = SessionStore.create(folder, meta={"session": "s"}, environment={}, started_s=0.0)
    store.add_thread(0, "evolution", {}, {})
    pixels = np.random.default_rng(1).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    with store.transaction():
        store.begin_generation(0, 0, 0.0)
        store.add_images([ImageRecord(0, "evolved", 0, 0, 0, np.zeros(4, np.float32), None, "random")])
        store.set_pixels(0, pixels)
        for sequence in range(chunks):
            store.add_chunk(chunk(sequence), 0.0)
    if closed:
        store.close(ended_s=1.0, exit_status="completed", reason="")
    else:  # all of it is in the log
        folder = Path(shutil.copytree(folder, tmp_path / "crashed"))
        store.abandon()
    tracemalloc.start()
    try:
        result = salvage(folder, tmp_path / "new")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000 < 60 * CHUNK_BYTES / 3  # of a larger file no more
    assert not any("chunk" in sentence or "pixels" in sentence for sentence in result.lost)
    with SessionReader(tmp_path / "new") as reader:
        for sequence, (_, _, values) in enumerate(reader.chunk_arrays("response")):
            assert values.tobytes() == chunk(sequence).values.tobytes()
        assert len(reader.table("chunks")) == chunks
        assert np.array_equal(np.asarray(reader.pixels(0)), pixels)
