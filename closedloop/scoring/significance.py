"""Did the evolution work? Best two generations against the first two, with what may be said against it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr

from closedloop.scoring.repeats import average_by

SPAN = 2
"""Generations on each side of the comparison."""

ALPHA = 0.05

_ALWAYS = (
    "The best generations were chosen because they are the best: their mean is too high on average, and p "
    "too small. The corrected p (Bonferroni, times the number of pairs there were to choose from) bounds that.",
    "Images of one generation are relatives and follow each other in time, so scores are not independent as "
    "the test assumes; the effective n is smaller than the n given.",
    "One comparison within one session and one subject; it says nothing about other neurons.",
)


@dataclass(frozen=True)
class Welch:
    """Welch's t-test of two groups with unequal variances, two-sided.

    Attributes:
        t: above 0 if the second group's mean is the larger; NaN if it can't be computed.
        df: Welch-Satterthwaite degrees of freedom.
        p: two-sided.
        means: of the first and the second group.
        n: sizes of the first and the second group.
    """

    t: float
    df: float
    p: float
    means: tuple[float, float]
    n: tuple[int, int]


@dataclass(frozen=True)
class Significance:
    """Best generations against the first ones.

    Attributes:
        evolved: the test of the evolved images; None with too few generations.
        p_corrected: ``evolved.p`` times the number of pairs to choose from, at most 1.
        reference: the same generations' references, which should not differ; None without references.
        first: numbers of the first generations.
        best: numbers of the best ones, by mean score, among those after the first.
        significant: whether the mean rose and ``p_corrected`` is below 0.05.
        caveats: what must be said with it, in plain words.
    """

    evolved: Welch | None
    p_corrected: float
    reference: Welch | None
    first: tuple[int, ...]
    best: tuple[int, ...]
    significant: bool
    caveats: tuple[str, ...]


def welch(first: ArrayLike, second: ArrayLike) -> Welch:
    """Return Welch's t-test of two groups; NaN values are left out.

    With fewer than two values in a group, or no spread in both, t, df and p are NaN.

    Source: Welch BL (1947), Biometrika 34:28.
    """
    groups = [np.asarray(group, dtype=np.float64) for group in (first, second)]
    groups = [group[np.isfinite(group)] for group in groups]
    n = (len(groups[0]), len(groups[1]))
    means = tuple(float(group.mean()) if len(group) else math.nan for group in groups)
    unknown = Welch(math.nan, math.nan, math.nan, (means[0], means[1]), n)
    if min(n) < 2:
        return unknown
    parts = [float(group.var(ddof=1)) / len(group) for group in groups]
    if sum(parts) == 0:
        return unknown
    t = (means[1] - means[0]) / math.sqrt(sum(parts))
    # as shares of the sum, so that tiny variances do not underflow when squared
    shares = [part / sum(parts) for part in parts]
    df = 1.0 / sum(share**2 / (size - 1) for share, size in zip(shares, n, strict=True))
    return Welch(t, df, float(2 * stdtr(df, -abs(t))), (means[0], means[1]), n)


def significance(generations: ArrayLike, is_reference: ArrayLike, scores: ArrayLike) -> Significance:
    """Compare the best two generations of the evolved images with the first two.

    Args:
        generations: int (k,), the generation of each score, from 0.
        is_reference: bool (k,).
        scores: float (k,), one for each image and generation, NaN where there is none.
    """
    generation = np.asarray(generations, dtype=np.int64)
    reference = np.asarray(is_reference, dtype=bool)
    score = np.asarray(scores, dtype=np.float64)
    usable = np.unique(generation[~reference & np.isfinite(score)])
    first, later = usable[:SPAN], usable[SPAN:]
    if len(later) < SPAN:
        reason = f"Only {len(usable)} generations have scores; the test needs {2 * SPAN}."
        return Significance(None, math.nan, None, tuple(first.tolist()), (), False, (reason,))
    means = average_by(generation[~reference], score[~reference], int(generation.max()) + 1).mean[later]
    best = np.sort(later[np.argsort(-means, kind="stable")[:SPAN]])

    def compare(which: NDArray[np.bool_]) -> Welch:
        return welch(score[which & np.isin(generation, first)], score[which & np.isin(generation, best)])

    evolved = compare(~reference)
    p_corrected = min(1.0, evolved.p * math.comb(len(later), SPAN)) if evolved.p <= 1 else math.nan
    fixed = compare(reference) if reference.any() else None
    return Significance(
        evolved,
        p_corrected,
        fixed,
        tuple(first.tolist()),
        tuple(best.tolist()),
        bool(evolved.t > 0 and p_corrected < ALPHA),
        (*_ALWAYS, _about_drift(fixed), *_about_size(evolved)),
    )


def _about_drift(fixed: Welch | None) -> str:
    if fixed is None:
        return "There were no references: a drift of the subject's answers looks the same as an evolution."
    if math.isnan(fixed.p):
        return "There are too few reference answers to tell a drift from an evolution."
    before, after = fixed.means
    drifted = f"The answers to the references went from {before:.3g} to {after:.3g} (p = {fixed.p:.2g})"
    if fixed.p < ALPHA:
        return f"{drifted}: the subject drifted, which accounts for a part of the difference."
    return f"{drifted}: no drift was found, which does not prove that there was none."


def _about_size(evolved: Welch) -> tuple[str, ...]:
    if math.isnan(evolved.p):
        return ("The scores have no spread, or too few are valid, so there is no test.",)
    return ("The groups are small; p is approximate.",) if min(evolved.n) < 10 else ()
