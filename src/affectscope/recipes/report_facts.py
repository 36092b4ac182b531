"""What stands in every report about its run: how much, what was left out, with what."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from affectscope.datasets.corpus import Exclusion
from affectscope.recipes.experiment_report import RunExtent
from affectscope.recipes.report_blocks import Cell, Row, Section, Table
from affectscope.records import Notice


def said(extent: RunExtent) -> str:
    """How much of a protocol was run, in words."""
    return f"{extent.folds} of {extent.all_folds} folds, {extent.seeds} of {extent.all_seeds} seeds"


def quick_look(extent: RunExtent) -> str:
    """That something was left out."""
    cut = f" {extent.limit[:1].upper()}{extent.limit[1:]}." if extent.limit else ""
    return f"A quick look, not the whole protocol.{cut} Do not compare its numbers with others."


_PARTS = {None: "whole trial", "face": "face", "ecg": "ECG", "eda": "EDA"}


def left_out(exclusions: Sequence[Exclusion]) -> Section:
    """What of the corpus was not used, and why."""
    if not exclusions:
        return Section("What was left out", ("Nothing.",))
    rows = tuple(
        Row(
            one.subject_id,
            (
                Cell(one.trial_id or "all"),
                Cell(_PARTS[one.modality] if one.trial_id else "whole person"),
                Cell(one.sentence),
                Cell(one.code),
            ),
        )
        for one in exclusions
    )
    count = Counter(one.code for one in exclusions)
    table = Table("", ("person", "trial", "part", "reason", "code"), rows)
    return Section(
        "What was left out",
        (f"{len(rows)} in all: {_counted(count)}.",),
        (table,),
        folded=len(rows) > 12,
    )


def notices(given: Sequence[Notice]) -> Section:
    """What was noticed in the corpus."""
    if not given:
        return Section("Notices")
    count = Counter(notice.code for notice in given)
    points = tuple(f"{notice.sentence} ({notice.code})" for notice in given)
    sentence = f"{len(points)} in all: {_counted(count)}."
    return Section("Notices", (sentence,), points=points, folded=len(points) > 6)


def _counted(count: Counter[str]) -> str:
    return ", ".join(f"{number} x {code}" for code, number in count.most_common())


def configuration(
    resolved: Mapping[str, Any], versions: Mapping[str, str], seconds: float
) -> Section:
    """With what it was run."""
    shown = ", ".join(f"{name} {number}" for name, number in versions.items())
    hours = seconds / 3600
    took = f"{hours:.1f} hours" if hours >= 1 else f"{seconds / 60:.1f} minutes"
    return Section(
        "Configuration",
        (f"Versions: {shown}. It took {took}.",),
        code=json.dumps(resolved, indent=2, ensure_ascii=False, default=str),
        folded=True,
    )
