"""Words to the subject as a picture, so that showing them costs a frame no more than an image does."""

from __future__ import annotations

import functools
import importlib.util
import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_HEIGHT = 1 / 24  # of a line, in heights of the window
_LINE_CHARACTERS = 40
_MARGIN_PX = 12


def draw_words(text: str, window_px: tuple[int, int], background: float) -> Image.Image:
    """Draw words in the middle of a picture that has the background's grey and just their size.

    Args:
        text: may have several lines; long ones are broken.
        window_px: width and height of the window that they must fit into.
        background: grey level, -1 to 1; the letters are white on dark and black on light.

    Returns:
        An RGB picture.
    """
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, _LINE_CHARACTERS) or [""]]
    whole = "\n".join(lines)
    height_px = max(8, round(window_px[1] * _HEIGHT))
    while True:
        font = ImageFont.truetype(_font_file(), height_px)
        left, top, right, bottom = _size(whole, font)
        size_px = (round(right - left) + 2 * _MARGIN_PX, round(bottom - top) + 2 * _MARGIN_PX)
        if height_px <= 8 or (size_px[0] <= 0.8 * window_px[0] and size_px[1] <= 0.6 * window_px[1]):
            break
        height_px -= 1
    grey = round((background + 1) * 127.5)
    picture = Image.new("RGB", size_px, (grey,) * 3)
    ink = (0,) * 3 if background > 0.3 else (255,) * 3
    place = (_MARGIN_PX - left, _MARGIN_PX - top)
    ImageDraw.Draw(picture).multiline_text(
        place, whole, fill=ink, font=font, align="center", spacing=font.size / 2
    )
    return picture


def _size(text: str, font: ImageFont.FreeTypeFont) -> tuple[float, float, float, float]:
    draw = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, top, right, bottom = draw.multiline_textbbox(
        (0, 0), text, font=font, align="center", spacing=font.size / 2
    )
    return float(left), float(top), float(right), float(bottom)


@functools.cache
def _font_file() -> str:
    """A font with most of the world's letters that matplotlib brings along; it is not imported for that."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise ImportError("matplotlib, whose font the words to the subject are written in, is not installed")
    return str(Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf")
