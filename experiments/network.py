"""Gives the processes of a session the protocol's own corner of the lab streaming layer."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from closedloop.protocol.models import Lsl
from hardware.lsl.config import use_config


@contextmanager
def lsl_as_in(spec: Lsl) -> Iterator[None]:
    """Configure LSL for this process and those started inside the block, if the protocol says so.

    Must be entered before anything of LSL is used in this process.
    """
    if spec.session_id is None:
        yield
        return
    before = os.environ.get("LSLAPICFG")
    with tempfile.TemporaryDirectory(prefix="closedloop-lsl-") as folder:
        use_config(Path(folder) / "lsl_api.cfg", spec.session_id, spec.scope, spec.known_peers)
        try:
            yield
        finally:
            if before is None:
                del os.environ["LSLAPICFG"]
            else:
                os.environ["LSLAPICFG"] = before
