"""Files of a session through the page's operations."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

BYTES = random.Random(7).randbytes(300_000)
PIECE = 100_000


def begin(client: Any, session_id: str, name: str = "a.csv", size: int = len(BYTES)) -> Any:
    return client.post(f"/api/sessions/{session_id}/uploads", json={"name": name, "size": size})


def send(client: Any, upload_id: str, offset: int, data: bytes) -> Any:
    return client.put(
        f"/api/uploads/{upload_id}?offset={offset}",
        content=data,
        headers={"Content-Type": "application/octet-stream"},
    )


def finish(client: Any, upload_id: str) -> Any:
    return client.post(f"/api/uploads/{upload_id}/finish")


def add_file(client: Any, session_id: str, name: str, data: bytes = BYTES) -> dict[str, Any]:
    upload_id = begin(client, session_id, name, len(data)).json()["id"]
    assert send(client, upload_id, 0, data).json() == {"received": len(data)}
    answer = finish(client, upload_id)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def on_disk(site: Any) -> set[str]:
    """Every file under the data folder but the database's, its backups, and the lock."""
    places = site.store.places
    return {
        str(path.relative_to(places.data))
        for path in places.data.rglob("*")
        if path.is_file() and path.parent not in (places.data, places.backups)
    }


def test_a_file_sent_in_pieces_becomes_the_sessions_file_and_asks_for_inspection(
    site: Any,
) -> None:
    client = site.client("edgar")
    upload_id = begin(client, site.session_id).json()["id"]
    for offset in range(0, len(BYTES), PIECE):
        answer = send(client, upload_id, offset, BYTES[offset : offset + PIECE])
        assert answer.json() == {"received": offset + PIECE}
    listed = client.get(f"/api/sessions/{site.session_id}/files").json()
    assert listed["files"] == []
    assert listed["uploads"][0]["received"] == len(BYTES)
    made = finish(client, upload_id).json()
    assert made["sha256"] == hashlib.sha256(BYTES).hexdigest()
    link = site.store.places.input(site.session_id) / "a.csv"
    assert link.read_bytes() == BYTES
    assert link.samefile(site.store.places.content(made["sha256"]))
    assert list(site.store.places.uploads.iterdir()) == []
    listed = client.get(f"/api/sessions/{site.session_id}/files").json()
    assert [file["id"] for file in listed["files"]] == [made["id"]]
    assert listed["uploads"] == []
    jobs = jobs_of(site)
    assert jobs == ["inspect"]


def jobs_of(site: Any) -> list[str]:
    from sqlalchemy import select

    from affectscope.store.tables import Job

    with site.store.reading() as session:
        return list(session.scalars(select(Job.kind).where(Job.session_id == site.session_id)))


def test_G01_without_consent_nothing_is_taken_and_a_withdrawal_stops_a_running_upload(
    site: Any,
) -> None:
    from affectscope.store.tables import Consent

    client = site.client("edgar")
    upload_id = begin(client, site.session_id).json()["id"]
    send(client, upload_id, 0, BYTES)
    with site.store.writing(None) as change:
        for consent in change.session.query(Consent):
            consent.withdrawn_at = change.at
    for answer in (begin(client, site.session_id, "b.csv"), finish(client, upload_id)):
        assert answer.status_code == 403
        assert answer.json()["code"] == "E_CONSENT"
        assert "withdrawn on 2026-03-01" in answer.json()["sentence"]
    assert not [path for path in on_disk(site) if path.startswith(("files/", "sessions/"))]


def test_a_reader_sees_files_but_the_page_and_the_server_let_him_change_nothing(site: Any) -> None:
    made = add_file(site.client("edgar"), site.session_id, "a.csv")
    reader = site.client("rita")
    shown = reader.get(f"/sessions/{site.session_id}/files")
    assert shown.status_code == 200
    assert "a.csv" in shown.text
    assert 'type="file"' not in shown.text
    assert "data-remove" not in shown.text
    path = f"/sessions/{site.session_id}/files/{made['id']}"
    assert begin(reader, site.session_id, "b.csv").status_code == 403
    assert reader.delete(f"/api{path}").status_code == 403
    assert reader.get(f"{path}/content").content == BYTES


def test_the_page_of_an_editor_says_what_to_do_next(site: Any) -> None:
    client = site.client("edgar")
    path = f"/sessions/{site.session_id}/files"
    empty = client.get(path).text
    assert "No files yet" in empty
    assert 'type="file"' in empty
    assert "Next: set up the session" not in empty
    begin(client, site.session_id, "half.csv")
    assert "half.csv" in client.get(path).text
    add_file(client, site.session_id, "a.csv")
    assert "Next: set up the session" in client.get(path).text


# W07: parallel, twice, out of order, aborted


def test_W07_pieces_out_of_order_twice_and_overlapping_give_the_file(site: Any) -> None:
    client = site.client("edgar")
    upload_id = begin(client, site.session_id).json()["id"]
    early = send(client, upload_id, PIECE, BYTES[PIECE : 2 * PIECE])
    assert early.status_code == 409
    assert early.json()["code"] == "E_UPLOAD"
    assert early.json()["received"] == 0
    assert send(client, upload_id, 0, BYTES[:PIECE]).json() == {"received": PIECE}
    assert send(client, upload_id, 0, BYTES[:PIECE]).json() == {"received": PIECE}
    assert send(client, upload_id, 10, b"x" * 50).json() == {"received": PIECE}
    half = PIECE // 2
    assert send(client, upload_id, half, BYTES[half : 2 * PIECE]).json() == {"received": 2 * PIECE}
    incomplete = finish(client, upload_id)
    assert incomplete.status_code == 409
    assert incomplete.json()["received"] == 2 * PIECE
    too_much = send(client, upload_id, 2 * PIECE, BYTES[2 * PIECE :] + b"more")
    assert too_much.json()["code"] == "E_UPLOAD"
    there = client.get(f"/api/uploads/{upload_id}").json()["received"]
    assert send(client, upload_id, there, BYTES[there:]).json() == {"received": len(BYTES)}
    assert finish(client, upload_id).json()["sha256"] == hashlib.sha256(BYTES).hexdigest()


def test_W07_the_same_content_is_kept_once_and_goes_with_its_last_name(site: Any) -> None:
    client = site.client("edgar")
    first = add_file(client, site.session_id, "a.csv")
    second = add_file(client, site.session_id, "b.csv")
    content = site.store.places.content(first["sha256"])
    assert second["sha256"] == first["sha256"]
    assert content.stat().st_nlink == 3
    base = f"/api/sessions/{site.session_id}/files"
    assert client.delete(f"{base}/{first['id']}").status_code == 200
    assert content.read_bytes() == BYTES
    assert client.delete(f"{base}/{second['id']}").status_code == 200
    assert on_disk(site) == set()
    assert client.delete(f"{base}/{second['id']}").status_code == 404


def test_W07_a_content_that_is_not_the_announced_one_is_dropped(site: Any) -> None:
    client = site.client("edgar")
    announced = {"name": "a.csv", "size": len(BYTES), "sha256": "0" * 64}
    answer = client.post(f"/api/sessions/{site.session_id}/uploads", json=announced)
    send(client, answer.json()["id"], 0, BYTES)
    refused = finish(client, answer.json()["id"])
    assert (refused.status_code, refused.json()["code"]) == (409, "E_UPLOAD")
    assert "damaged" in refused.json()["sentence"]
    assert on_disk(site) == set()
    add_file(client, site.session_id, "a.csv")


def test_W07_an_aborted_upload_leaves_nothing_and_frees_its_name(site: Any) -> None:
    client = site.client("edgar")
    upload_id = begin(client, site.session_id).json()["id"]
    send(client, upload_id, 0, BYTES[:PIECE])
    assert client.delete(f"/api/uploads/{upload_id}").status_code == 200
    assert on_disk(site) == set()
    for answer in (
        client.get(f"/api/uploads/{upload_id}"),
        send(client, upload_id, 0, b"x"),
        finish(client, upload_id),
        client.delete(f"/api/uploads/{upload_id}"),
    ):
        assert answer.status_code == 404
    assert begin(client, site.session_id).status_code == 201


def test_W21_finishing_twice_makes_one_file(site: Any) -> None:
    client = site.client("edgar")
    upload_id = begin(client, site.session_id).json()["id"]
    send(client, upload_id, 0, BYTES)
    assert [finish(client, upload_id).status_code for _ in range(2)] == [200, 404]
    assert len(client.get(f"/api/sessions/{site.session_id}/files").json()["files"]) == 1


# W08: too large, no length, multipart


@pytest.fixture
def small_site(make_site: Any) -> Iterator[Any]:
    return make_site(largest_upload=1000)


def test_W08_more_than_the_limit_is_refused_at_once_and_leaves_nothing(small_site: Any) -> None:
    client = small_site.client("edgar")
    answer = begin(client, small_site.session_id, size=1001)
    assert (answer.status_code, answer.json()["code"]) == (413, "E_TOO_LARGE")
    upload_id = begin(client, small_site.session_id, size=1000).json()["id"]
    assert send(client, upload_id, 0, b"x" * (8 << 20) + b"x").status_code == 413
    assert send(client, upload_id, 0, b"x" * 1001).status_code == 409
    assert client.get(f"/api/uploads/{upload_id}").json()["received"] == 0
    assert begin(client, small_site.session_id, "empty.csv", 0).status_code == 422
    assert begin(client, small_site.session_id, "huge.csv", 10**30).status_code == 422


def test_W08_a_piece_without_length_and_a_form_are_refused_before_they_are_read(site: Any) -> None:
    client = site.client("edgar")
    upload_id = begin(client, site.session_id).json()["id"]
    path = f"/api/uploads/{upload_id}?offset=0"
    drawn: list[int] = []

    def endless() -> Iterator[bytes]:
        for number in range(3):
            drawn.append(number)
            yield b"x"

    octets = {"Content-Type": "application/octet-stream"}
    assert client.put(path, content=endless(), headers=octets).status_code in (400, 411)
    form = client.put(path, files=[("file", ("a.csv", BYTES))] * 50)
    assert form.status_code == 400
    assert "application/octet-stream" in form.json()["sentence"]
    announced = client.post(f"/api/sessions/{site.session_id}/uploads", files={"f": ("a", b"x")})
    assert announced.status_code == 422
    assert list(site.store.places.uploads.iterdir()) == []


# W15 and W26: names

TRAVERSALS = (
    "../a.csv", "..\\a.csv", "/etc/passwd", "a/../../b.csv", "..", ".", "....//a", "C:\\a.csv",
    "a.csv\0.mp4", ".ssh", "session.toml", "Questionnaires.CSV", "SESSION.TOML", "", " ", "a\n.csv",
    "a\r\nX-Evil: 1", "\u202egnp.exe", "a\u2066b", "x" * 201, "\u00e9" * 200, " a.csv", "a\u2028b",
)  # fmt: skip
ADDRESSES = (
    "../../affectscope.sqlite", "..%2f..%2faffectscope.sqlite", "%2e%2e", "..%5c..", "%00",
    "....%2f%2f", "%252e%252e%252f", "/etc/passwd", "a" * 3000, "%ff", "'%20or%201=1--",
)  # fmt: skip


def test_W15_a_name_that_is_no_plain_file_name_is_refused(site: Any) -> None:
    client = site.client("edgar")
    for name in TRAVERSALS:
        answer = begin(client, site.session_id, name)
        assert (answer.status_code, answer.json()["code"]) == (422, "E_VALUE"), name
    assert on_disk(site) == set()


def test_W15_no_address_reaches_another_file(site: Any) -> None:
    client = site.client("edgar")
    add_file(client, site.session_id, "a.csv")
    before, canary = on_disk(site), site.store.places.data / "affectscope.sqlite"
    for payload in ADDRESSES:
        session = f"/sessions/{site.session_id}/files/{payload}"
        answers = [
            client.get(f"{session}/content"),
            client.get(f"/sessions/{payload}/files"),
            client.get(f"/api/sessions/{payload}/files"),
            client.get(f"/api/uploads/{payload}"),
            send(client, payload, 0, b"x"),
            finish(client, payload),
            client.delete(f"/api/uploads/{payload}"),
            client.delete(f"/api{session}"),
            begin(client, payload),
        ]
        assert {answer.status_code for answer in answers} <= {404, 405}, payload
        assert not any(b"SQLite format" in answer.content for answer in answers)
    assert on_disk(site) == before
    assert canary.exists()


def test_W15_a_file_of_another_session_is_not_reached_through_ones_own(site: Any) -> None:
    from affectscope.store.sessions import add_session

    client = site.client("edgar")
    made = add_file(client, site.session_id, "a.csv")
    with site.store.writing(None) as change:
        other = add_session(change, site.subject_id, "second").id
    assert client.get(f"/sessions/{other}/files/{made['id']}/content").status_code == 404
    assert client.delete(f"/api/sessions/{other}/files/{made['id']}").status_code == 404


def test_a_name_is_taken_by_files_and_uploads_whatever_its_case_and_composition(
    site: Any,
) -> None:
    client = site.client("edgar")
    add_file(client, site.session_id, "a.csv")
    assert begin(client, site.session_id, "\u00c9.csv").status_code == 201
    for name in ("A.CSV", "a.csv", "e\u0301.csv"):
        answer = begin(client, site.session_id, name)
        assert (answer.status_code, answer.json()["code"]) == (409, "E_CONFLICT"), name
    assert begin(client, site.session_id, "\uff41.csv").status_code == 201  # another letter


NAMES = (
    ("a.csv", "a.csv"),
    ('say "hi".csv', "say _hi_.csv"),
    ("a;b='c'.csv", "a_b__c_.csv"),
    ("Gespr\u00e4ch.mp4", "Gesprach.mp4"),
    ("\U0001f600 smile.mp4", "smile.mp4"),
    ("\u05e9\u05dc\u05d5\u05dd.csv", ".csv"),
    ("\u4f60\u597d", "file"),
    ("100%.csv", "100_.csv"),
    ("\u200d\u200c\u0645\u06cc\u200c\u062e.csv", ".csv"),
)
"""File name -> its ASCII form."""
UNRESERVED = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%")


def test_W26_a_download_bears_its_whole_name_in_one_clean_header(site: Any) -> None:
    client = site.client("edgar")
    for name, fallback in NAMES:
        made = add_file(client, site.session_id, name)
        answer = client.get(f"/sessions/{site.session_id}/files/{made['id']}/content")
        assert answer.content == BYTES
        plain, encoded = answer.headers["content-disposition"].split("; filename*=UTF-8''")
        assert plain == f'attachment; filename="{fallback}"'
        assert unquote(encoded, errors="strict") == name
        assert set(encoded) <= UNRESERVED
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox")


def test_W26_even_a_name_that_was_never_checked_cannot_break_the_header() -> None:
    from affectscope.web.downloads import disposition

    for evil in ('a"\r\nX-Evil: 1', "\u202e\u0000\n", "\ud800", 'x"; filename="y', "\\"):
        header = disposition(evil)
        assert header.isascii()
        assert header.isprintable()
        assert header.count('"') == 2
        assert "\\" not in header


def test_a_download_is_on_the_audit_trail_and_a_lost_content_is_told(site: Any) -> None:
    from affectscope.store.tables import AuditRow

    made = add_file(site.client("edgar"), site.session_id, "a.csv")
    client, path = site.client("rita"), f"/sessions/{site.session_id}/files/{made['id']}/content"
    assert client.get(path).content == BYTES
    with site.store.reading() as session:
        (row,) = session.query(AuditRow).filter_by(action="file.fetched")
    assert (row.actor_id, row.target_id) == (site.users["rita"], made["id"])
    site.store.places.content(made["sha256"]).unlink()
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "E_NOT_FOUND")


def test_G02_the_audit_trail_holds_hashes_and_sizes_but_no_file_names(site: Any) -> None:
    from affectscope.store.tables import AuditRow

    client = site.client("edgar")
    made = add_file(client, site.session_id, "canary-name.csv")
    client.delete(f"/api/sessions/{site.session_id}/files/{made['id']}")
    with site.store.reading() as session:
        rows = [(row.action, row.detail) for row in session.query(AuditRow)]
    assert {"upload.begun", "file.added", "file.removed"} <= {action for action, _ in rows}
    assert made["sha256"] in dict(rows)["file.added"]
    assert not any("canary" in detail for _, detail in rows)


def test_the_end_of_a_half_upload_tells_whether_it_is_the_same_file(
    site: Any, tmp_path: Path
) -> None:
    client = site.client("edgar")
    upload_id = begin(client, site.session_id, size=3 << 20).json()["id"]
    told = client.get(f"/api/uploads/{upload_id}").json()["tail"]
    assert told == {"start": 0, "sha256": hashlib.sha256(b"").hexdigest()}
    data = BYTES * 5
    send(client, upload_id, 0, data)
    told = client.get(f"/api/uploads/{upload_id}").json()["tail"]
    start = len(data) - (1 << 20)
    assert told == {"start": start, "sha256": hashlib.sha256(data[start:]).hexdigest()}
