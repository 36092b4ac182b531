"""What each kind of job does: the task for the worker process, and what is kept when it is done."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from affectscope.store.answers import answers_of
from affectscope.store.consents import check_consent
from affectscope.store.database import Change, Store
from affectscope.store.results import add_result, told_by
from affectscope.store.session_folder import write_session_file
from affectscope.store.sessions import session_head
from affectscope.store.tables import Job
from affectscope.web.inspect_task import InspectTask
from affectscope.web.product_jobs import ExportJob, StudyJob
from affectscope.web.score_task import ScoreTask
from affectscope.web.settings import Settings
from affectscope.web.work import PageTask


class JobKind(Protocol):
    def task(self, store: Store, settings: Settings, job: Job) -> PageTask:
        """What the worker does.

        Raises:
            AffectScopeError: why it must not, or cannot, be done now.
        """

    def finish(self, change: Change, store: Store, job: Job) -> None:
        """Keep what the task made, inside the change that ends the job.

        Raises:
            AffectScopeError: what is there cannot be kept.
        """


class ScoreJob:
    """Estimate a session as it was set up when it was asked for."""

    def task(self, store: Store, settings: Settings, job: Job) -> PageTask:
        assert job.session_id is not None
        with store.reading() as session:
            head = session_head(session, job.session_id)
            check_consent(session, head.subject_id, "scoring", store.clock())
            answers = answers_of(session, job.session_id)
        folder = write_session_file(
            store.places, replace(head, settings=job.detail["settings"]), answers
        ).parent
        output = store.places.result(job.session_id, job.detail["try_id"])
        return ScoreTask(folder, output, settings.checkpoint, settings.rate)

    def finish(self, change: Change, store: Store, job: Job) -> None:
        assert job.session_id is not None
        subject_id = session_head(change.session, job.session_id).subject_id
        check_consent(change.session, subject_id, "scoring", change.at)
        folder = store.places.result(job.session_id, job.detail["try_id"])
        add_result(change, job, told_by(folder))


class InspectJob:
    """Look at a session's files, for the form that sets it up."""

    def task(self, store: Store, settings: Settings, job: Job) -> PageTask:
        assert job.session_id is not None
        with store.reading() as session:
            session_head(session, job.session_id)
        places = store.places
        return InspectTask(places.input(job.session_id), places.inspection(job.session_id))

    def finish(self, change: Change, store: Store, job: Job) -> None:
        """The file that was written is all."""


KINDS: dict[str, JobKind] = {
    "inspect": InspectJob(),
    "score": ScoreJob(),
    "study": StudyJob(),
    "export": ExportJob(),
}
