"""What all figures share: they are saved whole, and say the same whenever they are drawn again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from affectscope.errors import OutputError
from affectscope.figures import (
    POINTS,
    QUADRANTS,
    circumplex_base,
    clock,
    new_figure,
    save_figure,
    style,
    svg,
    thinned,
)


def circumplex() -> Figure:
    with style():
        figure, (axes,) = new_figure(3.0, 3.0)
        circumplex_base(axes)
        return figure


def test_a_figure_is_saved_as_svg_and_png(tmp_path: Path) -> None:
    drawing, picture = save_figure(circumplex(), tmp_path / "figure5.after")
    assert [path.name for path in (drawing, picture)] == ["figure5.after.svg", "figure5.after.png"]
    assert sorted(tmp_path.iterdir()) == sorted([drawing, picture])
    assert drawing.read_text().startswith("<?xml")
    with Image.open(picture) as image:
        assert image.size == (600, 600)


def test_the_same_figure_has_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        save_figure(circumplex(), tmp_path / name / "figure")
    for suffix in ("svg", "png"):
        one, two = (tmp_path / name / f"figure.{suffix}" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_a_figure_that_cannot_be_saved_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        save_figure(circumplex(), tmp_path / "file" / "figure")


def test_svg_stands_in_html_with_a_description() -> None:
    text = svg(circumplex(), "Before & <after>")
    assert text.startswith('<svg role="img"')
    assert "Before &amp; &lt;after&gt;" in text
    assert "<after>" not in text


def test_the_quadrants_are_named_where_they_lie() -> None:
    axes = circumplex().axes[0]
    for text in axes.texts:
        x, y = text.get_position()
        number = text.get_text().split()[0]
        (place,) = (q for q in QUADRANTS if q[2] == number)
        assert (np.sign(x), np.sign(y)) == place[:2]
        assert ("unpleasant" in text.get_text()) == (x < 0)
        assert ("calm" in text.get_text()) == (y < 0)


def test_thinning_keeps_means_and_gaps() -> None:
    times = np.arange(4.0 * POINTS)
    values = np.sin(times / 500)
    values[100:200] = np.nan
    thin_times, thin = thinned(times, values)
    np.testing.assert_allclose(thin_times, times.reshape(-1, 4).mean(axis=1))
    np.testing.assert_allclose(thin[50:], values.reshape(-1, 4).mean(axis=1)[50:])
    assert np.isnan(thin[25:50]).all()
    assert thinned(times[:10], values[:10])[0] is not None
    assert len(thinned(times[:10], values[:10])[0]) == 10


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (65, "1:05"), (3605, "60:05"), (-5, "-0:05"), (59.6, "1:00")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
