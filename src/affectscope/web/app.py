"""The application: its store, its routes, its rules."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from affectscope.store.database import Store
from affectscope.web import answers, routes_projects
from affectscope.web.access import check_needs
from affectscope.web.settings import Settings

_STATIC = Path(__file__).parent / "static"


def create_app(store: Store, settings: Settings) -> FastAPI:
    """The application over an open store. FastAPI's own pages are off (W31)."""
    app = FastAPI(title="affectscope", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.store, app.state.settings = store, settings
    answers.install(app)
    for routes in (routes_projects,):
        app.router.routes.extend(routes.router.routes)  # flat, so that each can be asked its need
    check_needs(app)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    return app
