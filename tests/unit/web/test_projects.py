"""Projects through the page's operations."""

from __future__ import annotations

from typing import Any

import pytest


def test_G08_a_project_about_the_workplace_or_education_is_refused_with_the_article(
    site: Any,
) -> None:
    client = site.client("anna")
    for purpose in ("workplace", "education"):
        answer = client.post("/api/projects", json={"name": "Staff", "purpose": purpose})
        assert answer.status_code == 422
        assert answer.json()["code"] == "E_PURPOSE"
        assert "Article 5(1)(f)" in answer.json()["sentence"]
    assert "Staff" not in client.get("/").text


@pytest.mark.parametrize(("justification", "status"), [("", 422), ("fatigue of night pilots", 201)])
def test_G08_medical_or_safety_reasons_need_a_justification(
    site: Any, justification: str, status: int
) -> None:
    asked = {"name": "Pilots", "purpose": "medical or safety", "justification": justification}
    assert site.client("anna").post("/api/projects", json=asked).status_code == status
