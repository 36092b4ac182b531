"""The paper's figures: every point where it belongs, counts right, simulated data marked."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from affectscope.recipes.fg2020_figures import (
    ReconstructionPanel,
    figure1,
    figure4,
)

CLIPS = {"4": "HAHV", "9": "HAHV", "10": "LAHV", "19": "LALV", "30": "HALV", "N1": None}


def points(people: int = 5) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    rows = []
    for person in range(people):
        for clip, quadrant in CLIPS.items():
            places = generator.uniform(-0.9, 0.9, 4)
            rows.append((f"P{person:02d}", clip, quadrant, *places))
    columns = [
        "subject", "trial", "designed", "valence", "arousal", "external_valence",
        "external_arousal",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def title(figure: Figure) -> str:
    found = figure.get_suptitle()
    assert isinstance(found, str)
    return found


def test_figure1_counts_the_trials_of_each_quadrant() -> None:
    table = points()
    table.loc[0, "valence"] = np.nan  # not rated
    table.loc[1, ["valence", "arousal"]] = 0.0, 0.0  # the middle counts as low
    figure = figure1(table, False)
    for axes, prefix in zip(figure.axes, ("", "external_"), strict=True):
        valence, arousal = table[f"{prefix}valence"], table[f"{prefix}arousal"]
        rated = valence.notna()
        expected = {
            "I": ((valence > 0) & (arousal > 0)).sum(),
            "II": ((valence <= 0) & (arousal > 0)).sum(),
            "III": ((valence <= 0) & (arousal <= 0)).sum(),
            "IV": ((valence > 0) & (arousal <= 0) & rated).sum(),
        }
        counted = {}
        for text in texts(axes):
            found = re.fullmatch(r"(I|II|III|IV)  .*\n(\d+) trials", text)
            if found:
                counted[found[1]] = int(found[2])
        assert counted == expected
        assert sum(counted.values()) == rated.sum()
    assert figure.axes[0].get_title() == "Self-assessment: 29 trials of 5 people"
    assert figure.axes[1].get_title() == "External annotation: 30 trials of 5 people"
    assert title(figure) == ""
    assert title(figure1(table, True)).startswith("Simulated")


def test_figure1_labels_each_clip_at_its_mean() -> None:
    table = points()
    axes = figure1(table, False).axes[0]
    means = table.groupby("trial")[["valence", "arousal"]].mean()
    found = {text.get_text(): text.xy for text in axes.texts if text.get_text() in CLIPS}  # type: ignore[attr-defined]
    assert found.keys() == CLIPS.keys()
    for clip, place in found.items():
        np.testing.assert_allclose(place, means.loc[clip].to_numpy(), atol=1e-12)


def test_figure1_labels_do_not_cover_each_other() -> None:
    axes = figure1(points(40), False).axes[0]  # many people: the means crowd at the centre
    places = [text.get_position() for text in axes.texts if text.get_text() in CLIPS]
    for one, other in combinations(places, 2):
        assert abs(one[0] - other[0]) > 0.08 or abs(one[1] - other[1]) > 0.05


def test_figure1_without_any_rating_is_still_drawn() -> None:
    table = points(1)
    table[["external_valence", "external_arousal"]] = np.nan
    figure = figure1(table, False)
    assert figure.axes[1].get_title() == "External annotation: 0 trials of 0 people"
    figure.draw_without_rendering()


def panels() -> list[ReconstructionPanel]:
    times = 3.0 + np.arange(1000) / 128
    original = 0.5 + 0.4 * np.sin(times)
    return [
        ReconstructionPanel(
            signal, unpooling, times, original, original * gain, np.arange(128.0), 100 * gain,
            ratio, "P01",
        )
        for signal in ("ECG", "EDA")
        for unpooling, ratio, gain in (("indices", 2.7, 0.9), ("interpolation", 7.8, 1.4))
    ]  # fmt: skip


def test_figure4_lays_each_reconstruction_over_its_original() -> None:
    given = panels()
    figure = figure4(given, True)
    assert title(figure).startswith("Simulated")
    assert len(figure.axes) == 8
    curves, latents = figure.axes[0::2], figure.axes[1::2]
    for axes, latent, panel in zip(curves, latents, given, strict=True):
        original, reconstruction = axes.get_lines()
        np.testing.assert_array_equal(original.get_ydata(), panel.original)
        np.testing.assert_array_equal(reconstruction.get_ydata(), panel.reconstruction)
        assert panel.signal in axes.get_title()
        assert f"PRDN {panel.prdn:.1f} %" in axes.get_title()
        assert f"{panel.compression_ratio:.1f} : 1" in axes.get_title()
        alone = "from the latent alone" in axes.get_title()
        assert alone == (panel.unpooling == "interpolation")
        heights = [bar.get_height() for bar in latent.patches]  # type: ignore[attr-defined]
        np.testing.assert_array_equal(heights, panel.latent)
    limits = [axes.get_ylim() for axes in curves]
    assert limits[0] == limits[1]  # errors beside each other can be compared by eye


def test_figure4_with_one_panel() -> None:
    assert len(figure4(panels()[3:], False).axes) == 2


def test_a_clips_name_is_not_mathematics() -> None:
    """Matplotlib takes dollars for formulas; ids come from outside."""
    table = points(1)
    table["trial"] = "$\\bad{$"
    figure1(table, False).draw_without_rendering()
