"""Jobs that make something of a whole project or person: the study's page, and exports."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable
from importlib.metadata import version

from affectscope.store.database import Change, Store
from affectscope.store.export_content import export_content
from affectscope.store.exports import narrow_to_allowed
from affectscope.store.products import held_product, older_studies
from affectscope.store.projects import project_head
from affectscope.store.studies import ChosenResult, choose_results
from affectscope.store.tables import Job
from affectscope.web.export_task import ExportTask
from affectscope.web.settings import Settings
from affectscope.web.study_task import StudyTask

EXPORT_FORMAT = 1
"""Of what lies in the zip, see ``store.export_content``."""
_LONGEST_NAME_BYTES = 200


class StudyJob:
    """Write the study's page over the results that were chosen when it was asked for."""

    def task(self, store: Store, settings: Settings, job: Job) -> StudyTask:
        """Results that were rejected meanwhile, or whose person allows it no more, are left out.

        Raises:
            StoreError: E_NOT_FOUND.
        """
        with store.reading() as session:
            product = held_product(session, job.detail["product_id"])
            head = project_head(session, product.project_id)
            choice = choose_results(session, product.project_id, store.clock())
        asked = set(product.detail["results"])
        chosen = [result for result in choice.results if result.result_id in asked]
        return StudyTask(
            results=tuple(
                (name, store.places.result(result.session_id, result.result_id))
                for name, result in named(chosen).items()
            ),
            output=store.places.study(product.id),
            title=head.name,
        )

    def finish(self, change: Change, store: Store, job: Job) -> None:
        """The project's earlier studies go."""
        product = held_product(change.session, job.detail["product_id"])
        product.ready = True
        for older in older_studies(change.session, product):
            shutil.rmtree(store.places.study(older.id), ignore_errors=True)
            change.session.delete(older)
        change.audit("study.made", "product", product.id)


class ExportJob:
    """Pack everything of one person, or of all people of a project who allow it."""

    def task(self, store: Store, settings: Settings, job: Job) -> ExportTask:
        """Who does not allow it any more is left out.

        Raises:
            StoreError: E_NOT_FOUND, E_CONSENT where nobody is left.
            OutputError: E_OUTPUT.
        """
        for leftover in store.places.exports.glob("*.parts"):
            shutil.rmtree(leftover, ignore_errors=True)  # one job runs at a time
        product_id = job.detail["product_id"]
        with store.writing(None) as change:
            narrow_to_allowed(change, product_id)
        with store.reading() as session:
            product = held_product(session, product_id)
            entries, facts = export_content(session, store.places, product, store.clock())
        manifest = {
            "format": EXPORT_FORMAT,
            "program": f"affectscope {version('affectscope')}",
            **facts,
        }
        return ExportTask(tuple(entries), json.dumps(manifest), store.places.export(product_id))

    def finish(self, change: Change, store: Store, job: Job) -> None:
        """It can be fetched from now on."""
        product = held_product(change.session, job.detail["product_id"])
        product.ready = True
        size = store.places.export(product.id).stat().st_size
        product.detail = {**product.detail, "size": size}
        shutil.rmtree(store.places.export_parts(product.id), ignore_errors=True)
        change.audit("export.made", "product", product.id, {"size": size})


def named(results: Iterable[ChosenResult]) -> dict[str, ChosenResult]:
    """Each under a name of its own that a folder can have."""
    found: dict[str, ChosenResult] = {}
    taken: set[str] = set()
    for result in results:
        plain = re.sub(r"[/\\:]", "_", f"{result.pseudonym} {result.label}")
        plain = plain.encode()[:_LONGEST_NAME_BYTES].decode(errors="ignore").strip()
        name, number = plain, 1
        while name.casefold() in taken:
            number += 1
            name = f"{plain} ({number})"
        taken.add(name.casefold())
        found[name] = result
    return found
