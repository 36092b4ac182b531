"""The verbs of ``affectscope questionnaire``; as in ``cli``, heavy rooms are imported inside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from affectscope.therapy.questionnaires.group import GroupTotal
    from affectscope.therapy.questionnaires.scores import QuestionnaireScore

questionnaire = typer.Typer(
    help="Answers before and after: an empty table to fill in, and its totals.",
    no_args_is_help=True,
)


@questionnaire.command()
def blank(
    names: Annotated[
        list[str], typer.Argument(help="SAM, STAI, STAI-S, STAI-T, SUDS, PANAS, GAD-7, PHQ-9, PSS.")
    ],
    out: Annotated[Path, typer.Option(help="The CSV table to write; must not exist yet.")],
) -> None:
    """Write an empty table of answers: item numbers and allowed range, no item's text."""
    from affectscope.therapy.questionnaires.blank import write_blank

    rows = write_blank(names, out)
    print(f"{rows} rows to fill in, before and after: {out}")


@questionnaire.command()
def score(
    answers: Annotated[Path, typer.Argument(help="The CSV table of answers.")],
) -> None:
    """Print the totals of each person in a table, and of a group the means."""
    from affectscope.io.questionnaire_table import read_answers
    from affectscope.therapy.questionnaires.group import group_totals, people_of
    from affectscope.therapy.questionnaires.scores import person_scores

    table = read_answers(answers)
    people = people_of(table)
    for subject, session in people:
        scores, notices = person_scores(table, subject, session, {})
        named = " ".join(filter(None, (subject, session and f"session {session}")))
        print((named if named.isprintable() else ascii(named)) or "One person")
        for line in (*map(_score_line, scores), *(f"{n.code}: {n.sentence}" for n in notices)):
            print(f"  {line}")
    if len(people) > 1:
        print("Means over people who answered in full: by the key; the plain sum of the answers")
        for total in group_totals(table):
            print(f"  {_group_line(total)}")


def _score_line(score: QuestionnaireScore) -> str:
    from affectscope.therapy.questionnaires.report import total_text

    shown = [total_text(score.before), total_text(score.after), total_text(score.change, "+")]
    bands = " to ".join(filter(None, dict.fromkeys((score.band_before, score.band_after))))
    told = "".join(f" ({text})" for text in (bands, score.reason) if text)
    return (
        f"{score.measure} ({score.lowest:g} to {score.highest:g}, higher: {score.higher_means}):"
        f" before {shown[0]}, after {shown[1]}, change {shown[2]}{told}"
    )


def _group_line(total: GroupTotal) -> str:
    from affectscope.therapy.measures import estimate_text

    line = (
        f"{total.measure} {total.time}, {total.people} people: {total.by_key:.1f};"
        f" {total.plain:.1f}"
    )
    if total.together is None:
        return line
    line += f"; items of opposite wording: r = {estimate_text(total.together, sign='+')}"
    low = total.together.low
    return f"{line}, they look reversed already" if low is not None and low > 0 else line
