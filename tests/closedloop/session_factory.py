"""Writes synthetic but consistent session files through the real SessionStore: no rig, no model.

A made-up neuron likes one point of the code space. Codes drift towards it from generation to generation,
so that responses rise; samples of the response stream agree with every recorded rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from closedloop.ports import Chunk, ClockProbe, Marker, Shown, StreamInfo, StreamState, StreamStateChange
from closedloop.session import ImageRecord, ScoreRecord, SessionStore, TrialRecord

CODE_DIM = 24
LATENCY_S = 0.06
WINDOW_S = (0.05, 0.2)
BASELINE_S = (0.0, 0.045)
START_S = 1000.0

PROTOCOL = """\
# a synthetic session, made for tests
version: 1
kind: evolution
subject: {{id: Alfa, species: Macaca mulatta, sex: F}}
notes: synthetic <b>&</b> for tests
seed: {seed}
presentation: {{on_ms: 100, off_ms: 100}}
threads:
{threads}
response:
  stream: {{source_id: synthetic}}
  kind: {kind}
  window: {{start_ms: 50, end_ms: 200}}
  baseline: {{start_ms: 0, end_ms: 45}}
references: {{random_codes: {references}, per_generation: {references}}}
limits: {{generations: {generations}}}
"""


@dataclass(frozen=True)
class SessionPlan:
    """What kind of session to make up.

    Attributes:
        generations: complete generations; one more is begun if ``half_generation``.
        kind: ``"rates"`` or ``"spikes"``.
        sample_hz: of the stream, kind rates.
        gain_hz: rate of the neuron at the picture it likes best, spikes/s above its base.
        rise: how much of the way to that picture the evolution makes, 0 to 1.
        invalid_share: share of trials that do not count.
        half_generation: the session ends within a generation.
        exit_status: None leaves the run open, as a crash does.
        resumed: a second run begins half way.
        trouble: a lost stream, a hole in the sequence and a restarted clock.
        samples: False leaves the stream's samples out.
    """

    generations: int = 4
    images: int = 8
    references: int = 3
    threads: tuple[str, ...] = ("evolution",)
    kind: str = "rates"
    channels: int = 3
    sample_hz: float = 500.0
    base_hz: float = 6.0
    gain_hz: float = 70.0
    rise: float = 0.8
    invalid_share: float = 0.06
    half_generation: bool = False
    exit_status: str | None = "completed"
    resumed: bool = False
    trouble: bool = False
    samples: bool = True
    image_px: int = 32
    seed: int = 7


@dataclass
class _State:
    plan: SessionPlan
    rng: np.random.Generator
    store: SessionStore
    folder: Path
    now_s: float = START_S + 2.0
    next_image: int = 1
    next_trial: int = 1
    sequence: int = 0
    segment: int = 0
    last_sample_s: float = START_S
    drives: list[tuple[float, float]] = field(default_factory=list)
    references: dict[int, list[int]] = field(default_factory=dict)
    codes: dict[int, npt.NDArray[np.float32]] = field(default_factory=dict)
    values: dict[tuple[int, int], dict[int, list[float]]] = field(default_factory=dict)


def write_session(folder: Path, plan: SessionPlan | None = None) -> Path:
    """Write a session folder and return it."""
    plan = plan or SessionPlan()
    folder.mkdir(parents=True, exist_ok=True)
    store = SessionStore.create(
        folder, meta=_meta(folder, plan), environment=environment(), started_s=START_S
    )
    state = _State(plan, np.random.default_rng(plan.seed), store, folder)
    _open(state)
    for index, name in enumerate(plan.threads):
        spec = {"name": name, "units": {"combine": "one", "units": [index]}, "optimizer": {"name": "genetic"}}
        store.add_thread(index, name, spec, {"name": "synthetic", "sha256": "0" * 64})
        _add_references(state, index)
    _marker(state, "session_start")
    total = plan.generations + int(plan.half_generation)
    for generation in range(total):
        if plan.resumed and generation == max(1, plan.generations // 2):
            _resume(state)
        with state.store.transaction():
            _generation(state, generation, complete=generation < plan.generations)
        if plan.trouble and generation == 1:
            _lose_stream(state)
        _flush_samples(state)
    _close(state)
    return folder


def environment() -> dict[str, object]:
    """What a run says about the machine."""
    return {
        "program": "0.1.0",
        "git_commit": "0123456789abcdef0123456789abcdef01234567",
        "python": "3.11.9",
        "packages": {"numpy": "2.3.5", "psychopy-lib": "2026.2.5", "pylsl": "1.18.6", "torch": "2.13.0"},
        "command": ["closedloop", "run", "protocols/demo.yaml"],
        "platform": "Linux-6.1.0-amd64",
        "cpu_cores": 2,
        "gpu": "none that torch can use",
    }


def display_report() -> dict[str, object]:
    """What the stage says about the display."""
    return {
        "size_px": [1024, 768],
        "refresh_hz": 60.0,
        "period_s": 1 / 60,
        "jitter_s": 0.00021,
        "paced_by": "clock",
        "pixels_per_deg": 25.5,
        "details": {"renderer": "llvmpipe", "priority": "SCHED_OTHER", "garbage_collection": "off in trials"},
    }


# --- parts of a session


def _meta(folder: Path, plan: SessionPlan) -> dict[str, str]:
    threads = "\n".join(
        f"  - {{name: {name}, units: {{combine: one, units: [{index}]}}}}"
        for index, name in enumerate(plan.threads)
    )
    protocol = PROTOCOL.format(
        seed=plan.seed,
        threads=threads,
        kind=plan.kind,
        references=plan.references,
        generations=max(1, plan.generations),
    )
    return {"session": folder.name, "kind": "evolution", "protocol": protocol, "seed": str(plan.seed)}


def _open(state: _State) -> None:
    plan = state.plan
    spikes = plan.kind == "spikes"
    state.store.set_display(display_report())
    state.store.add_stream(
        StreamInfo(
            role="response",
            kind=plan.kind,
            name="Synthetic",
            type="Rates",
            source_id="synthetic",
            nominal_hz=0.0 if spikes else plan.sample_hz,
            channels=1 if spikes else plan.channels,
            dtype="int32" if spikes else "float32",
            channel_names=("unit",) if spikes else tuple(f"unit {i}" for i in range(plan.channels)),
        )
    )
    _stream_state(state, StreamState.LIVE, "samples flow")


def _add_references(state: _State, thread: int) -> None:
    plan, records = state.plan, []
    state.references[thread] = []
    for row in range(plan.references):
        code = state.rng.standard_normal(CODE_DIM).astype(np.float32)
        image = state.next_image
        state.next_image += 1
        state.references[thread].append(image)
        state.codes[image] = code
        records.append(ImageRecord(image, "reference", thread, None, row, code, None, "random"))
    state.store.add_images(records)
    for record in records:
        state.store.set_pixels(record.image, picture(state.codes[record.image], plan.image_px))


def _generation(state: _State, generation: int, *, complete: bool) -> None:
    plan = state.plan
    threads = range(len(plan.threads))
    bred = {thread: _breed(state, thread, generation) for thread in threads}
    _marker(state, "generation_start", generation=generation)
    for thread in threads:
        timing = {
            "scoring": 0.4,
            "breeding": 1.1,
            "rendering": 14.0,
            "upload": 2.2,
            "wait": 6.0,
            "total": 24.5,
        }
        noisy = {part: value * float(state.rng.uniform(0.8, 1.5)) for part, value in timing.items()}
        state.store.set_timing(thread, generation, noisy)
    items = [(t, image) for t in threads for image in (*bred[t], *state.references[t])]
    order = state.rng.permutation(len(items))
    shown = order if complete else order[: len(order) // 2]
    for position in shown:
        thread, image = items[position]
        attempt = 0
        while not _trial(state, thread, generation, image, attempt) and attempt < 3:
            attempt += 1
    if complete:
        state.now_s += 0.15
        for thread in threads:
            _score(state, thread, generation)
        _marker(state, "generation_end", generation=generation)
    state.now_s += 0.05


def _breed(state: _State, thread: int, generation: int) -> list[int]:
    plan = state.plan
    progress = plan.rise * generation / max(1, plan.generations - 1)
    records = []
    state.store.begin_generation(thread, generation, state.now_s)
    for row in range(plan.images):
        noise = state.rng.standard_normal(CODE_DIM) * (1 - 0.7 * progress)
        code = (progress * _liked(thread) + (1 - progress) * noise).astype(np.float32)
        image = state.next_image
        state.next_image += 1
        state.codes[image] = code
        parents = (
            None
            if generation == 0
            else (int(state.rng.integers(plan.images)), int(state.rng.integers(plan.images)))
        )
        origin = "random" if generation == 0 else "bred"
        records.append(ImageRecord(image, "evolved", thread, generation, row, code, parents, origin))
    state.store.add_images(records)
    for record in records:
        state.store.set_pixels(record.image, picture(state.codes[record.image], plan.image_px))
    return [record.image for record in records]


def _trial(state: _State, thread: int, generation: int, image: int, attempt: int) -> bool:
    plan, store, rng = state.plan, state.store, state.rng
    period, on, off = 1 / 60, 6, 6
    trial = state.next_trial
    state.next_trial += 1
    store.order_trial(TrialRecord(trial, thread, generation, image, attempt, 0, on, off), state.now_s - 0.05)
    flips = state.now_s + period * np.arange(on + off + 1) + rng.normal(0, 0.0002, on + off + 1)
    fate = rng.random()
    missed = 0
    if fate < plan.invalid_share / 2:
        missed = 1
        flips[int(rng.integers(2, on + off)) :] += period
    store.set_onset(trial, float(flips[0]))
    store.set_shown(Shown(trial, flips, on, missed, complete=True))
    _marker(state, "stimulus_on", flips[0], trial=trial, generation=generation, image=image, thread=thread)
    _marker(state, "stimulus_off", flips[on], trial=trial, generation=generation, image=image, thread=thread)
    rate = _rate(plan, state.codes[image], thread)
    state.drives.append((float(flips[0]), rate))
    state.now_s = float(flips[-1])
    judged_s = state.now_s + 0.06
    if missed:
        store.reject_trial(trial, "missed", "1 frame was missed", judged_s)
        return False
    if fate < plan.invalid_share:
        store.reject_trial(trial, "window", "the response window is not covered by samples", judged_s)
        return False
    width = WINDOW_S[1] - WINDOW_S[0]
    counts = rng.poisson(np.full(plan.channels, rate) * width)
    counts[1:] = rng.poisson(plan.base_hz * width, plan.channels - 1)
    rates = np.roll(counts, min(thread, plan.channels - 1)) / width
    base = rng.poisson(plan.base_hz * 0.045, plan.channels) / 0.045
    value = float(rates[min(thread, plan.channels - 1)])
    store.accept_trial(trial, rates, base, value, judged_s)
    state.values.setdefault((thread, generation), {}).setdefault(image, []).append(value)
    return True


def _score(state: _State, thread: int, generation: int) -> None:
    values = state.values.get((thread, generation), {})
    records = []
    bred = [i for i, code in state.codes.items() if i not in state.references[thread]]
    shown = bred[-state.plan.images * len(state.plan.threads) :]
    first = thread * state.plan.images
    for image in [*shown[first : first + state.plan.images], *state.references[thread]]:
        seen = values.get(image, [])
        mean = float(np.mean(seen)) if seen else float("nan")
        sem = float(np.std(seen, ddof=1) / np.sqrt(len(seen))) if len(seen) > 1 else float("nan")
        records.append(ScoreRecord(thread, generation, image, len(seen), mean, sem, mean))
    state.store.add_scores(records)
    state.store.end_generation(thread, generation, state.now_s)


def _flush_samples(state: _State) -> None:
    """Write the stream's samples up to now, in chunks of 50 ms, as the drives so far ask for."""
    plan = state.plan
    if not plan.samples:
        return
    end_s = state.now_s + 0.3
    period = 1 / plan.sample_hz
    stamps = np.arange(state.last_sample_s + period, end_s, period)
    rate = np.full(len(stamps), plan.base_hz)
    for onset, drive in state.drives:
        inside = slice(*np.searchsorted(stamps, [onset + LATENCY_S, onset + 0.2]))
        rate[inside] = drive
    state.drives = state.drives[-3:]
    spikes = state.rng.poisson(np.full((len(stamps), plan.channels), plan.base_hz) * period)
    for thread in range(min(len(plan.threads), plan.channels)):
        spikes[:, thread] = state.rng.poisson(rate * period)
    step = max(1, round(0.05 / period))
    with state.store.transaction():
        for start in range(0, len(stamps), step):
            part = slice(start, start + step)
            _chunk(state, stamps[part], spikes[part], period)
        state.store.add_probe(ClockProbe("response", state.segment, state.now_s, -0.5 + 2e-5, 3.1e-5))
    state.last_sample_s = float(stamps[-1])


def _chunk(
    state: _State, stamps: npt.NDArray[np.float64], spikes: npt.NDArray[np.int64], period: float
) -> None:
    if state.plan.kind == "spikes":
        sample, unit = np.nonzero(spikes)
        if not len(unit):
            return
        times, values = stamps[sample], unit.astype(np.int32)[:, None]
    else:
        times, values = stamps, (spikes / period).astype(np.float32)
    received_s = float(times[-1]) + float(state.rng.uniform(0.002, 0.012))
    state.store.add_chunk(
        Chunk("response", state.segment, state.sequence, times + 0.5, values, -0.5, 3e-5, received_s),
        received_s + float(state.rng.uniform(0.001, 0.006)),
    )
    state.sequence += 1


def _lose_stream(state: _State) -> None:
    _stream_state(state, StreamState.LATE, "no sample for 0.15 s")
    state.now_s += 0.4
    _stream_state(state, StreamState.LOST, "no sample for 0.4 s")
    state.store.add_event("warning", state.now_s, text="response stream lost")
    state.now_s += 1.0
    _stream_state(state, StreamState.RECOVERING, "samples flow again")
    state.now_s += 0.3
    _stream_state(state, StreamState.LIVE, "samples flow")
    state.segment += 1
    state.sequence += 2  # two chunks were lost
    state.last_sample_s = state.now_s - 0.3


def _resume(state: _State) -> None:
    state.store.order_trial(TrialRecord(state.next_trial, 0, 0, 1, 0, 0, 6, 6), state.now_s)  # cut off
    state.store.abandon()
    state.now_s += 30.0
    state.store = SessionStore.reopen(state.folder, environment=environment(), started_s=state.now_s)
    state.last_sample_s = state.now_s
    state.now_s += 2.0
    state.segment = 0
    _open(state)


def _close(state: _State) -> None:
    plan = state.plan
    state.store.add_event(
        "note", state.now_s - 1.0, text="cell <script>alert(1)</script> sounds well isolated"
    )
    state.store.add_event("key", state.now_s - 0.5, key="n", where="terminal")
    _marker(state, "session_end")
    if plan.exit_status is None:
        state.store.abandon()
        return
    reason = {"completed": "all generations are done"}.get(plan.exit_status, "asked for at the rig")
    state.store.close(ended_s=state.now_s, exit_status=plan.exit_status, reason=reason)


def _marker(state: _State, event: str, time_s: float | None = None, **more: int) -> None:
    payload = {"event": event, "session": state.folder.name, **more}
    state.store.add_marker(Marker(float(state.now_s if time_s is None else time_s), payload))


def _stream_state(state: _State, to: StreamState, reason: str) -> None:
    state.store.add_stream_state(StreamStateChange("response", to, state.now_s, 0.01, reason))


# --- the made-up neuron and generator


def _liked(thread: int) -> npt.NDArray[np.float64]:
    return np.random.default_rng(100 + thread).standard_normal(CODE_DIM)


def _rate(plan: SessionPlan, code: npt.NDArray[np.float32], thread: int) -> float:
    liked = _liked(thread)
    cosine = float(code @ liked / (np.linalg.norm(code) * np.linalg.norm(liked)))
    return plan.base_hz + plan.gain_hz * max(0.0, 0.25 + 0.75 * cosine) ** 2


def _basis() -> Callable[[npt.NDArray[np.float32], int], npt.NDArray[np.uint8]]:
    weights = np.random.default_rng(5).standard_normal((CODE_DIM, 5, 5, 3))

    def draw(code: npt.NDArray[np.float32], size_px: int) -> npt.NDArray[np.uint8]:
        ticks = np.linspace(0, np.pi, size_px)
        waves = np.cos(np.outer(ticks, np.arange(5)))
        field_ = np.einsum("yi,ijc,xj->yxc", waves, np.tensordot(code, weights, 1), waves)
        level = 1 / (1 + np.exp(-field_ / 6))
        return (level * 255).astype(np.uint8)

    return draw


picture = _basis()
