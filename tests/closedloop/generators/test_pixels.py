from __future__ import annotations

import numpy as np
import pytest

from closedloop.generators import make_generator


def test_each_element_is_one_colour_of_one_pixel() -> None:
    generator = make_generator("pixels", parameters={"height_px": 2, "width_px": 3, "span": 2.0})
    assert generator.code_length == 18
    code = np.zeros((1, 2, 3, 3), np.float32)
    code[0, 1, 2, 0] = 2.0
    image = generator.render(code.reshape(1, 18))[0]
    assert tuple(image[1, 2]) == (255, 128, 128)
    assert tuple(image[0, 0]) == (128, 128, 128)


@pytest.mark.parametrize(
    ("element", "level"), [(-5, 0), (-2, 0), (-1, 64), (0, 128), (1, 191), (2, 255), (3e38, 255)]
)
def test_levels_are_linear_within_the_span_and_clipped_outside(element: float, level: int) -> None:
    generator = make_generator("pixels", parameters={"height_px": 1, "width_px": 1})
    assert (generator.render(np.full((1, 3), element, np.float32)) == level).all()
