"""From an empty table over its answers to printed totals, as a user types it."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from affectscope.cli import app


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["questionnaire", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_blank_table_is_written_filled_in_and_scored(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    assert "40 rows" in run("blank", "STAI-S", "--out", path)
    path.write_text(path.read_text().replace("1,4,", "1,4,2"))
    printed = run("score", path)
    assert "STAI-S (20 to 80, higher: more anxiety now): before 50, after 50, change 0" in printed
    assert "Means over people" not in printed


def test_the_mean_totals_in_the_documentation_are_those_that_the_command_prints(
    real_data: Path,
) -> None:
    printed = run("score", real_data / "stress_predict" / "questionnaires.csv")
    means = printed[printed.index("Means over people") :].splitlines()
    assert len(means) == 7
    documented = (Path(__file__).parents[2] / "docs" / "questionnaires.md").read_text()
    assert all(line.strip() in documented for line in means)
