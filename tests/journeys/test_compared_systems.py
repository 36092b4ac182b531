"""The paper's Table V, run instead of copied, and what the split explains, on a twin of AMIGOS."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from affectscope.datasets.amigos_twin import TwinSettings, write_amigos_twin

SYSTEMS = "bio only,Gjoreski, tree,modern floor (transductive),Kollias 2020"
"""A network, features of the body, a transductive one, and one that this twin has no faces for."""


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("twin") / "amigos"
    settings = TwinSettings(
        participants=3, seed=5, frame_rate=1.0, clip_scale=0.25, long_videos=False, face_clips=(),
        effect=0.9,
    )  # fmt: skip
    write_amigos_twin(folder, settings)
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all: what a call computed, the next one reads."""
    return tmp_path_factory.mktemp("out")


@pytest.fixture
def options(twin: Path, out: Path) -> list[object]:
    quick = ["--epochs", 1, "--seeds", 1, "--rate", 0.3, "--limit", 8, "--processes", 1]
    return ["--data", twin, "--out", out, *quick, "--systems", SYSTEMS]


def test_table5_is_one_command_and_the_second_run_reads(
    command, options: list[object], out: Path
) -> None:
    first = command("reproduce", "fg2020.table5", *options)
    assert first.status == 0, first.err
    assert "Table V, 24 trials of 3 SIMULATED people" in first.out
    for name in ("bio only", "Gjoreski, tree", "modern floor (transductive)", "duration only"):
        assert f"  {name}: valence" in first.out
    page = (out / "table5.html").read_text()
    for words in (
        "Quick look", "Which system when a modality is missing", "at hand", "Seconds of the clock",
        "Area under the ROC curve", "unweighted average recall", "It needs face, which no trial",
        "without labels (transductive)", "Informatica 42(1)",
    ):  # fmt: skip
        assert words.lower() in page.lower(), words
    table = pd.read_parquet(out / "table5-predictions.parquet")
    assert set(table["target"]) == {"valence", "arousal", "liking"}
    assert set(table["subject"]) == {"P01", "P02", "P03"}
    kept = {p: p.stat().st_mtime_ns for p in (out / "work" / "folds").iterdir()}
    assert len(kept) == 3 * 3 * 2  # systems, folds, a table and its cost
    second = command("reproduce", "fg2020.table5", *options)
    assert second.out == first.out
    assert {p: p.stat().st_mtime_ns for p in (out / "work" / "folds").iterdir()} == kept
    assert pd.read_parquet(out / "table5-predictions.parquet").equals(table)
    again = (out / "table5.html").read_text()
    assert again.split("It took")[0] == page.split("It took")[0]  # the costs, too


def test_leakage_shows_what_a_window_shuffled_split_adds(
    command, options: list[object], out: Path
) -> None:
    ended = command("reproduce", "fg2020.leakage", *options)
    assert ended.status == 0, ended.err
    assert "leaks on purpose" in ended.out
    (line,) = [line for line in ended.out.splitlines() if line.startswith("  Gjoreski, tree:")]
    for part in line.split(": ", 1)[1].split("; "):
        difference = float(part.split(", ")[1].split(" ")[0])
        assert difference > 0.1, line  # a window's neighbour tells its label
    page = (out / "leakage.html").read_text()
    assert page.index("leaks on purpose") < page.index("How much of the printed numbers")
    assert "<svg role" in page
    assert (out / "leakage.svg").stat().st_size > 5000
    assert (out / "leakage.png").stat().st_size > 5000
    table = pd.read_parquet(out / "leakage-predictions.parquet")
    assert set(table["protocol"]) == {"A", "D"}


def test_what_cannot_be_asked_is_refused_with_the_choices(
    command, options: list[object], twin: Path, out: Path
) -> None:
    ended = command("reproduce", "fg2020.table5", *options[:-1], "nobody")
    assert ended.status == 2
    assert "E_CONFIG" in ended.err
    assert "Yang & Lee" in ended.err
    ended = command("reproduce", "fg2020.table5", *options[:-1], "Kollias 2020")
    assert ended.status == 2
    assert "E_SOURCE" in ended.err
    ended = command("reproduce", "fg2020.table5", *options, "--personality", out / "nothing.csv")
    assert ended.status == 2
    assert "E_FILE_MISSING" in ended.err
    assert "Traceback" not in ended.err
