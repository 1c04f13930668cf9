"""The window: background, image, fixation point, photodiode patch, and the stamp of each flip."""

from __future__ import annotations

import sys
from typing import Any

import psychopy
import pyglet
from psychopy import visual
from psychopy.tools.monitorunittools import deg2pix
from pyglet import gl

from closedloop.errors import NoDisplayError, StageError
from closedloop.ports import KeyPress, Showing
from closedloop.protocol.models import Display, Fixation
from hardware.clock import LslClock
from hardware.stage.geometry import image_rect, patch_rect
from hardware.stage.monitor import make_monitor
from hardware.stage.textures import Textures
from hardware.stage.words import draw_words

TITLE = "closedloop stage"
"""Title of the window, by which others find it."""


class StageWindow:
    """PsychoPy's window and all that is drawn in it.

    Attributes:
        pixels_per_deg: of the Monitor.
        closed_by_hand: the person closed the window.
        wait_for_blank: whether a flip waits for the vertical blank (off on a display that has none).

    Raises:
        NoDisplayError: no such screen.
        StageError: the window can't be as the protocol says.
    """

    def __init__(
        self,
        display: Display,
        fixation: Fixation | None,
        image_shape: tuple[int, int, int],
        slots: int,
        clock: LslClock,
    ) -> None:
        self._clock = clock
        self._flip_s = float("nan")
        self._keys: list[KeyPress] = []
        self.closed_by_hand = False
        self._monitor = make_monitor(display)
        self._window = _open(display, self._monitor)
        self._handle = self._window.winHandle
        self._handle.push_handlers(on_key_press=self._on_key, on_close=self._on_close)
        self._handle.set_mouse_visible(False)
        self._sync_server = _server_sync(self._handle)
        self.size_px = (int(self._window.size[0]), int(self._window.size[1]))
        self.pixels_per_deg = float(deg2pix(1.0, self._monitor))
        self._textures = Textures(self._window, image_shape, slots)
        self._patches = self._make_patches(display)
        self._fixation = self._make_fixation(fixation)
        self._changed_fixation = self._make_fixation(fixation)
        self._changed_color: tuple[float, float, float] | None = None
        self._background = display.background
        self._words: visual.ImageStim | None = None

    @property
    def wait_for_blank(self) -> bool:
        """Whether a flip waits for the vertical blank."""
        return bool(self._window.waitBlanking)

    @wait_for_blank.setter
    def wait_for_blank(self, wait: bool) -> None:
        self._window.waitBlanking = wait

    def draw(
        self,
        showing: Showing | None,
        fixation_color: tuple[float, float, float] | None = None,
        words: bool = False,
        image_away: bool = False,
    ) -> None:
        """Draw a whole frame into the back buffer (blocks until it is drawn).

        Args:
            showing: the trial whose image is in it; None for the background.
            fixation_color: of the fixation point; None: its own.
            words: show those that were set, if any, in place of the fixation point.
            image_away: the trial's image flickers, and is away in this frame; its patch stays.
        """
        self._window.clearBuffer()
        if showing is not None and not image_away:
            place = image_rect(self.size_px, self.pixels_per_deg, showing.position_deg, showing.size_deg)
            self._textures.draw(showing.slot, place)
        if self._patches is not None:
            self._patches[showing is not None].draw()
        if words and self._words is not None:
            self._words.draw()
        elif fixation_color is None:
            if self._fixation is not None:
                self._fixation.draw()
        elif self._changed_fixation is not None:
            if fixation_color != self._changed_color:
                self._changed_fixation.fillColor = self._changed_color = fixation_color
            self._changed_fixation.draw()
        gl.glFinish()  # so that the flip has nothing left to draw

    def set_words(self, text: str | None) -> None:
        """Get words ready to be drawn (blocks for some frames), or drop those that are."""
        if self._words is not None:
            self._words.clearTextures()
            self._words = None
        if text:
            picture = draw_words(text, self.size_px, self._background)
            size = picture.size
            self._words = visual.ImageStim(
                self._window, image=picture, units="pix", size=size, interpolate=False, autoLog=False
            )

    def upload(self, slot: int, rows_up: Any) -> None:
        """Write an image into a slot's texture (blocks until it is there); see ``Textures.upload``."""
        self._textures.upload(slot, rows_up)

    def flip(self) -> float:
        """Show what was drawn, and return when it was on the screen."""
        self._window.callOnFlip(self._stamp)
        # what the back buffer holds then is drawn over; clearing it here would delay the stamp
        self._window.flip(clearBuffer=False)
        return self._flip_s

    def take_keys(self) -> list[KeyPress]:
        """Return the keys pressed in the window since the last call."""
        keys, self._keys = self._keys, []
        return keys

    def details(self) -> dict[str, Any]:
        """What the report should say about window and libraries."""
        info = self._handle.context.get_info()
        gamma = self._window.gamma
        return {
            "renderer": info.get_renderer(),
            "gl_vendor": info.get_vendor(),
            "gl_version": _version(info.get_version()),
            "psychopy": psychopy.__version__,
            "pyglet": pyglet.version,
            "python": sys.version.split()[0],
            "platform": sys.platform,
            "monitor": self._monitor.name,
            "gamma": "as the system has it" if gamma is None else [float(g) for g in gamma],
            "pixel_size_cm": float(self._monitor.getWidth() / self._monitor.getSizePix()[0]),
            "full_screen": bool(self._window._isFullScr),
            "window_title": TITLE,
        }

    def close(self) -> None:
        """Show the background, then close."""
        self.draw(None)
        self.flip()
        self._window.close()

    def _stamp(self) -> None:
        if not self._window.waitBlanking:
            self._sync_server()
        self._flip_s = self._clock.now()

    def _on_key(self, symbol: int, modifiers: int) -> None:  # noqa: ARG002  pyglet passes both
        name = pyglet.window.key.symbol_string(symbol).lower()
        self._keys.append(KeyPress(key=name, time_s=self._clock.now()))

    def _on_close(self) -> bool:
        self.closed_by_hand = True
        return bool(pyglet.event.EVENT_HANDLED)  # the frame loop ends it, in order

    def _make_patches(self, display: Display) -> tuple[visual.Rect, visual.Rect] | None:
        patch = display.photodiode
        if patch is None:
            return None
        place = patch_rect(display)
        dark, bright = (
            visual.Rect(
                self._window,
                units="pix",
                pos=place.center,
                width=place.size[0],
                height=place.size[1],
                fillColor=level,
                lineColor=None,
                autoLog=False,
            )
            for level in (patch.dark, patch.bright)
        )
        return dark, bright

    def _make_fixation(self, fixation: Fixation | None) -> visual.Circle | None:
        if fixation is None:
            return None
        return visual.Circle(
            self._window,
            units="pix",
            radius=fixation.size_deg * self.pixels_per_deg / 2,
            fillColor=fixation.color,
            lineColor=None,
            autoLog=False,
        )


def _open(display: Display, monitor: Any) -> visual.Window:
    screens = pyglet.canvas.get_display().get_screens()
    if display.screen >= len(screens):
        raise NoDisplayError(
            "display.screen",
            found=f"{display.screen}",
            expected=f"a number below {len(screens)}, the screens of this machine",
            remedy="Connect the screen, or correct display.screen (the first is 0).",
        )
    screen = screens[display.screen]
    if display.size_px[0] > screen.width or display.size_px[1] > screen.height:
        raise _wrong_size(f"a screen of {screen.width} x {screen.height}", display)
    try:
        window = visual.Window(
            size=display.size_px,
            fullscr=display.full_screen,
            screen=display.screen,
            monitor=monitor,
            units="pix",
            color=(display.background,) * 3,
            colorSpace="rgb",
            gamma=display.gamma,
            gammaErrorPolicy="raise",
            allowGUI=not display.full_screen,
            winType="pyglet",
            title=TITLE,
            waitBlanking=True,
            checkTiming=False,
            autoLog=False,
        )
    except (RuntimeError, OSError, pyglet.gl.ContextException, pyglet.window.WindowException) as error:
        raise StageError(
            "stage window",
            found=f"it can't be opened: {error}",
            expected=f"a window of {display.size_px[0]} x {display.size_px[1]} on screen {display.screen}",
            remedy="If it is the gamma, leave display.gamma and display.monitor empty; if it is GL, see docs/timing.md.",
        ) from error
    if tuple(window.size) != tuple(display.size_px):
        found = f"a window of {window.size[0]} x {window.size[1]}"
        window.close()
        raise _wrong_size(found, display)
    return window


def _wrong_size(found: str, display: Display) -> StageError:
    width, height = display.size_px
    return StageError(
        "display.size_px",
        found=found,
        expected=f"{width} x {height}",
        remedy="Set display.size_px to a size that the screen has, or the screen to that of the protocol.",
    )


def _server_sync(handle: Any) -> Any:
    """A call that returns when the X server has carried out the swap; elsewhere one that does nothing."""
    if not sys.platform.startswith("linux"):
        return lambda: None
    from pyglet.libs.x11 import xlib

    return lambda: xlib.XSync(handle._x_display, 0)


def _version(version: Any) -> str:
    return version if isinstance(version, str) else ".".join(str(part) for part in version)
