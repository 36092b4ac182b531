"""What ``fuzz_operations`` puts into requests: what exists, what is taken, and what is odd."""

from __future__ import annotations

from typing import Any

from page_world import PASSWORD

HOSTILE: tuple[Any, ...] = (
    # SQL
    "' OR '1'='1", "'; DROP TABLE subject; --", "1 UNION SELECT name FROM project", "%", "_", "\\",
    "' AND 1=CAST((SELECT name FROM project) AS INT)--", "${7*7}", "{{7*7}}", "%s%n%x",
    # letters
    "", " ", "\0", "a\0b", "\ud800", "\u202e", "\ufeff", "e\u0301" * 90, "𝕏" * 101, "a\r\nb: c",
    "../../etc/passwd", "..%2f..", "/", "con", "x" * 5000, "<script>window.pwned=1</script>",
    # numbers
    0, -1, 1, 2**31, 2**53, 2**63, 2**64, -(2**63) - 1, 10**400, 1e308, 5e-324, -0.0, 1.5,
    float("nan"), float("inf"), float("-inf"), "NaN", "1e999", "0x10", "１",
    # other things
    None, True, False, [], {}, [[]], {"": None}, [None] * 300, {"version": 1},
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999+23:59", "2026-02-30T00:00:00Z",
)  # fmt: skip
BROKEN: tuple[bytes, ...] = (
    b"", b"{", b"null", b"[]", b'"', b'{"version": 1', b"\xff\xfe", b"\xef\xbb\xbf{}", b"NaN",
    b'{"version": 1, "version": 2}', b"[" * 100_000, b'{"a":' * 50_000, b"1" * 5000, b"1e400",
    b'{"name": "\\ud800"}', b'{"name": "a\x00b"}', b"name=a&version=1", b"{'version': 1}",
    '{"name": "ä"}'.encode("utf-16"), b"--x\r\n\r\n--x--",
)  # fmt: skip
_QUESTIONS = {"questionnaire": ("GAD-7", "SUDS", "STAI"), "time": ("before", "after")}
VALUES: dict[str, tuple[Any, ...]] = {
    "version": (1,),
    "pseudonym": ("P01", "P02"),
    "name": ("olga", "anna", "new.csv", "study.pdf", "report.pdf", "timeline.csv"),
    "password": (PASSWORD,),
    "old": (PASSWORD,),
    "new": ("nine green bottles more",),
    "purpose": ("therapy", "research", "training", "own copy", "workplace"),
    "file": ("signals.csv", "face.mp4"),
    "channel": ("ECG (mV)", "EDA (uS)", 1, 2),
    "size": (0, 4, 1 << 20),
    "offset": (4, 0, 8),
    "start": (0.0, 5.0),
    "end": (10.0, 24.0),
    **_QUESTIONS,
}
"""Name of a field or parameter -> what fits it."""
_SIGNAL = {"file": "signals.csv", "unit": None, "decimal": None, "clock_offset": None}
BODIES: dict[str, tuple[Any, ...]] = {
    "/marks": (
        {
            "version": 1,
            "phases": {"before": [0, 8], "after": [12, 20]},
            "marked": [["rest", 2, 4]],
            "excluded": [["ecg", 5, 6, "moved"], ["all", 15, 16, "break"]],
        },
        {"version": 1, "phases": {"minutes": 0.1}, "marked": [], "excluded": []},
    ),
    "/setup": (
        {
            "version": 1,
            "simulated": True,
            "face": None,
            "ecg": {**_SIGNAL, "channel": "ECG (mV)", "sampling_rate": 64.0},
            "eda": {**_SIGNAL, "channel": "EDA (uS)", "sampling_rate": None},
        },
    ),
    "/consents": (
        {
            "scopes": ["ingest", "scoring"],
            "given_at": "2026-03-01T00:00:00Z",
            "expires_at": "2030-03-01T00:00:00+02:00",
            "notice_shown_at": None,
        },
    ),
    "/uploads": ({"name": "new.csv", "size": 4, "sha256": "a" * 64},),
    "/{time}": ({"version": 1, "answers": {"1": 2, "2": 3, "3": None}}, {"version": 1}),
    "/rejection": ({"version": 1, "reason": "the sensor moved"},),
    "/{session_id}": ({"version": 1, "label": "second"},),
    "/{subject_id}": ({"pseudonym": "P01"}, {"pseudonym": "P02", "version": 1}),
    "/{user_id}": ({"version": 1, "disabled": True, "administrator": False},),
    "/projects": (
        {
            "name": "Fear",
            "purpose": "medical or safety",
            "justification": "fatigue of night pilots",
        },
    ),
}
"""How an operation's path ends -> bodies that it takes, to be changed here and there."""
PAGES = {
    "/api/sessions": (
        "/sessions/{session}", "/sessions/{session}/setup", "/sessions/{session}/files",
        "/sessions/{session}/questionnaires", "/api/sessions/{session}/marks",
    ),
    "/api/results": ("/sessions/{session}", "/results/{result}/report.html"),
    "/api/uploads": ("/sessions/{session}/files",),
    "/api/jobs": ("/sessions/{session}",),
    "/api/subjects": ("/subjects/{subject}", "/projects/{project}/people", "/projects/{project}"),
    "/api/projects": (
        "/", "/projects/{project}", "/projects/{project}/members", "/projects/{project}/study",
        "/projects/{project}/exports",
    ),
    "/api/users": ("/users", "/audit"),
}  # fmt: skip
"""What shows a change, by how its path begins."""
