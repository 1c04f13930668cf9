"""The rig's corner of the lab streaming layer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from closedloop.protocol.sections.base import Section


class Lsl(Section):
    """The rig's own corner of the lab streaming layer, so that no stranger is heard."""

    session_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._:-]{1,128}$",
        description="LSL session id: only programs with the same one hear each other. null: as LSLAPICFG says, if anything.",
    )
    scope: Literal["machine", "link", "site"] = Field(
        default="link",
        description="With a session_id: how far streams are looked for: this machine, this network segment, the site.",
    )
    known_peers: tuple[str, ...] = Field(
        default=(), description="With a session_id: hosts asked directly, where multicast is blocked."
    )
