"""What is removed by itself: results that no row knows, uploads that nobody goes on with, old
exports, and people whose erasure was interrupted. A backup is made where one is due."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from affectscope.store import uploads
from affectscope.store.backups import make_due_backup
from affectscope.store.database import Store
from affectscope.store.erasure import finish_erasures
from affectscope.store.exports import remove_old_exports
from affectscope.store.results import known_results


def sweep_results(store: Store) -> None:
    """Remove the folders of tries that came to nothing; only while no job runs."""
    with store.reading() as session:
        known = known_results(session)
    for folder in store.places.data.glob("sessions/*/results/*"):
        if (folder.parts[-3], folder.name) not in known:
            shutil.rmtree(folder, ignore_errors=True)


SWEEPS: tuple[Callable[[Store], None], ...] = (
    finish_erasures,
    uploads.sweep,
    remove_old_exports,
    make_due_backup,
)
"""At start and every hour, also while a job runs; each whatever becomes of the others."""
