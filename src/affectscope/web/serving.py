"""The server process: one lock, one socket, one database; until it is asked to end."""

from __future__ import annotations

import logging
import signal
import socket
import ssl
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from affectscope.errors import WebError
from affectscope.io.files import writing_in
from affectscope.store.first_start import new_first_token
from affectscope.store.opening import open_store
from affectscope.store.places import Places
from affectscope.store.users import has_users
from affectscope.web.app import create_app
from affectscope.web.headers import is_loopback
from affectscope.web.patient_protocol import PatientProtocol
from affectscope.web.settings import Settings

log = logging.getLogger(__name__)

LARGEST_FRAME = 1 << 16
"""Bytes of a WebSocket message from a browser (W19)."""
LARGEST_HEAD = 1 << 16
"""Bytes of a request's line and headers."""
CONNECTIONS = 400
_LOG_SIZE, _LOGS = 5 << 20, 3


@dataclass(frozen=True)
class Served:
    """A server that is ready.

    Attributes:
        address: what to open in a browser.
        first_link: makes the first user, once; None where there is one.
    """

    address: str
    first_link: str | None
    _app: ASGIApp
    _settings: Settings
    _socket: socket.socket

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM, and end what is under way."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            uvicorn.Server(config_of(self._app, self._settings)).run(sockets=[self._socket])
        except KeyboardInterrupt:  # raised again by uvicorn when it has ended
            return


@contextmanager
def opened(settings: Settings) -> Iterator[Served]:
    """All that is needed to serve a data folder; put away again at the end.

    Raises:
        WebError: E_SERVE for settings that do not fit, or an address that is taken.
        ModelError: E_RUN_LOCKED where another server is at work in the folder.
        StoreError: E_DATABASE.
        OutputError: E_OUTPUT where a folder cannot be written.
    """
    check_settings(settings)
    places = Places(settings.data, settings.keys)
    with ExitStack() as stack:
        with writing_in(settings.data):
            settings.data.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_logged_to(places.log))
        store = open_store(settings.data, settings.keys, url=settings.database_url)
        stack.callback(store.close)
        listening = stack.enter_context(listen(settings.host, settings.port))
        settings = replace(settings, port=listening.getsockname()[1])
        with store.reading() as session:
            first = not has_users(session)
        address = address_of(settings)
        link = f"{address}/start#{new_first_token(places)}" if first else None
        app = create_app(store, settings)
        log.info("the server begins")
        yield Served(address, link, app, settings, listening)
        log.info("the server ends")


def config_of(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """How uvicorn serves: what is not needed is off, what can grow has a limit."""
    tls = settings.tls
    return uvicorn.Config(
        _quietly(app),
        http=PatientProtocol,
        ws="websockets-sansio",
        ws_max_size=LARGEST_FRAME,
        h11_max_incomplete_event_size=LARGEST_HEAD,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ssl_certfile=None if tls is None else tls[0],
        ssl_keyfile=None if tls is None else tls[1],
    )


def check_settings(settings: Settings) -> None:
    """Raises WebError E_SERVE."""
    data, keys = settings.data.resolve(), settings.keys.resolve()
    if keys == data or data in keys.parents:
        raise WebError(
            "E_SERVE",
            "The folder for keys lies inside the data folder.",
            "Choose another with --keys: who can change the data must not reach the keys.",
        )
    if settings.checkpoint is not None and not settings.checkpoint.is_dir():
        raise WebError("E_SERVE", "The checkpoint's folder does not exist.", "Check --checkpoint.")
    if settings.tls is not None:
        _check_tls(*settings.tls)


def _check_tls(certificate: Path, key: Path) -> None:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise WebError(
            "E_SERVE",
            f"Certificate and key cannot be used ({type(error).__name__}).",
            "Give --tls-cert and --tls-key in PEM format that belong together, the key without a"
            " password.",
        ) from error


def listen(host: str, port: int) -> socket.socket:
    """Raises WebError E_SERVE."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, address = min((entry[0], entry[4]) for entry in found)  # IPv4 before IPv6
        return socket.create_server((str(address[0]), port), family=family, backlog=256)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no such address"
        raise WebError(
            "E_SERVE",
            f"The server cannot listen at {host} port {port} ({reason}).",
            "Choose another --port (0: any free one), or see to what uses it.",
        ) from error


def address_of(settings: Settings) -> str:
    """What a browser opens."""
    scheme, host = "http" if settings.tls is None else "https", settings.host
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}:{settings.port}"


def is_open(settings: Settings) -> bool:
    """Whether other machines may reach the server, and what is sent can be read on the way."""
    return settings.tls is None and not is_loopback(settings.host)


def _quietly(app: ASGIApp) -> ASGIApp:
    """What escapes the application has been logged without its message, which may hold a name; the
    server behind must not log it again."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Exception as error:
            if scope["type"] == "lifespan":
                raise
            if scope["type"] == "websocket":
                route = getattr(scope.get("route"), "path", "?")
                log.error("fault in the socket %s: %s", route, type(error).__name__)

    return run


class _Formatter(logging.Formatter):
    """Of an exception its type and where it came from; its message may hold names (W25)."""

    def formatException(  # noqa: N802
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        kind, _, where = ei
        return "".join(traceback.format_tb(where)) + (kind.__name__ if kind else "")


@contextmanager
def _logged_to(path: Path) -> Iterator[None]:
    """Warnings of all, and what this program tells, go into a file that stays small."""
    handler = RotatingFileHandler(path, maxBytes=_LOG_SIZE, backupCount=_LOGS, encoding="utf-8")
    formatter = _Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    root, ours = logging.getLogger(), logging.getLogger("affectscope")
    before = ours.level
    root.addHandler(handler)
    for each in root.handlers:
        each.setFormatter(formatter)
        each.setLevel(logging.INFO if each is handler else logging.WARNING)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.setLevel(before)
        root.removeHandler(handler)
        handler.close()
