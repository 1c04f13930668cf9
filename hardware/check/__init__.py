"""``closedloop check``: measures the machine and the rig, a module for each thing that is measured.

docs/check.md says what is measured, how, and why each threshold is what it is.
"""

from hardware.check.finding import Finding, Verdict, require_good
from hardware.check.run import run_checks

__all__ = ["Finding", "Verdict", "require_good", "run_checks"]
