"""Gives the processes of a session the protocol's own corner of the lab streaming layer."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from closedloop.protocol.models import Lsl
from closedloop.protocol.scan import ScanProtocol
from experiments.lsl_quiet import is_configured
from hardware.lsl.config import Scope, use_config


@contextmanager
def lsl_as_in(spec: Lsl) -> Iterator[None]:
    """Configure LSL for this process and those started inside the block, if the protocol says so.

    Must be entered before anything of LSL is used in this process.
    """
    if spec.session_id is None:
        yield
        return
    with _configured(spec.session_id, spec.scope, spec.known_peers):
        yield


@contextmanager
def lsl_of_scan(protocol: ScanProtocol) -> Iterator[None]:
    """Configure LSL for a scan session: as its protocol says, or a corner of its own for a simulated scanner.

    Must be entered before anything of LSL is used in this process.
    """
    if protocol.scanner.simulate is not None and protocol.lsl.session_id is None:
        with lsl_of_its_own("simulated-scanner"):
            yield
    else:
        with lsl_as_in(protocol.lsl):
            yield


@contextmanager
def lsl_of_its_own(name: str) -> Iterator[None]:
    """Keep what is simulated apart from a rig on the same network, each unheard by the other.

    Where a person has set ``LSLAPICFG``, that holds. Must be entered before anything of LSL is used in this process.

    Args:
        name: begins the session id, whose rest nobody else has.
    """
    if is_configured():
        yield
        return
    with _configured(f"{name}-{uuid.uuid4().hex[:12]}", "machine"):
        yield


@contextmanager
def _configured(session_id: str, scope: Scope, known_peers: Sequence[str] = ()) -> Iterator[None]:
    before = os.environ.get("LSLAPICFG")
    with tempfile.TemporaryDirectory(prefix="closedloop-lsl-") as folder:
        use_config(Path(folder) / "lsl_api.cfg", session_id, scope, known_peers)
        try:
            yield
        finally:
            if before is None:
                del os.environ["LSLAPICFG"]
            else:
                os.environ["LSLAPICFG"] = before
