"""The style sheet: what is to be read can be read, in the light and in the dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import affectscope

STATIC = Path(affectscope.__file__).parent / "web" / "static"
PROPERTY = re.compile(r"--([\w-]+):\s*(?:light-dark\((#\w{6}),\s*(#\w{6})\)|(#\w{6}));")

GROUNDS = ("wash", "paper", "raised", "sunken")
TONES = ("error", "warning", "success", "info", "simulated")
TEXT = (
    *((text, ground) for text in ("ink", "soft", "accent", "error") for ground in GROUNDS),
    *((tone, f"{tone}-wash") for tone in TONES),
    *(("ink", f"{tone}-wash") for tone in (*TONES, "accent")),
    *((text, "accent-wash") for text in ("accent", "soft")),
    *(("on-accent", ground) for ground in ("accent", "accent-strong")),
    ("on-error", "error"),
    *(("on-banner", f"banner{kind}") for kind in ("", "-simulated", "-error", "-warning")),
    *((f"{phase}-text", f"{phase}-wash") for phase in ("before", "after")),
    ("paper", "cursor"),
)
CURVES = ("valence", "arousal", "heart", "skin", "quality", "excluded", "marked", "selection")
SHAPES = (
    *((line, ground) for line in ("edge", "focus", "accent", "error") for ground in GROUNDS),
    *((curve, ground) for curve in CURVES for ground in ("paper", "sunken")),
    *((curve, f"{phase}-wash") for curve in CURVES for phase in ("before", "after")),
    *((phase, f"{phase}-wash") for phase in ("before", "after")),
)


def colours_of(theme: int) -> dict[str, str]:
    """Name of the custom property -> "#rrggbb" in the light (0) or in the dark (1)."""
    text = (STATIC / "style" / "colours.css").read_text(encoding="utf-8")
    return {
        name: both or (light, dark)[theme] for name, light, dark, both in PROPERTY.findall(text)
    }


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1 (Web Content Accessibility Guidelines 2.2, W3C 2023)."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """1 (none) to 21, by the same source."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("pairs", "least"), [(TEXT, 4.5), (SHAPES, 3.0)], ids=["text", "shapes"])
def test_text_and_the_shapes_of_controls_and_curves_stand_out(
    theme: int, pairs: tuple[tuple[str, str], ...], least: float
) -> None:
    colours = colours_of(theme)
    faint = {
        f"{front} on {ground}": round(ratio, 2)
        for front, ground in pairs
        if (ratio := contrast(colours[front], colours[ground])) < least
    }
    assert faint == {}


def test_every_colour_that_is_used_is_defined_and_no_other_colour_is_written_out() -> None:
    defined = set(re.findall(r"--([\w-]+):", (STATIC / "style" / "colours.css").read_text("utf-8")))
    for sheet in sorted((STATIC / "style").glob("*.css")):
        text = sheet.read_text(encoding="utf-8")
        own = set(re.findall(r"--([\w-]+):", text)) | {"series"}  # set by plots/time_plots.js
        assert set(re.findall(r"var\(--([\w-]+)", text)) <= defined | own, sheet.name
        if sheet.name not in ("colours.css", "print.css"):
            written = set(re.findall(r"#[0-9a-f]{3,8}\b(?=[;, ])", text))
            assert written <= {"#0b0f12", "#fff"}, sheet.name  # behind a video, behind a report


def test_every_sheet_that_is_imported_is_there_and_none_comes_from_elsewhere() -> None:
    imported = re.findall(r'@import url\("([^"]+)"\)', (STATIC / "style.css").read_text("utf-8"))
    sheets = {f"style/{sheet.name}" for sheet in (STATIC / "style").glob("*.css")}
    assert set(imported) == sheets
    for path in [*STATIC.rglob("*.css"), *STATIC.rglob("*.js")]:
        assert not re.search(r"(https?:)?//[a-z]+\.[a-z]", path.read_text("utf-8")), path.name
