"""Measures every valid trial again from the recorded samples, and looks for holes in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from closedloop.replay.recorded import Recorded
from closedloop.replay.samples import Measured, Measuring, measure_again
from closedloop.replay.verification.difference import Check, Difference, Verification, numbers_apart
from closedloop.scoring import Invalid

# Sums in another order (another processor, another BLAS) differ by less than this share.
LARGEST_ROUNDING = 1e-12
# Reasons that the samples alone give: such a trial must be invalid again. Other reasons, such as samples
# that came too late, can't be told from the samples.
TOLD_BY_SAMPLES = ("not-finite", "artefact", "doubled")


def check_responses(recorded: Recorded, found: Verification, progress: Callable[[int], None]) -> None:
    """Measure trials again and compare rates, baselines and values."""
    table = recorded.trials
    again = table[
        table["onset_s"].notna()
        & ((table["status"] == "valid") | table["reason"].isin(TOLD_BY_SAMPLES).fillna(False))
    ].reset_index(drop=True)
    how = {run: Measuring.of(protocol) for run, protocol in recorded.protocols.items()}
    found.count(Check.RESPONSES, len(again))
    for one in measure_again(recorded.reader, again, how, recorded.streams):
        row = again.iloc[one.place]
        at: dict[str, Any] = {
            "generation": int(row["generation"]),
            "thread": recorded.names.get(int(row["thread"])),
            "trial": int(row["trial"]),
            "run": int(row["run"]),
            "image": int(row["image"]),
        }
        if row["status"] == "valid":
            _compare(recorded, one.measured, one.as_heard, at, float(row["value"]), found)
        elif not (isinstance(one.measured, Invalid) or isinstance(one.as_heard, Invalid)):
            detail = f"recorded as invalid ({row['reason']}); its samples give a response"
            found.differences.append(Difference(Check.RESPONSES, "judgement", detail, **at))
        progress(one.place)
    _skipped(recorded, found, len(again))


def _compare(
    recorded: Recorded,
    measured: Measured | Invalid,
    as_heard: Measured | Invalid,
    at: dict[str, Any],
    value: float,
    found: Verification,
) -> None:
    try:
        rates = recorded.reader.rates(at["trial"], at["run"])
        baseline = recorded.reader.baseline(at["trial"], at["run"])
    except KeyError:
        detail = "the trial is recorded as valid and has no response"
        found.differences.append(Difference(Check.RESPONSES, "response", detail, **at))
        return
    tries = [one for one in (measured, as_heard) if isinstance(one, Measured)]
    if not tries:
        assert isinstance(measured, Invalid)  # noqa: S101  # what else it could be was in the list
        detail = f"recorded as valid; its samples give no response ({measured.detail})"
        found.differences.append(Difference(Check.SAMPLES, "missing samples", detail, **at))
        return
    outcomes = [_apart(rates, baseline, value, one) for one in tries]
    largest, what, detail = min(outcomes, key=lambda outcome: outcome[0])
    if largest > LARGEST_ROUNDING:
        found.differences.append(Difference(Check.RESPONSES, what, detail, **at))
    elif largest > 0:
        found.rate_rounding = found.rate_rounding.with_one(largest)


def _apart(
    rates: np.ndarray[Any, np.dtype[np.float64]],
    baseline: np.ndarray[Any, np.dtype[np.float64]] | None,
    value: float,
    measured: Measured,
) -> tuple[float, str, str]:
    """Return how far a record is from what its samples give, relative; what differs; and the detail."""
    pairs = [("rate", rates, measured.rates_hz)]
    if (baseline is None) != (measured.baseline_hz is None):
        detail = f"recorded {'none' if baseline is None else 'one'}; the protocol asks for the other"
        return float("inf"), "baseline", detail
    if baseline is not None and measured.baseline_hz is not None:
        pairs.append(("baseline rate", baseline, measured.baseline_hz))
    largest = 0.0
    for what, was, now in pairs:
        apart = numbers_apart(was, now)
        if apart > LARGEST_ROUNDING:
            if was.shape != now.shape:
                return apart, what, f"recorded of {len(was)} units, measured of {len(now)}"
            unit = int(np.flatnonzero(~((was == now) | (np.isnan(was) & np.isnan(now))))[0])
            return (
                apart,
                what,
                f"unit {unit}: recorded {was[unit]:.17g}, the samples give {now[unit]:.17g}",
            )
        largest = max(largest, apart)
    apart = numbers_apart(np.array([value]), np.array([measured.value]))
    return max(largest, apart), "value", f"recorded {value:.17g}, the rates give {measured.value:.17g}"


def check_holes(recorded: Recorded, found: Verification) -> None:
    """Look for chunks that are missing though nothing in the file says that they were lost."""
    table = recorded.reader.table("chunks").sort_values(["run", "role", "sequence"])
    found.count(Check.SAMPLES, len(table))
    lost = _lost(recorded)
    after: dict[str, int] = {}  # where the run before ended
    for run, role in sorted(
        {(int(run), str(role)) for run, role in zip(table["run"], table["role"], strict=True)}
    ):
        chunks = table[(table["run"] == run) & (table["role"] == role)]
        sequence = chunks["sequence"].to_numpy(dtype=np.int64)
        begins = sequence[0] if sequence[0] in (0, after.get(role)) else 0
        after[role] = int(sequence[-1]) + 1
        holes = [(int(i), int(sequence[i]) + 1) for i in np.flatnonzero(np.diff(sequence) != 1)]
        if sequence[0] != begins:
            holes.insert(0, (-1, int(begins)))
        if not holes:
            continue
        missing = int(sequence[-1] + 1 - begins) - len(sequence)
        if missing <= lost.get((run, role), 0):
            found.notes.append(
                f"Run {run}: {missing} chunks of the {role} stream were lost while it ran, as its events say."
            )
            continue
        last, gone = holes[0]
        begin = float(chunks["last_s"].iloc[last]) if last >= 0 else -np.inf
        end = float(chunks["first_s"].iloc[last + 1])
        trial = recorded.trials[
            (recorded.trials["run"] == run)
            & (recorded.trials["onset_s"] <= end)
            & (recorded.trials["judged_s"] >= begin)
        ]
        at: dict[str, Any] = {"run": run}
        if len(trial):
            at["generation"], at["trial"] = int(trial["generation"].iloc[0]), int(trial["trial"].iloc[0])
        detail = f"chunk {gone} of the {role} stream is not in the file ({missing} missing in this run)"
        found.differences.append(Difference(Check.SAMPLES, "missing samples", detail, **at))


def _lost(recorded: Recorded) -> dict[tuple[int, str], int]:
    """How many chunks each stream lost while it ran, as events say."""
    table = recorded.reader.table("events")
    lost: dict[tuple[int, str], int] = {}
    for run, kind, detail in zip(table["run"], table["kind"], table["detail"], strict=True):
        if kind == "samples_lost":
            told = json.loads(detail)
            key = (int(run), str(told.get("role")))
            # the event's words begin with the number of chunks
            words = str(told.get("reason", "")).split()
            lost[key] = lost.get(key, 0) + (int(words[0]) if words and words[0].isdigit() else 0)
    return lost


def _skipped(recorded: Recorded, found: Verification, measured: int) -> None:
    told = int((recorded.trials["reason"] == "missed-frame").sum())
    left = len(recorded.trials) - measured - told
    if left:
        found.notes.append(
            f"{left} invalid {'trial was' if left == 1 else 'trials were'} not judged again: why they do not"
            " count (samples that came late, a stream in doubt) can't be told from what is recorded."
        )
