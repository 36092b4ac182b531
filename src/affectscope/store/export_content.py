"""What an export holds: a person's rows as JSON, and where the files lie.

export.zip
  sessions.csv                           one row for each session
  people/PSEUDONYM/person.json           consents, and the list of sessions
  people/PSEUDONYM/LABEL/session.json    settings, marks, files, results, rejections, answers, jobs
  people/PSEUDONYM/LABEL/originals/...   as they were uploaded
  people/PSEUDONYM/LABEL/session.toml, questionnaires.csv, inspection.json
  people/PSEUDONYM/LABEL/results/N/...   reports, tables, pictures, the newest last
  manifest.json                          by whom, when, what for, how many are left out and why,
                                         sha256 of files

Times are ISO 8601 in UTC. Folders bear pseudonyms and labels as far as every system can keep them;
the JSON files bear them as they are.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from affectscope.errors import StoreError
from affectscope.io.files import TEMPORARY, write_text
from affectscope.io.spreadsheet_text import Cell, write_table
from affectscope.store.exports import EXPORT_SCOPES, people_by_consent
from affectscope.store.places import Places
from affectscope.store.projects import project_head
from affectscope.store.tables import (
    Answers,
    Base,
    Consent,
    Job,
    Product,
    RecordedSession,
    Result,
    StoredFile,
    Subject,
    User,
)

Entry = tuple[Path, str]
"""A file, and its name in the zip."""

_LONGEST, _LONGEST_SUFFIX = 60, 8
_NOT_OURS = ("rejected_by", "asked_by")
"""Columns that tell of users, not of the person."""


def export_content(
    session: Session, places: Places, product: Product, at: datetime
) -> tuple[list[Entry], dict[str, Any]]:
    """The entries of an export, and what its manifest says of it.

    Raises:
        StoreError: E_CONSENT where nobody allows it any more.
        OutputError: E_OUTPUT.
    """
    purpose = product.detail["purpose"]
    people, left_out = _people(session, product, EXPORT_SCOPES[purpose], at)
    content = ExportContent(session, places, places.export_parts(product.id))
    for person in people:
        content.add_person(person)
    content.add_overview()
    asked_by = session.get(User, product.detail["asked_by"])
    facts = {
        "asked_by": None if asked_by is None else asked_by.name,
        "asked_at": product.created_at.isoformat(),
        "purpose": purpose,
        "project": project_head(session, product.project_id).name,
        "people": [person.pseudonym for person in people],
        "left_out": Counter(left_out),
    }
    return content.entries, facts


def _people(
    session: Session, product: Product, scope: str | None, at: datetime
) -> tuple[Sequence[Subject], list[str]]:
    """Whose data it holds, and the reason for each person whom a project's export leaves out: it
    must not name them, who did not allow it."""
    asked, left_out = set(product.detail["subjects"]), []
    if scope is not None:
        split = people_by_consent(session, product.project_id, scope, at)
        asked &= set(split.allowed)
        left_out = list(split.left_out.values()) if product.subject_id is None else []
    people = session.scalars(
        select(Subject)
        .where(Subject.id.in_(asked), Subject.erasing.is_(False))
        .order_by(Subject.pseudonym)
    ).all()
    if not people:
        raise StoreError("E_CONSENT", "Nobody allows this export any more.")
    return people, left_out


class ExportContent:
    """Collects the entries of an export; the JSON files are written into ``parts``."""

    def __init__(self, session: Session, places: Places, parts: Path) -> None:
        self._session, self._places, self._parts = session, places, parts
        self.entries: list[Entry] = []
        self._taken: set[str] = set()
        self._overview: list[tuple[Cell, ...]] = []

    def add_overview(self) -> None:
        """sessions.csv, of all people that were added; text in it is inert (W10)."""
        path = self._parts / "sessions.csv"
        write_table(path, ("person", "session", "added", "files", "results"), self._overview)
        self.entries.append((path, path.name))

    def add_person(self, subject: Subject) -> None:
        """With all sessions. Raises OutputError E_OUTPUT."""
        folder = self._free("people", subject.pseudonym)
        sessions = self._rows(RecordedSession, RecordedSession.subject_id == subject.id)
        content = {
            "pseudonym": subject.pseudonym,
            "added": subject.created_at,
            "consents": [
                plain(row) for row in self._rows(Consent, Consent.subject_id == subject.id)
            ],
            "sessions": [held.label for held in sessions],
        }
        self._write(f"{folder}/person.json", content)
        for held in sessions:
            self._add_session(self._free(folder, held.label), held, subject.pseudonym)

    def _add_session(self, folder: str, held: RecordedSession, pseudonym: str) -> None:
        files = self._rows(StoredFile, StoredFile.session_id == held.id)
        results = self._rows(Result, Result.session_id == held.id)
        content = {
            **plain(held),
            "files": [plain(row) for row in files],
            "results": [plain(row) for row in results],
            "answers": [plain(row) for row in self._rows(Answers, Answers.session_id == held.id)],
            "jobs": [plain(row) for row in self._rows(Job, Job.session_id == held.id)],
        }
        self._write(f"{folder}/session.json", content)
        self._overview.append(
            (pseudonym, held.label, held.created_at.isoformat(), len(files), len(results))
        )
        for file in files:
            originals = self._free(f"{folder}/originals", file.name)
            self.entries.append((self._places.content(file.sha256), originals))
        self._add_written(folder, held.id, {file.name for file in files})
        for number, result in enumerate(results, start=1):
            made = self._places.result(held.id, result.id)
            for path in regular_files(made):
                name = path.relative_to(made).as_posix()
                self.entries.append((path, f"{folder}/results/{number}/{name}"))

    def _add_written(self, folder: str, session_id: str, originals: set[str]) -> None:
        """What the program wrote beside the originals."""
        beside = [
            path
            for path in regular_files(self._places.input(session_id))
            if path.name not in originals
        ]
        inspection = self._places.inspection(session_id)
        for path in [*beside, *([inspection] if inspection.is_file() else [])]:
            self.entries.append((path, self._free(folder, path.name)))

    def _rows(self, table: type[Any], wanted: Any) -> Sequence[Any]:
        order = table.given_at if table is Consent else getattr(table, "created_at", table.id)
        return self._session.scalars(select(table).where(wanted).order_by(order, table.id)).all()

    def _write(self, name: str, content: Any) -> None:
        path = self._parts / f"{len(self.entries)}.json"
        write_text(path, json.dumps(content, indent=1, default=_text) + "\n")
        self._taken.add(name.casefold())
        self.entries.append((path, name))

    def _free(self, folder: str, name: str) -> str:
        """A name in the folder that every system can keep and nothing else has."""
        stem, suffix = safe_name(name)
        tried, number = f"{folder}/{stem}{suffix}", 1
        while tried.casefold() in self._taken:
            number += 1
            tried = f"{folder}/{stem}-{number}{suffix}"
        self._taken.add(tried.casefold())
        return tried


def safe_name(name: str) -> tuple[str, str]:
    """Stem and suffix of Latin letters, digits, dots, blanks, - and _; all else becomes _."""
    kept = re.sub(r"[^A-Za-z0-9._ -]", "_", name).strip(" .")
    stem, dot, suffix = kept.rpartition(".")
    if not dot or not suffix.isalnum() or len(suffix) > _LONGEST_SUFFIX:
        stem, suffix = kept, ""
    return stem[:_LONGEST].strip(" .") or "_", f".{suffix}" if suffix else ""


def plain(row: Base) -> dict[str, Any]:
    """A row as JSON can hold it, without what tells of users."""
    columns = inspect(type(row)).columns
    return {name: getattr(row, name) for name in columns.keys() if name not in _NOT_OURS}  # noqa: SIM118


def regular_files(folder: Path) -> list[Path]:
    """All below a folder, in the order of their names, without what is half written."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and not path.name.startswith(TEMPORARY)
    )


def _text(value: object) -> str:
    assert isinstance(value, datetime), f"{type(value).__name__} is no plain value"
    return value.isoformat()
