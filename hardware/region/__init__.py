"""The simulated region: a patch of a brain in a scanner, behind a real-time pipeline, that looks at the screen.

``RegionOptions`` says what can be chosen, ``hardware.region.running.run`` runs it. Importing this package loads
neither torch nor pylsl nor Xlib.
"""

from __future__ import annotations

from hardware.region.options import KINDS, RegionOptions
from hardware.region.signal import SignalOptions

__all__ = ["KINDS", "RegionOptions", "SignalOptions"]
