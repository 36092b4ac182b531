"""The experiment's report: the right number in the right cell, nothing from outside alive."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest

from affectscope.datasets.corpus import Exclusion
from affectscope.recipes.experiment_report import COMPARISON_COLUMNS, SUMMARY_COLUMNS
from affectscope.recipes.paper_numbers import COMPARED, PAPER
from affectscope.recipes.report_blocks import Cell, Drawing, Row, Section, Table
from affectscope.recipes.tables import ExperimentReport, Ranks, RunExtent, html, markdown
from affectscope.records import TARGETS, Notice

NASTY = '<script>alert(1)</script>"><img src=x onerror=alert(2)>{{ 7*7 }} | a `b` [c](javascript:d)'
MODELS = ("BMMN", "BMMN-BAE-2")
BASELINES = ("majority", "duration only")
ORACLES = ("personal mean (oracle)",)
METRICS = (
    "macro_f1", "balanced_accuracy", "precision_positive", "precision_macro",
    "precision_weighted", "accuracy", "mae",
)  # fmt: skip


def value(model: str, target: str, level: str, metric: str) -> float:
    """A number of its own for each cell; BMMN-BAE-2 beats every baseline at valence only."""
    systems = (*BASELINES, *MODELS, *ORACLES)
    number = 0.3 + 0.01 * systems.index(model) + 0.001 * TARGETS.index(target)
    number += 0.0002 * METRICS.index(metric) + (0.1 if level == "frame" else 0.0)
    return number + (0.3 if (model, target) == ("BMMN-BAE-2", "valence") else 0.0)


def summary() -> pd.DataFrame:
    rows = []
    for model in (*MODELS, *BASELINES, *ORACLES):
        for target in TARGETS:
            for level in ("frame", "trial"):
                for metric in METRICS:
                    v = value(model, target, level, metric)
                    share = 0.2 + 0.05 * TARGETS.index(target)
                    rows.append(
                        (model, target, level, metric, v, v - 0.05, v + 0.05, share, 8, 128, 2)
                    )
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))


def comparisons() -> pd.DataFrame:
    rows = [
        ("valence", "macro_f1", "trial", "BMMN-BAE-2", "majority", 0.3, 0.2, 0.4, 0.0001, 0.0004),
        ("arousal", "macro_f1", "trial", "BMMN-BAE-2", "majority", -0.04, -0.1, 0.02, 0.2, 0.4),
        ("liking", "macro_f1", "trial", "BMMN-BAE-2", "majority", -0.2, -0.3, -0.1, 0.01, 0.03),
    ]
    return pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))


def report(**changes: object) -> ExperimentReport:
    made = ExperimentReport(
        title="Table III on a twin",
        table="Table III",
        corpus="amigos twin",
        simulated=True,
        protocol="leave one participant out.",
        extent=RunExtent(folds=8, all_folds=8, seeds=2, all_seeds=2),
        subjects=8,
        trials=128,
        models=MODELS,
        baselines=BASELINES,
        oracles=ORACLES,
        summary=summary(),
        comparisons=comparisons(),
        intervals="Bootstrap over people.",
        configuration={"seed": 7, "model": {"name": "BMMN"}},
        versions={"affectscope": "0.1.0"},
        seconds=90.0,
        ranks=(Ranks("macro F1", {"BMMN": 1.8, "majority": 1.2}, 0.0301, 0.69, 8),),
        calibration=pd.DataFrame({"model": ["BMMN"], "brier": [0.2512], "ece": [math.nan]}),
        exclusions=(
            Exclusion("P01", "4", "E_FACE_SHARE", "The face is seen in 75.0 %.", "face"),
            Exclusion("P02", "", "E_FILE_MISSING", "It does not exist."),
        ),
        notices=(Notice("W_FLAT", "P01, 4: a constant span is masked.", "ecg"),),
        paper={model: PAPER[model] for model in MODELS},
        compared=COMPARED,
        open_questions=("Whether GSR is resistance.",),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


class Page(HTMLParser):
    """The page's text, elements, event attributes and tables."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.events: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self.in_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.events += [name for name, _ in attrs if name.startswith("on")]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.in_cell = True
        elif tag == "small" and self.in_cell:
            self.tables[-1][-1][-1] += " "

    def handle_endtag(self, tag: str) -> None:
        self.in_cell = self.in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.in_cell:
            self.tables[-1][-1][-1] += data.strip()


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(html(report()))


def dotted(number: float) -> str:
    return f"{number:.2f}"[1:]


def test_the_main_table_has_each_system_beside_the_baselines(page: Page) -> None:
    table = page.tables[0]
    assert table[0] == ["system", *TARGETS, "mean"]
    names = [row[0] for row in table[1:]]
    assert names == ["BMMN", "BMMN-BAE-2", "majority", "duration only", "personal mean (oracle)"]
    for row, model in zip(table[1:], (*MODELS, *BASELINES, *ORACLES), strict=True):
        for cell, target in zip(row[1:-1], TARGETS, strict=True):
            v = value(model, target, "trial", "macro_f1")
            assert cell == f"{dotted(v)} {dotted(v - 0.05)} to {dotted(v + 0.05)}"
        mean = sum(value(model, t, "trial", "macro_f1") for t in TARGETS) / 10
        assert row[-1] == dotted(mean)
    balanced = value("majority", "fear", "trial", "balanced_accuracy")
    assert page.tables[1][3][9].startswith(dotted(balanced))


def test_only_what_lies_wholly_above_every_baseline_is_marked() -> None:
    text = html(report())
    marked = re.findall(r'<strong class="(above|below)">([^<]*)</strong>', text)
    v = dotted(value("BMMN-BAE-2", "valence", "trial", "macro_f1"))
    balanced = dotted(value("BMMN-BAE-2", "valence", "trial", "balanced_accuracy"))
    assert marked == [("above", v), ("above", balanced), ("above", "+.30"), ("below", "−.20")]
    best = summary()
    best.loc[best["model"] == "duration only", "value"] = 0.58  # inside that interval
    assert html(report(summary=best)).count('<strong class="above">') == 1 + 1  # a difference
    best.loc[best["model"] == "duration only", "value"] = 0.0
    assert html(report(summary=best)).count('<strong class="above">') == 2 + 1
    assert markdown(report()).count("▲") == 3


def test_the_four_precisions_stand_beside_the_papers_number(page: Page) -> None:
    groups, header, *rows = page.tables[3]
    assert groups == ["", "paper", "frames", "trials"]
    kinds = ["prevalence", "positive", "macro", "weighted", "accuracy"]
    assert header == ["target", "printed", *kinds, *kinds]
    disgust = rows[TARGETS.index("disgust")]
    assert disgust[:3] == ["disgust", "92.62", "40.0"]
    names = ("precision_positive", "precision_macro", "precision_weighted", "accuracy")
    for start, level in ((3, "frame"), (8, "trial")):
        for cell, metric in zip(disgust[start : start + 4], names, strict=True):
            v = value("BMMN-BAE-2", "disgust", level, metric)
            expected = f"{100 * v:.1f} {100 * v - 5:.1f} to {100 * v + 5:.1f}"
            assert cell == expected
    assert rows[-1][:2] == ["average", "71.57 computed 71.57"]
    assert "agreement means nothing" in page.text


def test_differences_ranks_and_the_rest_are_there(page: Page) -> None:
    text = page.text
    (differences,) = (table for table in page.tables if table[0][-1] == "p after Holm")
    assert differences[1] == [
        "valence", "BMMN-BAE-2", "majority", "+.30", "+.20 to +.40", "< .001", "< .001",
    ]  # fmt: skip
    assert differences[2][3:] == ["−.04", "−.10 to +.02", ".200", ".400"]
    assert "p = .030" in text
    assert "more than 0.69 apart" in text
    assert ["majority", "1.20", "0.00"] in [row for table in page.tables for row in table]
    assert ["BMMN", "0.251", "–"] in [row for table in page.tables for row in table]
    assert "3.8 points" in text
    assert "Whether GSR is resistance." in text
    assert ["P01", "4", "face", "The face is seen in 75.0 %.", "E_FACE_SHARE"] in page.tables[-1]
    assert ["P02", "all", "whole person", "It does not exist.", "E_FILE_MISSING"] in page.tables[-1]
    assert '"name": "BMMN"' in text
    assert "It took 1.5 minutes" in text
    assert "not a medical device" in text
    assert any(row[:1] == ["Yang & Lee"] for table in page.tables for row in table)


def test_errors_are_never_marked_for_being_large() -> None:
    large = summary()
    large.loc[(large["model"] == "BMMN") & (large["metric"] == "mae"), ["value", "low"]] = 0.9
    assert html(report(summary=large)).count('<strong class="above">') == 3


@pytest.mark.parametrize(
    ("extent", "quick"),
    [
        (RunExtent(8, 8, 5, 5), False),
        (RunExtent(3, 8, 5, 5), True),
        (RunExtent(8, 8, 1, 5), True),
        (RunExtent(8, 8, 5, 5, "trials to 4 per person"), True),
    ],
)
def test_a_quick_look_says_so_first(extent: RunExtent, quick: bool) -> None:
    made = report(extent=extent)
    for text in (html(made), markdown(made)):
        assert ("quick look, not the whole protocol" in text) == quick
        if quick:
            assert text.index("quick look, not") < text.index("Macro F1")
        assert f"{extent.folds} of 8 folds, {extent.seeds} of 5 seeds" in text
    assert ("FULL RUN" in html(made)) != quick


def test_simulated_people_are_marked_and_real_ones_are_not() -> None:
    for write in (html, markdown):
        assert "Simulated people: no number" in write(report())
        real = write(report(simulated=False))
        assert "imulated people" not in real
        assert "128 trials of 8 people" in real


def spoiled() -> ExperimentReport:
    frame, differences = summary(), comparisons()
    frame["model"] = frame["model"].replace({"BMMN": NASTY})
    differences["model_a"] = NASTY
    return report(
        title=NASTY,
        corpus=NASTY,
        protocol=NASTY,
        models=(NASTY, "BMMN-BAE-2"),
        summary=frame,
        comparisons=differences,
        paper={NASTY: PAPER["BMMN"]},
        configuration={NASTY: NASTY},
        exclusions=(Exclusion(NASTY, NASTY, "E_NO_FACE", NASTY, "face"),),
        notices=(Notice("W_FLAT", NASTY),),
        calibration=pd.DataFrame({NASTY: [NASTY]}),
        open_questions=(NASTY,),
    )


def test_W09_names_from_outside_are_inert_on_the_page(page: Page) -> None:
    nasty = Page(html(spoiled()))
    assert "script" not in nasty.tags
    assert "img" not in nasty.tags
    assert nasty.events == []
    assert "49" not in [word for row in nasty.tables for cells in row for word in cells]
    assert NASTY in nasty.text  # shown as it is, not dropped
    assert "://" not in html(report())  # opens offline, asks nobody


def test_W09_names_from_outside_are_inert_in_markdown() -> None:
    text = markdown(spoiled())
    outside_code = re.sub(r"```+json.*?```+", "", text, flags=re.DOTALL)
    assert not re.search(r"(?<!\\)<", outside_code)
    assert not re.search(r"(?<!\\)\]\(", outside_code)
    tables = re.findall(r"(?:^\|.*\n)+", outside_code, flags=re.MULTILINE)
    assert len(tables) > 5
    for table in tables:
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(columns) == 1  # no name opens a column of its own


def test_nothing_known_is_an_empty_page_and_no_error() -> None:
    empty = report(
        summary=summary().iloc[:0],
        comparisons=comparisons().iloc[:0],
        ranks=(),
        calibration=None,
        exclusions=(),
        notices=(),
        compared=(),
    )
    assert "What was left out" in html(empty)
    assert "nan" not in markdown(empty).lower().replace("nanosecond", "")


def test_missing_numbers_are_dashes_not_nan() -> None:
    holes = summary()
    holes.loc[holes["model"] == "majority", ["value", "low", "high"]] = math.nan
    made = Page(html(report(summary=holes)))
    assert made.tables[0][3][1:] == ["–"] * 11
    assert "nan" not in " ".join(c for t in made.tables for r in t for c in r).lower().split()


def test_permutations_stand_by_model_and_target_for_people_and_for_clips() -> None:
    rows = [
        (model, target, "macro_f1", within, 0.5, 0.01 * (1 + place) + (within == "clip") * 0.5)
        for within in ("participant", "clip")
        for model in MODELS
        for place, target in enumerate(TARGETS)
    ]
    frame = pd.DataFrame(rows, columns=["model", "target", "metric", "within", "value", "p"])
    tables = Page(html(report(permutations=frame))).tables
    found = [table for table in tables if len(table[0]) == 11 and table[1][1] in (".010", ".510")]
    assert [table[1][1] for table in found] == [".010", ".510"]
    assert [row[0] for row in found[0][1:]] == list(MODELS)
    assert found[0][1][2] == ".020"


def test_a_leak_on_purpose_is_said_before_anything_else() -> None:
    for write in (html, markdown):
        assert "leaks on purpose" not in write(report())
        warned = write(report(warning="This split leaks on purpose."))
        assert warned.count("This split leaks on purpose.") == 1
        assert warned.index("leaks on purpose") < warned.index("leave one participant out")


def test_sections_and_figures_of_one_experiment_stand_behind_the_main_tables() -> None:
    drawing = Drawing('<svg role="img"><path d="M0 0"/></svg>', "What [a] shows", "figure.png")
    table = Table("", ("at hand", "system"), (Row("face", (Cell("x"),)),))
    more = (
        Section("A choice", tables=(table,)),
        Section("Drawn", drawing=drawing),
        Section("Without anything"),
    )
    page = html(report(more=more))
    assert page.index("Balanced accuracy") < page.index("A choice") < page.index("Differences")
    assert drawing.svg in page
    assert "Without anything" not in page
    text = markdown(report(more=more))
    assert r"![What \[a\] shows](figure.png)" in text


def test_the_main_tables_are_those_that_are_asked_for() -> None:
    made = Page(html(report(main_metrics=("accuracy",))))
    v = value("BMMN", "valence", "trial", "accuracy")
    assert made.tables[0][1][1] == f"{dotted(v)} {dotted(v - 0.05)} to {dotted(v + 0.05)}"
    assert "Balanced accuracy (= unweighted average recall" in html(report())


def test_systems_that_could_not_be_ranked_are_last_with_a_dash() -> None:
    ranks = Ranks("macro F1", {"BMMN": math.nan, "majority": math.nan}, math.nan, 0.5, 0)
    tables = Page(html(report(ranks=(ranks,)))).tables
    assert ["BMMN", "–", "–"] in [row for table in tables for row in table]
