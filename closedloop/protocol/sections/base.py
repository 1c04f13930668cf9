"""What every section of a protocol is made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Grey = Annotated[float, Field(ge=-1, le=1)]
Pixel = Annotated[int, Field(ge=1)]


class MismatchError(ValueError):
    """Values that are each allowed, but do not fit together.

    Args:
        key: which key of the section (or, as a path, below it) to change.
        found: what was found there.
        expected: what was expected instead.
        remedy: what to do about it; may be empty where it is plain.
    """

    def __init__(self, key: str | tuple[str | int, ...], found: str, expected: str, remedy: str = "") -> None:
        self.key = (key,) if isinstance(key, str) else key
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(f"{'.'.join(map(str, self.key))}: found {found}; expected {expected}")


class Section(BaseModel):
    """A part of the protocol: unknown keys are errors, and nothing changes once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
