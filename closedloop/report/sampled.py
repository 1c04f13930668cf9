"""The samples around some onsets, without reading the rest of the session."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from closedloop.ports import Float64
from closedloop.scoring import Kind, ResponseRule, Window
from closedloop.session import SessionReader

GAP_S = 2.0  # onsets further apart than this are read in separate passes


def samples_around(
    reader: SessionReader, rule: ResponseRule, onsets_s: Float64, span: Window, run: int | None = None
) -> tuple[Float64, npt.NDArray[Any], ResponseRule] | None:
    """Return stamps (n,), values and the rule that fits them; None if there are no samples.

    Of binned kinds only the columns of the units that count are kept, so a thousand channels take no
    more memory than the few of them that are drawn: values are (n, units), and the rule's units 0, 1, ...

    Args:
        reader: of the session.
        rule: of the thread.
        onsets_s: (trials,), ascending.
        span: the time around each onset that is needed.
        run: in which the onsets lie; None: in any, of a session whose clock never began anew.
    """
    times: list[Float64] = []
    values: list[npt.NDArray[Any]] = []
    margin_s = 2 * (rule.bin_s or 0.0) + (rule.max_silence_s or 0.0)
    for group in np.split(onsets_s, np.flatnonzero(np.diff(onsets_s) > GAP_S) + 1):
        if not len(group):
            continue
        since, until = group[0] + span.start_s - margin_s, group[-1] + span.end_s + margin_s
        since = max(since, float(times[-1][-1]) + 1e-9) if times else since
        for row, stamps, block in reader.chunk_arrays("response", since, until, run):
            corrected = stamps + row["correction_s"]
            wanted = corrected >= since  # a chunk may reach into the group before, which has it already
            kept = block[:, list(rule.units)] if rule.kind.binned else block
            times.append(corrected[wanted])
            values.append(kept[wanted])
        times, values = [t for t in times if len(t)], [v for v in values if len(v)]
    if not times:
        return None
    stamps_s, samples = np.concatenate(times), np.concatenate(values)
    order = np.argsort(stamps_s, kind="stable")
    narrow = rule
    if rule.kind in (Kind.RATES, Kind.COUNTS):
        narrow = replace(rule, unit_count=len(rule.units), units=tuple(range(len(rule.units))))
    return stamps_s[order], samples[order], narrow
