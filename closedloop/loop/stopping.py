"""Rules that end an evolution when it no longer rises."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from closedloop.protocol.models import StopRule


def reached(rules: Sequence[StopRule], mean_scores: Sequence[float]) -> str | None:
    """Return why a thread may stop after its last generation, in words, or None.

    Args:
        rules: of the protocol; the first that holds counts.
        mean_scores: mean score of the evolved images of each generation so far, NaN where there is none.
    """
    for rule in rules:
        reason = _plateau(rule, mean_scores) if rule.rule == "plateau" else _score(rule, mean_scores)
        if reason:
            return reason
    return None


def _plateau(rule: StopRule, scores: Sequence[float]) -> str | None:
    n = rule.generations
    if len(scores) < 2 * n:
        return None
    before, now = _mean(scores[-2 * n : -n]), _mean(scores[-n:])
    if np.isnan(before) or np.isnan(now) or now > before + rule.min_rise * abs(before):
        return None
    return f"plateau: mean score {now:.1f} over the last {n} generations, {before:.1f} over the {n} before"


def _score(rule: StopRule, scores: Sequence[float]) -> str | None:
    level = rule.score
    if level is None or len(scores) < rule.generations:
        return None
    last = np.asarray(scores[-rule.generations :])
    if not bool((last >= level).all()):
        return None
    return f"score: at least {level:g} in each of the last {rule.generations} generations"


def _mean(values: Sequence[float]) -> float:
    known = np.asarray([v for v in values if not np.isnan(v)])
    return float(known.mean()) if known.size else float("nan")
