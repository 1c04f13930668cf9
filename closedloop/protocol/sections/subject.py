"""Who is recorded."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from closedloop.protocol.sections.base import Section


class Subject(Section):
    """Who is recorded."""

    id: str = Field(
        pattern=r"^[A-Za-z0-9]+$", description="Letters and digits only: it becomes part of file names."
    )
    species: str = Field(default="", description="For example 'Macaca mulatta'.")
    age: str = Field(
        default="",
        pattern=r"^$|^P([0-9]+(\.[0-9]+)?[YMWD])+$",
        description="ISO 8601 duration, for example 'P9Y'.",
    )
    sex: Literal["", "F", "M", "U", "O"] = Field(default="", description="F, M, U (unknown) or O (other).")
    notes: str = Field(default="", description="Anything about the subject that belongs with the data.")
