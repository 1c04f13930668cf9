"""Numbers and times in words, the same way all over the report."""

from __future__ import annotations

import math
from collections.abc import Sequence

from closedloop.protocol.models import Protocol
from closedloop.protocol.sections.volumes import SPIKES_UNIT

NONE = "–"  # noqa: RUF001 - a dash in an empty cell is what is meant
THIN = "\u202f"  # between a number and its unit
HARD = "\u00a0"  # where no line may break


def unit_of(protocol: Protocol | None) -> str:
    """Return what responses are measured in."""
    return SPIKES_UNIT if protocol is None else protocol.response.unit


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with so many significant digits; a dash for none."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return decimals(value, min(places, 6))


def decimals(value: float, places: int) -> str:
    """Return a finite number with so many decimals, with a minus sign rather than a hyphen."""
    return f"{value:,.{places}f}".replace("-", "−")  # noqa: RUF001 - the minus sign is what is meant


def quantity(value: float | None, unit: str, digits: int = 3) -> str:
    """Return a number and its unit; a dash for none."""
    text = number(value, digits)
    return text if text == NONE else f"{text}{THIN}{unit}"


def mean_sem(mean: float | None, sem: float | None, unit: str = "") -> str:
    """Return ``mean ± sem unit``, both with the same number of decimals."""
    if mean is None or not math.isfinite(mean):
        return NONE
    tail = f"{THIN}{unit}" if unit else ""
    if sem is None or not math.isfinite(sem):
        return f"{decimals(mean, 1)}{tail}"
    return f"{decimals(mean, 1)}{HARD}±{HARD}{sem:.1f}{tail}"


def count(n: int, singular: str, plural: str | None = None) -> str:
    """Return ``1 trial``, ``1,204 trials``, ``no trial``."""
    if n == 0:
        return f"no {singular}"
    return f"{n:,} {singular if n == 1 else plural or singular + 's'}"


def share(part: float, whole: float) -> str:
    """Return a share in percent; a dash of nothing."""
    if not whole:
        return NONE
    percent = 100.0 * part / whole
    if 0 < percent < 0.1:
        return f"{percent:.2g}{THIN}%"
    return f"{percent:.1f}{THIN}%" if percent < 99.95 or percent == 100 else f"{percent:.2f}{THIN}%"


def duration(seconds: float | None) -> str:
    """Return a duration as people say it: ``42 s``, ``3 min 20 s``, ``1 h 12 min``."""
    if seconds is None or not math.isfinite(seconds):
        return NONE
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{THIN}s"
    if whole < 3600:
        return f"{whole // 60}{THIN}min {whole % 60}{THIN}s"
    return f"{whole // 3600}{THIN}h {whole % 3600 // 60}{THIN}min"


def moment(seconds: float) -> str:
    """Return a time from the start as ``m:ss.s``."""
    sign = "−" if seconds < 0 else ""  # noqa: RUF001 - a minus sign is what is meant
    tenths = round(abs(seconds) * 10)
    return f"{sign}{tenths // 600}:{tenths % 600 / 10:04.1f}"


def p_value(p: float) -> str:
    """Return a p value as it is printed."""
    if not math.isfinite(p):
        return NONE
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def times(n: int) -> str:
    """Return ``once``, ``twice``, ``3 times``."""
    return {1: "once", 2: "twice"}.get(n, f"{n:,} times")


def utc(text: str) -> str:
    """Return an ISO time as people write it, to the second."""
    return text[:19].replace("T", " ")


def listed(items: Sequence[str]) -> str:
    """Return ``a``, ``a and b``, ``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"
