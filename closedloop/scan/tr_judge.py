"""Is the TR the protocol's, and does it stay what it is?"""

from __future__ import annotations

from closedloop.protocol.sections.scan import Scanner
from closedloop.scan.findings import PulseFinding
from closedloop.scan.fit import NEAR, SETTLED, RunningFit, TrFit

SURE = 4.3
"""Standard errors by which a TR must be off to be called so."""

SURE_OF_FEW = 5.5
"""As ``SURE``, while there are fewer than ``FEW`` pulses, of which a median of slopes has longer tails."""

FEW = 8

SURE_BEYOND = 2.5
"""Standard errors by which it must be off beyond the tolerance."""

DRIFT_SHARE = 0.25
"""Share of the protocol's TR tolerance by which the TR may change over a run."""

_DRIFT_FROM = 20  # pulses; a parabola through fewer says nothing
_DRIFT_EVERY = 4


def believed_se_s(fit: TrFit, scanner: Scanner) -> float:
    """Return the TR's standard error; the protocol's jitter is believed even where the first pulses lie well."""
    return fit.tr_se_s * max(scanner.jitter_ms / 1000, fit.scale_s) / fit.scale_s


def is_off(fit: TrFit, scanner: Scanner) -> bool:
    """Return whether the pulses say for sure that the TR is not the protocol's."""
    if fit.n < SETTLED:
        return False
    se_s = believed_se_s(fit, scanner)
    sure = SURE_OF_FEW if fit.n < FEW else SURE
    tolerance_s = scanner.tr_tolerance * scanner.tr_s
    return abs(fit.tr_s - scanner.tr_s) > max(tolerance_s + SURE_BEYOND * se_s, sure * se_s)


class TrJudge:
    """Says, once each, that the TR is not the protocol's and that it changes.

    Args:
        scanner: section of the protocol.
    """

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._tr_s = scanner.tr_s
        self._tolerance_s = scanner.tr_tolerance * scanner.tr_s
        self.tr_told = False
        self.drift_told = False

    def judge(self, running: RunningFit, pulse: int, time_s: float, volume: int) -> list[PulseFinding]:
        """Return what the fit tells after a pulse was added to it."""
        findings = []
        if not self.tr_told:
            findings += self._tr(running, pulse, time_s, volume)
        if not self.drift_told and running.n >= max(NEAR, _DRIFT_FROM) and running.n % _DRIFT_EVERY == 0:
            findings += self._drift(running, pulse, time_s, volume)
        return findings

    def every_other(self, step: int, pulse: int, time_s: float) -> list[PulseFinding]:
        """Return, once, that pulses come in every ``step``-th place only."""
        if self.tr_told:
            return []
        self.tr_told = True
        slices, interval_s = self._scanner.slices, self._scanner.busy_s / self._scanner.slices
        words = (
            f"Pulses come every {step} x {interval_s:g} s: either each time {step - 1} between them get lost, "
            "or the TR is not the protocol's"
        )
        if step == slices > 1:
            words += ", or the scanner sends one pulse a volume (pulse_per: volume)"
        elif slices > 1:
            words += f", or a volume has about {round(slices / step)} slices and not {slices}"
        words += "."
        detail = {"tr_nominal_s": self._tr_s, "tr_if_none_lost_s": step * self._tr_s}
        return [PulseFinding("tr_off", time_s, words, pulse=pulse, detail=detail)]

    def _tr(self, running: RunningFit, pulse: int, time_s: float, volume: int) -> list[PulseFinding]:
        fit = running.fit(0.0)
        if fit is None or not is_off(fit, self._scanner):
            return []
        self.tr_told = True
        off_s = fit.tr_s - self._tr_s
        percent = 100 * off_s / self._tr_s
        words = (
            f"The TR is {fit.tr_s:.4f} s, not the protocol's {self._tr_s:g} s ({percent:+.2f} %), by {fit.n} "
            f"pulses. Onsets keep to seconds from the run's start, so after 100 volumes they would come "
            f"{abs(100 * off_s):.2f} s {'before' if off_s > 0 else 'after'} the volumes that they are planned on."
        )
        detail = {
            "tr_nominal_s": self._tr_s,
            "tr_fitted_s": fit.tr_s,
            "tr_se_s": believed_se_s(fit, self._scanner),
            "pulses": fit.n,
        }
        return [PulseFinding("tr_off", time_s, words, pulse=pulse, volume=volume, detail=detail)]

    def _drift(self, running: RunningFit, pulse: int, time_s: float, volume: int) -> list[PulseFinding]:
        bend = running.bend()
        if bend is None:
            return []
        limit_s = max(
            DRIFT_SHARE * self._tolerance_s + SURE_BEYOND * bend.change_se_s, SURE * bend.change_se_s
        )
        if abs(bend.change_s) <= limit_s:
            return []
        self.drift_told = True
        words = (
            f"The TR drifts: it changed by {1000 * bend.change_s:+.2f} ms "
            f"({100 * bend.change_s / self._tr_s:+.3f} %) over {running.n} pulses."
        )
        detail = {"tr_change_s": bend.change_s, "tr_change_se_s": bend.change_se_s, "pulses": running.n}
        return [PulseFinding("drift", time_s, words, pulse=pulse, volume=volume, detail=detail)]
