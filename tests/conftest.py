"""What every test shares: an LSL session of its own, so that no stranger's stream is heard."""

from __future__ import annotations

import os
import signal
import tempfile
import uuid
from pathlib import Path

from hypothesis import HealthCheck, settings

# Must stand before the first import of pylsl, in this process and in its children.
_lsl_config = Path(tempfile.mkdtemp(prefix="closedloop-lsl-")) / "lsl_api.cfg"
_lsl_config.write_text(
    "[ports]\nIPv6 = disable\n"
    f"[lab]\nSessionID = test-{uuid.uuid4().hex[:12]}\n"
    # multicast that never leaves the machine: with ResolveScope = machine alone, LSL asks 127.0.0.1, where
    # of several programs only one hears the question, and looks below a second find just that one
    "[multicast]\nAddressesOverride = {127.0.0.1, 224.0.0.183}\nTTLOverride = 0\n",
    encoding="utf-8",
)
os.environ["LSLAPICFG"] = str(_lsl_config)

# A test is right or wrong, however busy the machine is; and the same examples every time, so that a failure
# is one for everybody.
settings.register_profile(
    "closedloop", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("closedloop")

# A shell that runs the tests in the background has them, and all that they start, ignore Ctrl-C, which some are about.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
