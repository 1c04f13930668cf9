"""``python -m hardware.subject``: the simulated subject as a command of its own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from closedloop.errors import ClosedLoopError
from hardware.subject.faults import FAULTS, parse_fault
from hardware.subject.firing import FiringOptions
from hardware.subject.network import LAYERS
from hardware.subject.neurons import READOUTS
from hardware.subject.options import KINDS, SubjectOptions
from hardware.subject.running import run_until_signalled


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, run the subject, return the exit code."""
    parser = _parser()
    try:
        options = _options(vars(parser.parse_args(argv)))
    except ValueError as error:
        parser.error(str(error))
    except ClosedLoopError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's message
        return error.exit_code
    return run_until_signalled(options)


def _options(given: dict[str, Any]) -> SubjectOptions:
    """Make the options out of those that were given; what was not keeps its default."""
    given = {key: value for key, value in given.items() if value is not None}
    default = SubjectOptions().patch_px
    given["patch_px"] = (given.pop("patch_x", default[0]), given.pop("patch_y", default[1]))
    given["firing"] = FiringOptions(
        **{item.name: given.pop(item.name) for item in fields(FiringOptions) if item.name in given}
    )
    given["faults"] = tuple(parse_fault(text) for text in given.get("faults", ()))
    return SubjectOptions(**given)


def _numbers(count: int | None) -> Any:
    def parse(text: str) -> tuple[int, ...]:
        numbers = tuple(int(word) for word in text.split(","))
        if count is not None and len(numbers) != count:
            raise argparse.ArgumentTypeError(f"{text!r}: {count} whole numbers, separated by commas")
        return numbers

    return parse


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hardware.subject", description="A simulated subject that looks at the screen."
    )
    add = parser.add_argument
    add("--kind", choices=KINDS, help="of response stream (default spikes)")
    add("--name", help="of the response stream")
    add("--source-id", help="of the response stream")
    add("--rate-hz", type=float, help="of rates and counts (default 1000)")
    add("--display", help="X display (default: DISPLAY)")
    add("--wait-display", dest="wait_display_s", type=float, help="seconds to wait for it (default 5)")
    add("--patch-x", type=int, help="photodiode patch: a pixel's column; negative: from the right")
    add("--patch-y", type=int, help="its row from the top; negative: from the bottom")
    add("--picture", dest="picture_px", type=_numbers(4), metavar="X,Y,W,H", help="where pictures appear")
    add("--poll-hz", type=float, help="how often the patch is looked at (default 500)")
    add("--weights", help="model id or path of MobileNetV2's weights")
    add("--weights-sha256", help="of the file, if a path is given")
    add("--layer", choices=LAYERS, metavar="features.N", help="layer to read units from")
    add("--channels", type=_numbers(None), metavar="A,B,...", help="channel of the layer for each unit")
    add("--readout", choices=READOUTS)
    add("--input-px", type=int, help="side at which the network sees the picture (default 96)")
    add("--baseline-hz", type=float)
    add("--latency-s", type=float)
    add("--drift-per-hour", type=float, help="what responses are multiplied by in an hour")
    add("--wander", type=float, help="slow common fluctuation of the gain, log units")
    add("--noise", type=float, help="fluctuation from picture to picture, log units")
    add("--fixation", action="store_const", const=True, help="send a fixation stream too")
    add("--fixation-breaks-per-min", type=float, help="breaks of its own accord")
    add(
        "--fault",
        dest="faults",
        action="append",
        metavar="'KIND [S [UNIT]] @AT'",
        help="; ".join(f"{kind}: {text}" for kind, text in FAULTS.items()),
    )
    add("--commands", action="store_const", const=True, help="hear faults on standard input")
    add("--seconds", type=float, help="end after this long")
    add("--seed", type=int)
    return parser


if __name__ == "__main__":
    sys.exit(main())
