from __future__ import annotations

import pytest

from closedloop.sparkline import sparkline, sparklines


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([], ""),
        ([1, 2, 3, 4, 5, 6, 7, 8], "▁▂▃▄▅▆▇█"),
        ([5, 5], "▁▁"),
        ([1, float("nan"), 2], "▁·█"),
        ([float("nan")], "·"),
    ],
)
def test_sparkline(values: list[float], bars: str) -> None:
    assert sparkline(values) == bars


def test_a_long_sparkline_fits_the_screen() -> None:
    assert len(sparkline(range(500))) == 60


def test_curves_beside_each_other_have_one_scale() -> None:
    assert sparklines([[0.0, 10.0], [0.0, 5.0], [float("nan"), 10.0]]) == ["▁█", "▁▅", "·█"]
    assert sparklines([[], [float("nan")]]) == ["", "·"]
    assert sparklines([[], []]) == ["", ""]
    assert [len(row) for row in sparklines([range(50), range(3)], widest=20)] == [20, 3]
