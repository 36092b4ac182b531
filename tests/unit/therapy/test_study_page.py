"""The study's page: it says what the statistics bear, and nothing from outside runs in it."""

from __future__ import annotations

import html.parser
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from affectscope.therapy.study.beside import agreement_pairs, beside_content
from affectscope.therapy.study.page import headlines, render
from affectscope.therapy.study.rows import StudyFacts, StudyRows, long_table, study_rows
from affectscope.therapy.study.statistics import agreements, group_changes

Results = dict[str, dict[str, Any]]
Made = Callable[..., Results]


def facts(count: int, title: str = "Anxiety") -> StudyFacts:
    versions = {"affectscope": "0.1.0", "statsmodels": "0.15.0"}
    return StudyFacts(title, "therapy", count, 0.5, {"rate": 1.0}, versions, "2026-03-01")


def page(results: Results, told: StudyFacts | None = None) -> str:
    rows = study_rows(results, 0.5)
    table = long_table(rows)
    return render(
        rows,
        told or facts(len(results)),
        table=table,
        changes=group_changes(table),
        agreements=agreements(table),
    )


def said(results: Results) -> list[str]:
    rows: StudyRows = study_rows(results, 0.5)
    return headlines(rows, group_changes(long_table(rows)))


def beside(results: Results) -> dict[str, Any]:
    rows = study_rows(results, 0.5)
    table = long_table(rows)
    found = beside_content(rows, table, agreements(table))
    assert found is not None
    return found


class Parsed(html.parser.HTMLParser):
    """What a browser would make of a page: elements and attributes by number, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def troubled(simulated_study: Made) -> str:
    """The page of six patients, four of whom gave some trouble."""
    results = simulated_study(6)
    results["patient-01"]["notices"] = [{"code": "W_FORCED_SCORE", "sentence": "Forced."}]
    results["patient-02"] |= {"status": "DEGRADED", "phase_rule": "as session.toml says"}
    results["patient-03"]["phase_coverage"]["after"]["ecg"] = 0.1
    results["patient-04"] = {
        "format": 2, "status": "REJECTED", "code": "E_TASK_TIMEOUT", "remedy": "",
        "sentence": "It did not go on.", "subject_id": "patient-04",
    }  # fmt: skip
    return page(results)


def test_G10_interval_model_version_limits_and_intended_use_are_on_the_page(troubled: str) -> None:
    text = Parsed(troubled).text
    for words in (
        "95 % interval over patients", "5f5f5f5f", "affectscope 0.1.0", "not a diagnosis",
        "Research use, not a medical device", "no control group", "regression to the mean",
        "do not cover the error of the model", "simulated people",
    ):  # fmt: skip
        assert words in text, words


def test_banners_counts_and_rules_come_before_any_result(troubled: str) -> None:
    for first in ("sessions found", "A session counts for nothing", "Sessions differ in what was"):
        assert troubled.index(first) < troubled.index("What changed")
    assert troubled.index("What changed") < troubled.index("Valence rose")
    for banner in ("Simulated people:", "FORCED SCORES in 1 session:"):
        assert troubled.index(banner) < troubled.index("<main>")


def test_what_was_left_out_stands_on_the_page_with_code_and_reason(troubled: str) -> None:
    text = Parsed(troubled).text
    assert "It did not go on. E_TASK_TIMEOUT" in text
    assert "heart rate, RMSSD, SDNN its signal is usable for less than 50%" in text
    assert "Rejected sessions: E_TASK_TIMEOUT 1" in text
    assert "W_FORCED_SCORE in 1" in text


def test_what_the_program_cannot_know_is_left_to_the_authors(troubled: str) -> None:
    table = Parsed(troubled).text.split("How the assessment was made")[1]
    assert table.count("To be filled in by the study's authors") == 7
    assert "face video in 5, ECG in 5, EDA in 5" in table


def test_few_patients_get_no_claim_that_statistics_do_not_bear(simulated_study: Made) -> None:
    assert "says nothing about others" in said(simulated_study(1))[0]
    five = said(simulated_study(5))
    assert five[-1].startswith("5 patients are too few for a test")
    assert "0.062" in five[-1]
    assert not any("p =" in sentence or "p <" in sentence for sentence in five)
    thirty = said(simulated_study(30))
    assert thirty[0].startswith("Valence rose by")
    assert "p < 0.001" in thirty[0]
    assert not any("too few" in sentence for sentence in thirty)


def test_a_change_whose_interval_holds_zero_has_an_open_direction(simulated_study: Made) -> None:
    results = simulated_study(6)
    for number, result in enumerate(results.values()):
        heart = result["physiology"]["heart rate"]
        heart["after"]["mean"] = heart["before"]["mean"] + (-1.0) ** number * 5 + 0.5
    (sentence,) = (one for one in said(results) if one.startswith("Heart rate"))
    assert "the direction is open" in sentence
    assert "it may be chance" in sentence
    assert "in 3 of 6 patients" in sentence


def test_agreement_is_never_suggested_where_none_is_shown(simulated_study: Made) -> None:
    """Agreement is planted in the made-up answers: it takes patients to show it."""
    few = beside(simulated_study(4))
    assert few["columns"] == []
    assert few["sentences"] == [
        "With 4 patients nothing can be said on whether questionnaires and other measures change"
        " together."
    ]
    seven = beside(simulated_study(7))
    assert seven["sentences"][0].startswith("In none of 28 pairs")
    assert len(seven["figures"]) == 2  # SAM and its estimate, which share a scale
    many = beside(simulated_study(20))
    assert 1 < len(many["sentences"]) <= 6
    assert "went" in many["sentences"][0]
    assert "For the others that is not shown" in many["sentences"][-1]


def test_a_figure_of_agreement_shows_the_pairs_that_its_limits_are_of(
    simulated_study: Made,
) -> None:
    table = long_table(study_rows(simulated_study(9, 2), 0.5))
    checked = 0
    for one in agreements(table):
        if one.bland_altman is not None:
            pairs = agreement_pairs(one, table)
            differences = pairs[:, 0] - pairs[:, 1]
            assert differences.mean() == pytest.approx(one.bland_altman.bias.mean)
            half = 1.96 * differences.std(ddof=1)
            width = one.bland_altman.high.mean - one.bland_altman.low.mean
            assert width == pytest.approx(2 * half, rel=1e-3)
            checked += 1
    assert checked == 28


@pytest.mark.parametrize(
    ("patients", "sessions", "affect"), [(2, 3, True), (31, 1, True), (3, 1, False)]
)
def test_any_number_of_patients_makes_a_page(
    simulated_study: Made, patients: int, sessions: int, affect: bool
) -> None:
    results = simulated_study(patients, sessions, affect=affect, answers=False)
    parsed = Parsed(page(results))
    assert ("Valence rose" in parsed.text) == affect
    assert ("From session to session" in parsed.text) == (sessions > 1)
    assert parsed.elements["section"] == patients


@pytest.mark.parametrize("results", [{}, {"x": None}])
def test_a_study_without_any_result_makes_a_page_that_says_so(results: Results) -> None:
    if results:
        results["x"] = {
            "format": 2, "status": "REJECTED", "code": "E_SESSION", "sentence": "No.", "remedy": "",
        }  # fmt: skip
    text = Parsed(page(results, facts(len(results)))).text
    assert "No session counts" in text
    assert ("E_SESSION" in text) == bool(results)


_OPEN = "><script>alert(1)</script>"
PAYLOADS = [
    "<script>alert(1)</script>", f"'{_OPEN}", f'"{_OPEN}', f"--{_OPEN}", f"]]>{_OPEN}",
    *(f"</{name}{_OPEN}" for name in ("title", "style", "svg", "td", "code", "main", "h1", "p")),
    *(f"<{name} onload=alert(1)>" for name in ("svg", "body", "iframe", "object", "embed", "x")),
    *(f"<{name} onerror=alert(1) src=x>" for name in ("img", "audio", "video", "input", "image")),
    *(f"{quote} onmouseover={quote}alert(1)" for quote in "'\"`"),
    *(f"{quote} style={quote}background:url(javascript:alert(1))" for quote in "'\""),
    *(f"<a href={href}>x</a>" for href in ("javascript:alert(1)", "data:text/html,x", "//x.test")),
    *(f"{{{{ {code} }}}}" for code in ("7*7", "config", "''.__class__", "rows")),
    "{% for x in range(9) %}<b>{% endfor %}", "{# x #}", "${7*7}", "#{7*7}", "<%= 7*7 %>",
    "<meta http-equiv=refresh content='0;url=//x.test'>", "<base href=//x.test>",
    "<link rel=stylesheet href=//x.test>", "<style>@import '//x.test'</style>",
    "<form action=//x.test><button>x</button></form>", "<math><mtext><script>1</script>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "<!--<img src=x>-->",
    "<![CDATA[<script>alert(1)</script>]]>", "<?xml version='1.0'?><x/>", "<!DOCTYPE html>",
    "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;script&#62;", "\u2028<script>\u2029",
    "\uff1cscript\uff1e", "<scr\tipt>", "<SCRIPT SRC=//x.test>", "<svg><animate onbegin=alert(1)>",
    "<details open ontoggle=alert(1)>", "<marquee onstart=alert(1)>", "\ud800<b>", "$\\frac{1",
]  # fmt: skip


_DRAWN = ("path", "use", "g", "defs")


def spoiled(results: Results, payloads: list[str]) -> tuple[Results, StudyFacts]:
    """A payload in every text of a session that comes from outside, and of the study's own."""
    found: Results = {}
    for number, (text, result) in enumerate(zip(payloads, results.values(), strict=True)):
        notice = {"code": "W_UNIT", "sentence": text, "modality": "ecg"}
        result |= {
            "subject_id": text, "session_id": text, "session_folder": text, "phase_rule": text,
            "notices": [notice], "inputs": {text: text}, "versions": {text: text},
        }  # fmt: skip
        result["affect"] = None  # Figure 5 has nothing to draw: its names have a test of their own
        result["quadrants"] = {"before": text, "after": text}
        result["physiology"]["RMSSD"] |= {"after": None, "change": None, "reason": text}
        result["questionnaires"] = [result["questionnaires"][0] | {"after": None, "reason": text}]
        found[f"{number}{text}"] = result
    rejected = {"status": "REJECTED", "code": "E_SESSION", "subject_id": payloads[0]}
    for number, text in enumerate(payloads):
        found[f"rejected {number}"] = {**rejected, "format": 2, "sentence": text, "remedy": text}
    whole = " ".join(payloads)
    model = next(iter(results.values()))["model"]
    model |= {"variant": whole, "population": whole, "intended_use": whole, whole: whole}
    told = StudyFacts(
        whole, whole, len(found), 0.5, {"a": whole, whole: "a"}, {whole: whole}, whole
    )
    return found, told


def test_W09_sixty_payloads_in_every_field_are_inert(simulated_study: Made) -> None:
    """The page has the elements and attributes of a page of as many harmless names."""
    assert len(set(PAYLOADS)) >= 60
    names = [f"name {number}" for number in range(len(PAYLOADS))]
    nasty, harmless = (
        Parsed(page(*spoiled(simulated_study(len(names)), texts))) for texts in (PAYLOADS, names)
    )
    for drawn in _DRAWN:  # glyphs of a name are shapes of a figure
        del nasty.elements[drawn], harmless.elements[drawn]
    assert nasty.elements == harmless.elements
    assert set(nasty.attributes) == set(harmless.attributes)


def test_of_very_many_sessions_the_first_ones_are_told_and_the_rest_is_counted(
    simulated_study: Made,
) -> None:
    few = simulated_study(2)
    shown = page(
        {f"{name}-{copy}": _of(one, copy) for copy in range(130) for name, one in few.items()}
    )
    assert "The first 200 of 260 patients" in shown
    assert shown.count('<section class="patient') == 200


def test_sessions_left_out_for_one_reason_share_a_line(simulated_study: Made) -> None:
    results = simulated_study(20)
    for result in list(results.values())[:15]:
        result["phase_coverage"]["before"]["eda"] = 0.2
    shown = page(results)
    assert "<strong>15</strong>: " in shown
    assert "and 3 more (exclusions.csv)" in shown


def _of(result: dict[str, Any], copy: int) -> dict[str, Any]:
    """The same session as if it were another patient's."""
    return {**result, "subject_id": f"{result['subject_id']}-{copy}"}
