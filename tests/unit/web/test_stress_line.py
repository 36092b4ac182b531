"""The stress likelihood on the session's page. Invented numbers: none is about a human being."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from affectscope.errors import StoreError
from affectscope.web.result_view import result_content

PART = {"mean": 0.41, "low": 0.2, "high": 0.705, "estimated": 12}
NONE = {"mean": None, "low": None, "high": None, "estimated": 0}


def page_line(folder: Path, **stress: Any) -> str:
    told = {"format": 2, "status": "OK", "physiology": {}, **stress}
    (folder / "result.json").write_text(json.dumps(told))
    return result_content(folder).stress


def test_both_parts_are_told_with_the_models_interval(tmp_path: Path) -> None:
    phases = {"before": PART, "after": {**PART, "mean": 0.3}}
    line = page_line(tmp_path, stress_likelihood={"phases": phases})
    assert line == "0.41 [0.20, 0.70] before, 0.30 [0.20, 0.70] after"


def test_a_part_without_an_estimate_is_left_out(tmp_path: Path) -> None:
    line = page_line(tmp_path, stress_likelihood={"phases": {"before": NONE, "after": PART}})
    assert line == "0.41 [0.20, 0.70] after"
    assert page_line(tmp_path, stress_likelihood={"phases": {"before": NONE}}) == ""


def test_a_result_without_it_of_whatever_version_is_shown_without_it(tmp_path: Path) -> None:
    assert page_line(tmp_path) == page_line(tmp_path, stress_likelihood=None) == ""


def test_a_damaged_one_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="damaged"):
        page_line(tmp_path, stress_likelihood={"phases": {"before": {"mean": 0.4}}})
