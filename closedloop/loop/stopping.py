"""Rules that end an evolution when it no longer rises."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from closedloop.loop.threads import EvolutionThread
from closedloop.protocol.models import Protocol, StopRule


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


def why_ended(protocol: Protocol, threads: Sequence[EvolutionThread], elapsed_s: float) -> str | None:
    """Return why no further generation is to begin, by the stop rules or the time limit, in words, or None.

    Args:
        protocol: with the rules.
        threads: with the scores of all generations so far.
        elapsed_s: for how long the session has been running.
    """
    return why_stopped(protocol, threads) or why_out_of_time(protocol, elapsed_s)


def why_stopped(protocol: Protocol, threads: Sequence[EvolutionThread]) -> str | None:
    """Return why the stop rules end the session, in words, or None; all of its threads must have reached one."""
    reasons = [reached(protocol.stop, thread.mean_scores) for thread in threads]
    if protocol.stop and all(reasons):
        return "; ".join(reason for reason in reasons if reason)
    return None


def why_out_of_time(protocol: Protocol, elapsed_s: float) -> str | None:
    """Return why the time limit ends a session that has been running for so many seconds, in words, or None."""
    minutes = protocol.limits.minutes
    if minutes is not None and elapsed_s > 60 * minutes:
        return f"the time limit of {minutes:g} minutes was reached"
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
