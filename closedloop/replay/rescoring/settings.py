"""What is to be scored otherwise: ``window.end_ms=150 units=[3,4] combine=mean``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from closedloop.errors import ProtocolError
from closedloop.protocol.checks import check_protocol
from closedloop.protocol.fields import KeyPath
from closedloop.protocol.models import Protocol, Units
from closedloop.protocol.overrides import Override, apply_override, parse_override
from closedloop.protocol.problems import Located, Problem, did_you_mean, protocol_error
from closedloop.protocol.validate import problems_in

# What of the response section can be changed afterwards: the rest says how the session was run.
OF_RESPONSE = (
    "window",
    "baseline",
    "volumes",
    "subtract_baseline",
    "normalise",
    "artefact",
    "unit_count",
    "liveness",
)
OF_UNITS = tuple(Units.model_fields)
# A sender that measures itself has its own windows.
OF_WINDOWS = ("window", "baseline", "volumes", "subtract_baseline", "liveness")


class Setting(Override):
    """One value that replaces the session's, as messages name it."""

    @property
    def where(self) -> str:
        """The setting as messages name it."""
        return f"--rescore {self.text}"


def with_settings(protocol: Protocol, settings: Iterable[str]) -> Protocol:
    """Return a session's protocol with other windows, units or normalisation.

    Args:
        protocol: that the session was run by.
        settings: each ``key=value``: a key of the protocol's response section, or of a units section, which
            then holds for every thread; ``threads.NAME.units.KEY`` for one thread. The value is YAML.

    Raises:
        ProtocolError: an unknown key, or values that are wrong or do not fit each other; all of them.
    """
    tree = json.loads(protocol.model_dump_json())
    set_paths: dict[KeyPath, Setting] = {}
    for text in settings:
        for setting in _settings(text, protocol):
            set_paths[apply_override(tree, setting, keep_form=False)[0]] = setting
    try:
        changed = Protocol.model_validate_json(json.dumps(tree), strict=True)
    except ValidationError as error:
        raise _error(problems_in(error), set_paths) from None
    problems = check_protocol(changed) if set_paths else []
    if problems:
        raise _error(problems, set_paths)
    return changed


def _settings(text: str, protocol: Protocol) -> list[Setting]:
    try:
        parsed = parse_override(text)
    except ProtocolError as error:
        remedy = error.remedy.replace("--set presentation.on_ms=80", "--rescore window.end_ms=150")
        raise ProtocolError(
            f"--rescore {text}", found=error.found, expected=error.expected, remedy=remedy
        ) from error
    keys = parsed.keys
    if keys[0] in ("response", "units") and len(keys) > 1 and keys[1] in (*OF_RESPONSE, *OF_UNITS):
        keys = keys[1:]
    whole: list[tuple[str, ...]]
    if keys[0] in OF_RESPONSE:
        if protocol.response.kind == "trials" and keys[0] in OF_WINDOWS:
            raise ProtocolError(
                f"--rescore {text}",
                found="a stream of kind trials, which its sender has measured",
                expected="units, combine, weights, normalise or artefact",
                remedy="Windows of such a stream are the sender's affair.",
            )
        whole = [("response", *keys)]
    elif keys[0] in OF_UNITS:
        whole = [("threads", str(index), "units", *keys) for index in range(len(protocol.threads))]
    elif keys[0] == "threads" and len(keys) > 3 and keys[2] == "units":
        whole = [keys]
    else:
        raise ProtocolError(
            f"--rescore {text}",
            found=f"the key '{'.'.join(keys)}'",
            expected="one of " + ", ".join((*OF_RESPONSE, *OF_UNITS, "threads.NAME.units.KEY")),
            remedy=did_you_mean(keys[0], (*OF_RESPONSE, *OF_UNITS))
            or "Only what turns recorded samples into scores can be changed afterwards.",
        )
    return [Setting(text, path, parsed.value_text) for path in whole]


def _error(problems: Iterable[Problem], set_paths: dict[KeyPath, Setting]) -> ProtocolError:
    located: dict[Any, Located] = {}
    for problem in problems:
        setting = next((one for at, one in set_paths.items() if _related(problem.path, at)), None)
        where = setting.where if setting is not None else "the session's protocol"
        # a value that holds for every thread is wrong once
        located.setdefault((where, problem.found), Located(problem, None, where))
    return protocol_error("--rescore", list(located.values()))


def _related(path: KeyPath, at: KeyPath) -> bool:
    """Whether a problem lies at, below or in the same section as a key that was set."""
    shared = min(len(path), len(at))
    return path[:shared] == at[:shared] or (len(at) > 1 and path[: len(at) - 1] == at[:-1])
