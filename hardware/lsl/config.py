"""The LSL configuration of a rig: a session id of its own, so that no stranger is heard.

liblsl reads its configuration once, on first use, from the file that ``LSLAPICFG`` names. So this must
be set before pylsl is used, in each process; children inherit the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from closedloop.errors import StreamError

Scope = Literal["machine", "link", "site"]
# Multicast that never leaves the machine. With LSL's own scope "machine" only 127.0.0.1 is asked, where of
# several programs one alone hears the question, so that short looks find just that one (measured).
_MACHINE = ["AddressesOverride = {127.0.0.1, 224.0.0.183}", "TTLOverride = 0"]
_WARNING_AND_WORSE = -1  # liblsl's log level; its default tells of every file it reads


def config_text(session_id: str, scope: Scope = "link", known_peers: Sequence[str] = ()) -> str:
    """Return the text of an LSL configuration file.

    Args:
        session_id: letters, digits, ``-``, ``_`` and ``.``; programs hear only streams with the same one.
        scope: how far streams are looked for: this machine, this network segment, or the whole site.
        known_peers: host names or addresses that are asked directly, where multicast is blocked.

    Raises:
        StreamError: the session id or a peer has characters that don't belong into such a file.
    """
    for what, value in [("session id", session_id), *(("known peer", peer) for peer in known_peers)]:
        if not re.fullmatch(r"[A-Za-z0-9._:-]{1,128}", value):
            raise StreamError(
                f"LSL {what}",
                found=repr(value),
                expected="1 to 128 letters, digits, '-', '_', '.' or ':'",
                remedy="Choose another one.",
            )
    lines = ["[lab]", f"SessionID = {session_id}"]
    if known_peers:
        lines.append("KnownPeers = {" + ", ".join(known_peers) + "}")
    lines += ["[multicast]", *(_MACHINE if scope == "machine" else [f"ResolveScope = {scope}"])]
    lines += ["[log]", f"level = {_WARNING_AND_WORSE}"]
    return "\n".join(lines) + "\n"


def use_config(path: Path, session_id: str, scope: Scope = "link", known_peers: Sequence[str] = ()) -> None:
    """Write a configuration file and point this process and its future children to it.

    Call it before anything of LSL is used; the file must stay for as long as processes start.

    Args:
        path: where to write it.
        session_id: see ``config_text``.
        scope: see ``config_text``.
        known_peers: see ``config_text``.

    Raises:
        StreamError: see ``config_text``.
    """
    path.write_text(config_text(session_id, scope, known_peers), encoding="utf-8")
    os.environ["LSLAPICFG"] = str(path.resolve())
