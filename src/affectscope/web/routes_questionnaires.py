"""Questionnaires of a session: the list with its totals, filling one in, taking one out."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from affectscope.store.answers import FilledIn, answers_of, remove_answers, save_answers
from affectscope.store.results import results_of
from affectscope.store.sessions import session_head
from affectscope.therapy.questionnaires.answers import TIMES
from affectscope.therapy.questionnaires.keys import FORMS
from affectscope.web.access import TheStore, TheVisitor, editor, needs, reader
from affectscope.web.questionnaire_form import (
    Filled,
    Seen,
    asked_items,
    checked_scores,
    known_form,
    known_time,
    parts_of,
    scores_of,
    steps_of,
    told_score,
)
from affectscope.web.templates import page

router = APIRouter()

_ONE = "/api/sessions/{session_id}/questionnaires/{questionnaire}/{time}"


@router.get(
    "/sessions/{session_id}/questionnaires",
    dependencies=needs(reader("session_id")),
    response_class=HTMLResponse,
)
def show_questionnaires(request: Request, session_id: str, store: TheStore) -> HTMLResponse:
    """What is filled in, its totals, and what can be filled in."""
    with store.reading() as session:
        head = session_head(session, session_id)
        filled = answers_of(session, session_id)
        newest = next(iter(results_of(session, session_id)), None)
    answered = head.settings.get("questionnaires")
    content = {
        "head": head,
        "tab": "questionnaires",
        "forms": FORMS,
        "times": TIMES,
        "filled": {(sheet.questionnaire, sheet.time): sheet for sheet in filled},
        "scores": scores_of(filled),
        "asked_items": asked_items,
        "outdated": newest is not None and newest.settings.get("questionnaires") != answered,
    }
    return page(request, "session_questionnaires", content)


@router.get(
    "/sessions/{session_id}/questionnaires/{questionnaire}/{time}",
    dependencies=needs(reader("session_id")),
    response_class=HTMLResponse,
)
def show_questionnaire(
    request: Request, session_id: str, questionnaire: str, time: str, store: TheStore
) -> HTMLResponse:
    """The form to fill in, with what is saved."""
    form, at = known_form(questionnaire), known_time(time)
    with store.reading() as session:
        head = session_head(session, session_id)
        filled = answers_of(session, session_id)
    content = {
        "head": head,
        "tab": "questionnaires",
        "form": form,
        "time": at,
        "parts": parts_of(form),
        "steps": steps_of(form),
        "turned": any(scale.reversed_items for scale in form.scales),
        "sheet": next(
            (sheet for sheet in filled if (sheet.questionnaire, sheet.time) == (form.name, at)),
            FilledIn(form.name, at, {}, 0),
        ),
    }
    return page(request, "questionnaire_form", content)


@router.get(
    "/api/sessions/{session_id}/questionnaires/score", dependencies=needs(reader("session_id"))
)
def tell_scores(session_id: str, store: TheStore) -> dict[str, Any]:
    """The totals by the keys, and why one lacks."""
    with store.reading() as session:
        filled = answers_of(session, session_id)
    return {"scores": [told_score(score) for score in scores_of(filled)]}


@router.put(_ONE, dependencies=needs(editor("session_id")))
def save_questionnaire(
    session_id: str,
    questionnaire: str,
    time: str,
    body: Filled,
    store: TheStore,
    visitor: TheVisitor,
) -> dict[str, Any]:
    """Keep what the person marked; it counts from the next scoring on."""
    form, at = known_form(questionnaire), known_time(time)
    scores = checked_scores(form, body.answers)
    with store.writing(visitor.user_id) as change:
        version = save_answers(
            change,
            session_id,
            questionnaire=form.name,
            time=at,
            seen_version=body.version,
            scores=scores,
        )
    return {"version": version}


@router.delete(_ONE, dependencies=needs(editor("session_id")))
def remove_questionnaire(
    session_id: str, questionnaire: str, time: str, body: Seen, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """Take it out."""
    form, at = known_form(questionnaire), known_time(time)
    with store.writing(visitor.user_id) as change:
        remove_answers(
            change, session_id, questionnaire=form.name, time=at, seen_version=body.version
        )
    return {"removed": form.name, "time": at}
