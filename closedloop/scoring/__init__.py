"""Scoring: from samples and onsets to one number an image. Pure functions, numpy and small records."""

from __future__ import annotations

from closedloop.scoring.combine import combine, combine_response
from closedloop.scoring.curve import Curve, curve
from closedloop.scoring.normalise import Normalised, normalise
from closedloop.scoring.psth import Psth, psth
from closedloop.scoring.records import EDGE_S, Invalid, Kind, Reason, Response, ResponseRule, Window
from closedloop.scoring.repeats import Averages, average_by
from closedloop.scoring.significance import Significance, Welch, significance, welch
from closedloop.scoring.windows import respond, respond_to_trial, still_open

__all__ = [
    "EDGE_S",
    "Averages",
    "Curve",
    "Invalid",
    "Kind",
    "Normalised",
    "Psth",
    "Reason",
    "Response",
    "ResponseRule",
    "Significance",
    "Welch",
    "Window",
    "average_by",
    "combine",
    "combine_response",
    "curve",
    "normalise",
    "psth",
    "respond",
    "respond_to_trial",
    "significance",
    "still_open",
    "welch",
]
