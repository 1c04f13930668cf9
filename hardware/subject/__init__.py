"""The simulated subject: it looks at the screen, and its neurons answer over LSL.

``SubjectOptions`` says what can be chosen, ``run`` runs it, ``python -m hardware.subject`` is the command.
Importing this package loads neither torch nor pylsl nor Xlib.
"""

from __future__ import annotations

from hardware.subject.faults import FAULTS, Fault, parse_fault
from hardware.subject.options import KINDS, SubjectOptions

__all__ = ["FAULTS", "KINDS", "Fault", "SubjectOptions", "parse_fault", "run"]


def run(options: SubjectOptions) -> int:
    """Run the subject until SIGINT or SIGTERM (or its time is over); return the exit code.

    Prints ``ready SOURCE_ID`` once its stream is up, and an error in one line. Call it from the main thread.
    """
    from hardware.subject.running import run_until_signalled  # late: it loads torch

    return run_until_signalled(options)
