"""The application: its store, its routes, its rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from affectscope.store.database import Store
from affectscope.web import (
    answers,
    routes_accounts,
    routes_files,
    routes_members,
    routes_products,
    routes_projects,
    routes_questionnaires,
    routes_results,
    routes_sessions,
    routes_setup,
    routes_subjects,
    routes_users,
)
from affectscope.web.access import check_needs
from affectscope.web.gate import add_routes
from affectscope.web.headers import Frontier
from affectscope.web.login_limits import LoginLimits
from affectscope.web.runner import Runner
from affectscope.web.settings import Settings

_STATIC = Path(__file__).parent / "static"


class Application(FastAPI):
    """FastAPI with what surrounds even the answers to unexpected errors."""

    def build_middleware_stack(self) -> ASGIApp:
        return Frontier(super().build_middleware_stack(), self.state.settings)


def create_app(store: Store, settings: Settings) -> FastAPI:
    """The application over an open store. FastAPI's own pages are off (W31)."""
    app = Application(
        title="affectscope", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_running
    )
    app.state.store, app.state.settings = store, settings
    app.state.login_limits = LoginLimits()
    app.state.runner = Runner(store, settings)
    answers.install(app)
    for routes in (
        routes_projects,
        routes_subjects,
        routes_members,
        routes_products,
        routes_files,
        routes_sessions,
        routes_setup,
        routes_questionnaires,
        routes_results,
        routes_accounts,
        routes_users,
    ):
        add_routes(app, routes.router.routes)
    check_needs(app)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    return app


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    """Jobs are carried out while the server runs."""
    app.state.runner.start()
    yield
    await run_in_threadpool(app.state.runner.stop)
