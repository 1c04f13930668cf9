"""The screen, the window and the photodiode patch."""

from __future__ import annotations

from enum import Enum

from pydantic import Field, model_validator

from closedloop.protocol.sections.base import Grey, MismatchError, Pixel, Positive, Section


class Corner(str, Enum):
    """A corner of the window."""

    TOP_LEFT = "top-left"
    TOP_RIGHT = "top-right"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM_RIGHT = "bottom-right"


class Photodiode(Section):
    """The patch in a corner that is bright while an image is on."""

    corner: Corner = Field(default=Corner.BOTTOM_LEFT, description="Corner of the window.")
    size_px: int = Field(default=40, ge=2, description="Side of the square in pixels.")
    bright: Grey = Field(default=1.0, description="Level while an image is on, -1 (black) to 1 (white).")
    dark: Grey = Field(default=-1.0, description="Level otherwise.")

    @model_validator(mode="after")
    def _seen(self) -> Photodiode:
        if self.bright == self.dark:
            raise MismatchError(
                "bright", f"the level {self.bright:g} for both bright and dark", "two levels that differ"
            )
        return self


class Display(Section):
    """Screen and window."""

    screen: int = Field(default=0, ge=0, description="Number of the screen, from 0.")
    size_px: tuple[Pixel, Pixel] = Field(default=(1024, 768), description="Width and height of the window.")
    full_screen: bool = Field(default=False, description="Take the whole screen; a rig wants true.")
    width_cm: Positive = Field(default=40.0, description="Width of the visible picture, for degrees.")
    distance_cm: Positive = Field(default=57.0, description="From eye to screen, for degrees.")
    refresh_hz: Positive = Field(
        default=60.0, description="Expected refresh; the measured one must agree within refresh_tolerance."
    )
    refresh_tolerance: float = Field(
        default=0.02, gt=0, lt=0.5, description="Allowed relative difference of the refresh."
    )
    background: Grey = Field(default=0.0, description="Grey level, -1 (black) to 1 (white).")
    monitor: str = Field(
        default="",
        description="Name of a PsychoPy Monitor with its gamma; empty: linear, from width and distance.",
    )
    gamma: float | None = Field(
        default=None, gt=0, description="Gamma to correct for; none: leave as the monitor says."
    )
    photodiode: Photodiode | None = Field(default_factory=Photodiode, description="null: no patch.")
