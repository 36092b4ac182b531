"""Members of a project through the page's operations."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from affectscope.store.tables import AuditRow


def test_an_owner_adds_a_user_by_name_and_gives_and_takes_roles(site: Any) -> None:
    owner, added = site.client("olga"), site.client("mallory")
    path = f"/api/projects/{site.project_id}/members"
    page = f"/projects/{site.project_id}/members"
    assert added.get(page).status_code == 404
    assert owner.put(path, json={"name": " Mallory ", "role": "reader"}).status_code == 200
    assert added.get(page).status_code == 200
    renamed = {"name": "x", "version": 1}
    assert added.patch(f"/api/projects/{site.project_id}", json=renamed).status_code == 403
    assert owner.put(path, json={"name": "mallory", "role": "owner"}).status_code == 200
    assert added.patch(f"/api/projects/{site.project_id}", json=renamed).status_code == 200
    assert owner.delete(f"{path}/{site.users['mallory']}").status_code == 200
    assert added.get(page).status_code == 404


def test_a_name_that_nobody_has_is_refused_and_leaves_as_much_of_a_trace(site: Any) -> None:
    path = f"/api/projects/{site.project_id}/members"
    answer = site.client("olga").put(path, json={"name": "nobody", "role": "reader"})
    assert answer.status_code == 404
    with site.store.reading() as session:
        last = session.scalars(select(AuditRow).order_by(AuditRow.sequence.desc())).first()
    assert (last.action, last.detail) == ("member.unknown", "{}"), "without the name"


def test_the_last_owner_can_neither_leave_nor_step_down(site: Any) -> None:
    owner = site.client("olga")
    path = f"/api/projects/{site.project_id}/members"
    assert owner.delete(f"{path}/{site.users['anna']}").status_code == 200
    left = owner.delete(f"{path}/{site.users['olga']}")
    lowered = owner.put(path, json={"name": "olga", "role": "editor"})
    for answer in (left, lowered):
        assert answer.status_code == 422
        assert "last one" in answer.json()["sentence"]
    assert owner.get(f"/projects/{site.project_id}/exports").status_code == 200


def test_readers_see_who_belongs_to_the_project_and_cannot_change_it(site: Any) -> None:
    reader = site.client("rita")
    text = reader.get(f"/projects/{site.project_id}/members").text
    assert "edgar" in text
    assert "Add a member" not in text
    path = f"/api/projects/{site.project_id}/members"
    assert reader.put(path, json={"name": "rita", "role": "owner"}).status_code == 403
