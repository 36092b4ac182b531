"""What tests of the store share: a store, a PostgreSQL server."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from affectscope.store.database import Store
from affectscope.store.opening import open_store

_BINARIES = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/bin"))


@pytest.fixture(scope="session")
def new_folder(tmp_path_factory: pytest.TempPathFactory, new_clock: Callable[[], Any]) -> Path:
    """Data and keys of a store that was just made: making the schema takes longer than all else."""
    folder = tmp_path_factory.mktemp("new")
    open_store(folder / "data", folder / "keys", clock=new_clock()).close()
    return folder


@pytest.fixture
def opened(tmp_path: Path, clock: Any, new_folder: Path) -> Iterator[Callable[..., Store]]:
    """``opened()`` -> the store of this test's folder; as often as it was closed before."""
    stores: list[Store] = []

    def open_it(**asked: Any) -> Store:
        if not asked and not (tmp_path / "data").exists() and not (tmp_path / "keys").exists():
            shutil.copytree(new_folder, tmp_path, dirs_exist_ok=True)
        stores.append(open_store(tmp_path / "data", tmp_path / "keys", clock=clock, **asked))
        return stores[-1]

    yield open_it
    for store in stores:
        store.close()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a real server of this session's own, which ends with it; no database named."""
    found = [folder for folder in _BINARIES if (folder / "postgres").exists()]
    if not found or not (found[0] / "initdb").exists():
        pytest.skip("PostgreSQL's server is not installed")
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="affectscope-postgresql-"))
    shutil.chown(folder, account.get("user"), account.get("group"))
    server = None
    try:
        _initialise(found[0], folder, account)
        server, port = _start(found[0], folder, account)
        yield f"postgresql+psycopg://tester@127.0.0.1:{port}"
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)  # does not wait for who is still connected
            server.wait()
        shutil.rmtree(folder)


def _account() -> dict[str, Any]:
    """The server does not run as root."""
    if os.getuid() != 0:
        return {}
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("PostgreSQL's server does not run as root, and there is no user postgres")
    return {"user": "postgres", "group": "postgres", "extra_groups": []}


def _initialise(binaries: Path, folder: Path, account: dict[str, Any]) -> None:
    subprocess.run(
        [binaries / "initdb", "-D", folder / "data", "-U", "tester", "-E", "UTF8",
         "--locale=C.UTF-8", "--auth=trust", "--no-sync"],
        check=True, capture_output=True, cwd=folder, **account,
    )  # fmt: skip


def _start(
    binaries: Path, folder: Path, account: dict[str, Any]
) -> tuple[subprocess.Popen[bytes], int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = ["fsync=off", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}"]
    options = [word for setting in settings for word in ("-c", setting)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", folder / "data", "-p", str(port), *options],
            stdout=log, stderr=log, cwd=folder, **account,
        )  # fmt: skip
    ready = [binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
    while subprocess.run(ready, check=False).returncode != 0:
        assert server.poll() is None, (folder / "log").read_text()
    return server, port


@pytest.fixture
def postgresql_url(postgresql_server: str) -> str:
    """The URL of a new, empty database."""
    import psycopg

    name = f"d{uuid4().hex}"
    plain = postgresql_server.replace("+psycopg", "")
    with psycopg.connect(f"{plain}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    return f"{postgresql_server}/{name}"
