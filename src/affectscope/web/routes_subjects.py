"""A person: sessions, consents, export, erasure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import AfterValidator, AwareDatetime, Field

from affectscope.store.consents import (
    SCOPES,
    Given,
    add_consent,
    consents_of,
    why_not,
    withdraw_consent,
)
from affectscope.store.erasure import erase_subject
from affectscope.store.exports import EXPORT_PURPOSES
from affectscope.store.session_list import STATES, sessions_of_subject
from affectscope.store.sessions import add_session
from affectscope.store.subjects import rename_subject, subject_head
from affectscope.web.access import TheStore, TheVisitor, editor, needs, owner, reader
from affectscope.web.bodies import Body, Version
from affectscope.web.routes_projects import PageNumber, pages_of
from affectscope.web.runner import runner_of
from affectscope.web.templates import page

router = APIRouter()

_EARLIEST, _LATEST = datetime(1900, 1, 2, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _in_range(time: datetime) -> datetime:
    if not _EARLIEST <= time <= _LATEST:
        raise ValueError("a time between 1900 and 2200 is expected")
    return time.astimezone(UTC)


Time = Annotated[AwareDatetime, AfterValidator(_in_range)]


class Renamed(Body):
    pseudonym: str = Field(min_length=1, max_length=200)
    version: Version


class NewConsent(Body):
    scopes: list[Literal["ingest", "scoring", "training", "export"]] = Field(
        min_length=1, max_length=4
    )
    given_at: Time
    expires_at: Time | None = None
    notice_shown_at: Time | None = None


class NewSession(Body):
    label: str = Field(min_length=1, max_length=200)


class Erasure(Body):
    pseudonym: str = Field(max_length=200)
    """Typed once more, so that nobody is erased by a slip."""


@router.get(
    "/subjects/{subject_id}",
    dependencies=needs(reader("subject_id")),
    response_class=HTMLResponse,
)
def show_subject(
    request: Request, subject_id: str, store: TheStore, number: PageNumber = 1
) -> HTMLResponse:
    """The person's page."""
    now = store.clock()
    with store.reading() as session:
        head = subject_head(session, subject_id)
        found = sessions_of_subject(session, subject_id, number)
        consents = consents_of(session, subject_id)
        refused = {
            scope: why_not(session, [subject_id], scope, now)[subject_id] for scope in SCOPES
        }
    content = {
        "subject": head,
        "found": found,
        "states": STATES,
        "scopes": SCOPES,
        "consents": consents,
        "refused": refused,
        "now": now,
        "purposes": EXPORT_PURPOSES,
        "page": number,
        "pages": pages_of(found.count),
    }
    return page(request, "subject", content)


@router.patch("/api/subjects/{subject_id}", dependencies=needs(editor("subject_id")))
def change_subject(
    subject_id: str, body: Renamed, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """Another pseudonym."""
    with store.writing(visitor.user_id) as change:
        version = rename_subject(change, subject_id, body.pseudonym, seen_version=body.version)
    return {"version": version}


@router.post(
    "/api/subjects/{subject_id}/sessions",
    dependencies=needs(editor("subject_id")),
    status_code=201,
)
def make_session(
    subject_id: str, body: NewSession, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """A new, empty session; refused without consent to keep recordings."""
    with store.writing(visitor.user_id) as change:
        return {"id": add_session(change, subject_id, body.label).id}


@router.post(
    "/api/subjects/{subject_id}/consents",
    dependencies=needs(owner("subject_id")),
    status_code=201,
)
def make_consent(
    subject_id: str, body: NewConsent, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """Record what the person allowed."""
    given = Given(frozenset(body.scopes), body.given_at, body.expires_at, body.notice_shown_at)
    with store.writing(visitor.user_id) as change:
        return {"id": add_consent(change, subject_id, given).id}


@router.post(
    "/api/subjects/{subject_id}/consents/{consent_id}/withdrawal",
    dependencies=needs(owner("subject_id")),
)
def end_consent(
    subject_id: str, consent_id: str, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """The person takes a consent back."""
    with store.writing(visitor.user_id) as change:
        withdraw_consent(change, subject_id, consent_id)
    return {"id": consent_id}


@router.delete("/api/subjects/{subject_id}", dependencies=needs(owner("subject_id")))
def erase(
    request: Request, subject_id: str, body: Erasure, store: TheStore, visitor: TheVisitor
) -> dict[str, Any]:
    """Erase the person with all that was derived; answers when all of it is gone."""
    erase_subject(
        store,
        subject_id,
        actor_id=visitor.user_id,
        typed=body.pseudonym,
        wait=runner_of(request).wait_for,
    )
    return {"erased": subject_id}
