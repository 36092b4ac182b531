"""The report's section on what was used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from affectscope.figures import clock
from affectscope.pages import inline_figure
from affectscope.records import MODALITY_NAMES
from affectscope.therapy.quality_figure import quality_over_time
from affectscope.therapy.quality_table import Use, recorded_modalities, use_of

if TYPE_CHECKING:
    import pandas as pd


def quality_content(table: pd.DataFrame) -> dict[str, Any]:
    """What ``therapy/quality.html.jinja`` fills in."""
    drawn = inline_figure(quality_over_time(table), "What was used over the session")
    uses = {name: use_of(table, name) for name in recorded_modalities(table)}
    return {
        "figure": drawn,
        "rows": [_row(MODALITY_NAMES[name], use) for name, use in uses.items()],
    }


def _row(name: str, use: Use) -> dict[str, str]:
    reasons = [f"{reason} {clock(seconds)}" for reason, seconds in use.reasons.items()]
    return {
        "name": name,
        "used": clock(use.used),
        "masked": clock(use.masked),
        "not_recorded": clock(use.not_recorded),
        "why": ", ".join(reasons),
    }
